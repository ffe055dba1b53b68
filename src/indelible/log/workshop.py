"""Processes that prepare large requests beside this one: a request goes out as it came, and comes back as a frame ready for the journal.

`python -m indelible.log.workshop DESCRIPTOR` is one of them. Over a socket come messages of a length (8 bytes, big-endian) each: the
request in MessagePack, then its body; back goes one of MessagePack, and the frame's text where it is not the body. It ends when the
socket does, and so with the process that started it, in whatever way that ends.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import IO, cast

from msgspec import Struct, msgpack

from indelible.errors import REFUSALS, Fault, IndelibleError
from indelible.formats import split
from indelible.journal.port import Frame
from indelible.log.prepare import Prepared, Terms, prepare

PREFIX = 8  # bytes of a message's length
_BUFFER = 4 << 20  # bytes that a socket holds, if the system lets it: a whole request without a turn of the other side
_HASH = 32


class _Asked(Struct, frozen=True):
    """A request whose body follows."""

    terms: Terms
    content_type: str


class _Made(Struct, frozen=True, tag=True):
    """What `prepare` gave, but for what this process has already. `text` bytes follow: none if the frame's text is the body."""

    single: bool
    text: int
    dialect: str
    salts: bytes
    digest: bytes
    derived: dict[int, str]
    sources: list[str]
    ids: list[str]
    leaves: bytes
    at: list[int] | None
    faults: tuple[Fault, ...]
    refused: int


class _No(Struct, frozen=True, tag=True):
    """What `split` or `prepare` raised."""

    name: str
    detail: str
    faults: tuple[Fault, ...]
    total: int


_ASKED: msgpack.Decoder[_Asked] = msgpack.Decoder(_Asked)
_ANSWER: msgpack.Decoder[_Made | _No] = msgpack.Decoder(_Made | _No)


class Workshop:
    """`number` worker processes, started when they are first needed. Belongs to one event loop.

    A worker that dies is replaced, and what it was given is prepared here: preparing is a pure function.
    """

    def __init__(self, number: int) -> None:
        self._workers = [_Worker() for _ in range(number)]

    async def prepare(self, body: bytes, content_type: str, terms: Terms) -> tuple[Prepared, bool]:
        """As formats.split and log.prepare.prepare, and whether the body was one event. Raises what these do."""
        worker = min(self._workers, key=lambda each: each.load)
        try:
            answer, text = await worker.ask(msgpack.encode(_Asked(terms, content_type)), body)
        except (OSError, EOFError, ValueError):
            lines = split(body, content_type, terms.limits)
            return await prepare(lines, terms), lines.single
        if isinstance(answer, _No):
            raise REFUSALS[answer.name](answer.detail, answer.faults, answer.total)
        return _prepared(answer, text if answer.text else _with_end(body), terms), answer.single

    async def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            await worker.close()


class _Worker:
    """One process, and what is on its way to it and back: answers come in the order of the requests."""

    def __init__(self) -> None:
        self.load = 0  # bytes of bodies that it was given and has not answered
        self._process: asyncio.subprocess.Process | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()  # of reading: whoever asked first reads first
        self._starting = asyncio.Lock()

    async def ask(self, asked: bytes, body: bytes) -> tuple[_Made | _No, bytes]:
        """Raises OSError, EOFError or ValueError if the process does not live to answer."""
        self.load += len(body)
        try:
            async with self._starting:
                reader, writer = self._streams or await self._start()
            writer.writelines((len(asked).to_bytes(PREFIX), asked, len(body).to_bytes(PREFIX), body))
            async with self._turn:  # locks are fair: answers are taken in the order in which requests were written
                await writer.drain()
                answer = _ANSWER.decode(await _received(reader))
                return answer, await reader.readexactly(answer.text) if isinstance(answer, _Made) and answer.text else b""
        except BaseException:
            self._drop()  # also when cancelled: half an exchange lies on it
            raise
        finally:
            self.load -= len(body)

    async def _start(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        ours, theirs = socket.socketpair()
        with theirs:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "indelible.log.workshop", str(theirs.fileno())),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # signals of a terminal are for the parent
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self._streams = await asyncio.open_connection(sock=ours, limit=_BUFFER)
        return self._streams

    def _drop(self) -> None:
        if self._streams:
            self._streams[1].transport.abort()
            self._streams = None
        if self._process:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def close(self) -> None:
        self._drop()
        if self._process:
            await self._process.wait()


async def _received(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(PREFIX)))


def _prepared(made: _Made, text: bytes, terms: Terms) -> Prepared:
    count = len(made.ids)
    leaves = [made.leaves[at : at + _HASH] for at in range(0, _HASH * count, _HASH)]
    frame = Frame(terms.log, count, text, terms.recorded, terms.writer, made.dialect, made.salts, made.digest, made.derived)
    return Prepared(frame, text.split(b"\n")[:-1], made.sources, made.ids, leaves, made.at, made.faults, made.refused)


def _with_end(body: bytes) -> bytes:
    return body if body.endswith(b"\n") else body + b"\n"


def main() -> None:
    """Prepare what comes on the socket until it ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as end, cast(IO[bytes], end.makefile("rwb", buffering=_BUFFER)) as stream:
        while (asked := _read(stream)) is not None and (body := _read(stream)) is not None:
            answer, text = _answered(_ASKED.decode(asked), body)
            packed = msgpack.encode(answer)
            stream.write(len(packed).to_bytes(PREFIX) + packed + text)
            stream.flush()


def _answered(asked: _Asked, body: bytes) -> tuple[_Made | _No, bytes]:
    try:
        lines = split(body, asked.content_type, asked.terms.limits)
        prepared = _finished(prepare(lines, asked.terms))
    except IndelibleError as error:
        return _No(error.name, error.detail, error.faults, error.total), b""
    frame = prepared.frame
    text = b"" if frame.text == _with_end(body) else frame.text
    leaves = b"".join(prepared.leaves)
    rest = (prepared.sources, prepared.ids, leaves, prepared.at, prepared.faults, prepared.refused)
    return _Made(lines.single, len(text), frame.dialect, frame.salts, frame.leaves, frame.ids, *rest), text


def _finished(work: Coroutine[None, None, Prepared]) -> Prepared:
    """The result of a coroutine that only ever gives others their turn: here there are none."""
    while True:
        try:
            work.send(None)
        except StopIteration as end:
            result: Prepared = end.value
            return result


def _read(stream: IO[bytes]) -> bytes | None:
    """The next message; None at the end."""
    prefix = stream.read(PREFIX)
    length = int.from_bytes(prefix)
    message = stream.read(length)
    return message if len(prefix) == PREFIX and len(message) == length else None


if __name__ == "__main__":
    main()
