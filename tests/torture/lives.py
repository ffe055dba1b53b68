"""A recorder's life on a simulated disk: it starts, takes requests of several senders, and may be stopped at any operation."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, cast

from ledger import Ledger, Request
from msgspec.json import decode
from simulated import Disk, Moment
from traffic import requests

from indelible.errors import IndelibleError
from indelible.http.ingest import Ingest
from indelible.http.problems import problem
from indelible.http.service import Service
from indelible.journal.file import open_file_journal
from indelible.journal.files import Files
from indelible.journal.port import Frame
from indelible.log.recorder import Recorder

FILE = 8192  # bytes of a journal file: a rotation every few requests
RESERVE = 1024


class Stop(NamedTuple):
    """A moment before an operation or after it, and the ledger as it stood."""

    where: str
    moment: Moment
    ledger: Ledger


def frames_of(data: Path, files: Files | None = None) -> list[Frame]:
    """What a start finds."""
    journal = open_file_journal(data, file_size=FILE, reserve=RESERVE, files=files)
    try:
        return [placed.frame for placed in journal.reader().frames(journal.first, journal.end.position)]
    finally:
        asyncio.run(journal.close())


def live(data: Path, disk: Disk, ledger: Ledger, random: Random, fault: Callable[[str, str, Path], None]) -> list[Stop]:
    """Every moment at which this life could have ended. `fault(when, operation, path)` may raise OSError."""
    stops: list[Stop] = []

    def watch(when: str) -> Callable[[str, Path], None]:
        def seen(operation: str, path: Path) -> None:
            stops.append(Stop(f"{when} {operation} {path.name}", disk.moment(), ledger.copied()))
            fault(when, operation, path)

        return seen

    disk.before, disk.after = watch("before"), watch("after")
    try:
        asyncio.run(_serve(data, disk, ledger, random))
    except IndelibleError as error:  # a disk too full to start on, or one that failed
        assert error.exit_code in (74, 75), error
    disk.before = disk.after = lambda operation, path: None
    return stops


async def _serve(data: Path, disk: Disk, ledger: Ledger, random: Random) -> None:
    journal = open_file_journal(data, file_size=FILE, reserve=RESERVE, files=disk)
    try:
        recorder = Recorder(journal)
        recorder.replay()
        frames = [placed.frame for placed in journal.reader().frames(journal.first, journal.end.position)]
        ledger.seen = ledger.hold(frames)
        ingest = Ingest(Service(journal, recorder, cast(Any, None), proofs=cast(Any, None), publisher=cast(Any, None)))
        senders = [itertools.islice(requests(random, f"{random.randrange(1 << 30):x}", 600), random.randrange(4, 9)) for _ in range(3)]
        await asyncio.gather(*(_send(ingest, sender, ledger) for sender in senders))
        assert recorder.failed or recorder.size("default") == len(ledger.hold(await asyncio.to_thread(_frames, journal)))
    finally:
        await journal.close()


def _frames(journal: Any) -> Sequence[Frame]:
    return [placed.frame for placed in journal.reader().frames(journal.first, journal.end.position)]


async def _send(ingest: Ingest, sender: Any, ledger: Ledger) -> None:
    for request in sender:
        ledger.sends(request)
        status, answer = await post(ingest, request)
        ledger.answered(request, status, answer)


async def post(ingest: Ingest, request: Request) -> tuple[int, Any]:
    """The status and the answer."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": request.body}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(name.encode(), value.encode()) for name, value in request.headers.items()]
    scope = {"path_params": {"log": "default"}, "headers": headers, "query_string": request.target.partition("?")[2].encode()}
    try:
        await ingest(scope, receive, send)
    except IndelibleError as error:
        made = problem(error)
        return made.status, {"type": made.type, "index": made.index}
    return sent[0]["status"], decode(sent[1]["body"])
