"""A log as files behind a loopback server that serves what a test made of them, and a signed data directory over several small files."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from trails import LOGS, MOMENT, SIZE, Quick

from indelible.cli.main import run
from indelible.formats.lines import Lines
from indelible.journal.file import FileJournal, open_file_journal
from indelible.log.prepare import Terms, prepare
from indelible.log.proofs import Proofs
from indelible.log.publisher import Publisher
from indelible.log.recorder import Recorder
from indelible.model.entry import Origin, headers
from indelible.model.event import Event, Limits
from indelible.signing.directory import open_signing
from indelible.tree.checkpoint import Checkpoint, sign_checkpoint
from indelible.tree.keys import SigningKey
from indelible.tree.merkle import Hash, leaf_hash
from indelible.tree.tiles import ENTRIES, Tile, encode_bundle, tiles_of

ORIGIN = "trail.example/v1/logs/default"
KEY = SigningKey(ORIGIN, bytes(range(32)))
OTHER = SigningKey(ORIGIN, bytes(32))
VKEY = KEY.public.vkey


def mth(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962's own definition, 2.1."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else sha256(b"").digest()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def entry(number: int, history: str = "") -> bytes:
    (made,) = headers(
        [Event(f"t{history}", "s")], [f"e{number}"], [f"{number:064x}"], Origin(1_700_000_000_000_000 + number, "-", "native")
    )
    return made


def checkpoint(entries: Sequence[bytes], key: SigningKey = KEY) -> bytes:
    root = Hash(mth([leaf_hash(each) for each in entries]))
    return sign_checkpoint(Checkpoint(key.public.name, len(entries), root), [key])


def log_files(entries: Sequence[bytes], key: SigningKey = KEY) -> dict[str, bytes]:
    """Every path below a log's URL, as c2sp.org/tlog-tiles has them; the hashes by RFC 6962's own definition."""
    leaves: list[bytes] = [leaf_hash(each) for each in entries]
    files = {"checkpoint": checkpoint(entries, key), "vkey": f"{key.public.vkey}\n".encode()}
    levels = [leaves]
    while len(levels[-1]) >= 256:
        below = levels[-1]
        levels.append([mth(below[at : at + 256]) for at in range(0, len(below) // 256 * 256, 256)])
    for tile in tiles_of(len(entries)):
        files[tile.path] = b"".join(levels[tile.level][tile.start : tile.stop])
        if tile.level == 0:
            files[Tile(ENTRIES, tile.number, tile.width).path] = encode_bundle(entries[tile.start : tile.stop])
    return files


@dataclass
class Shown:
    """A server: what it serves may be changed at any time. A function instead of bytes gets the handler, to misbehave as it likes."""

    url: str
    files: dict[str, Any]
    asked: list[str] = field(default_factory=list)
    connections: int = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: Any

    def setup(self) -> None:
        super().setup()
        self.server.shown.connections += 1

    def do_GET(self) -> None:
        path = self.path.removeprefix("/v1/logs/default/")
        self.server.shown.asked.append(path)
        body = self.server.shown.files.get(path)
        if callable(body):
            body(self)
            return
        packed = body is not None and "entries" in path and "gzip" in self.headers.get("Accept-Encoding", "")
        if packed:
            body = gzip.compress(body)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", "application/octet-stream" if body is not None else "application/problem+json")
        if packed:
            self.send_header("Content-Encoding", "gzip")
        body = (
            b'{"type":"/problems/not-found","detail":"there is no such file here, and this is said at some length"}'
            if body is None
            else body
        )
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    shown: Shown

    def handle_error(self, *_: object) -> None:
        """The client hung up: that is what some tests are about."""


@contextmanager
def serving_files(files: dict[str, Any]) -> Iterator[Shown]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.shown = Shown(f"http://127.0.0.1:{server.server_address[1]}", files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.shown
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Verify:
    """`indelible verify` with a memory of its own; `said` is all that it wrote the last time."""

    def __init__(self, state: Path, capsys: Any) -> None:
        self.state = state
        self.said = ""
        self._capsys = capsys

    def __call__(self, *words: str) -> int:
        self._capsys.readouterr()
        code = run(["verify", "--patience", "0", "--state", str(self.state), *words])
        self.said = "".join(self._capsys.readouterr())
        return code


def sign(data: Path) -> None:
    """A checkpoint of each log as it stands, of a service that was started on the directory and stopped again."""
    life(data, [([], True)])


def life(data: Path, groups: Sequence[tuple[Sequence[bytes], bool]]) -> None:
    """A service's from start to stop: events of each group, a frame each in the log `default`, and then perhaps a checkpoint."""

    async def main() -> None:
        async with AsyncExitStack() as stack:
            journal = open_file_journal(data, file_size=SIZE, files=Quick())
            stack.push_async_callback(journal.close)
            await work(journal)

    async def work(journal: FileJournal) -> None:
        signing = open_signing(Quick(), data, "trail.example", 1_700_000_000, journal.end.position)
        recorder = Recorder(journal)
        proofs = Proofs(recorder, journal.reader())
        publisher = Publisher(proofs, signing.ledger, signing.identity, LOGS, lambda: 1_700_000_000)
        try:
            recorder.replay(then=publisher.start)
            for lines, signs in groups:
                for line in lines:
                    await recorder.record(await prepare(Lines(line + b"\n", [line], False), Terms("default", MOMENT + 99, Limits())))
                if signs:
                    await publisher.tick()
        finally:
            publisher.close()

    asyncio.run(main())


Change = Callable[[dict[str, Any]], None]
