"""The short way of small requests: POSTs of events that came in one turn of the event loop are answered together, below ASGI.

It leans on uvicorn 0.54 as protocol.py does, and on its RequestResponseCycle's `scope`, `body`, `more_body` and `keep_alive`. Whatever
is not plain and good goes on to the application as if this module were not there, so every refusal is said in one place.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from time import perf_counter, time_ns
from typing import Any, NamedTuple

from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from indelible.errors import Conflict, IndelibleError
from indelible.formats import FORMATS, split
from indelible.formats.lines import Lines
from indelible.http import problems, receipts
from indelible.http.app import HEADERS, Door
from indelible.http.connection.protocol import Connection
from indelible.http.connection.warden import Warden
from indelible.http.ingest import ANSWER_HEADERS
from indelible.http.service import Service
from indelible.log.prepare import Prepared, Terms
from indelible.log.recorder import Recorded
from indelible.log.together import SMALL, together

LARGEST = 32 << 10  # bytes of a body; what is larger gains nothing
_TURN = 256 << 10  # bytes of bodies settled at once: about as long as others may wait
_UNPLAIN = frozenset((b"content-encoding", b"idempotency-key", b"expect", b"transfer-encoding"))
_KINDS = frozenset(kind.encode() for kind in FORMATS)
_RECEIPT = b"".join(b"%b: %b\r\n" % each for each in ANSWER_HEADERS)


class _Asked(NamedTuple):
    """A request that takes the short way; `size` bytes of its body are held for it."""

    connection: Quick
    cycle: Any
    app: ASGIApp
    log: str
    kind: str
    size: int


class Desk:
    """Takes plain requests from all connections, and sees to it that each is answered once."""

    def __init__(self, service: Service, door: Door) -> None:
        self._service = service
        self._door = door
        self._ingest = door.ingest
        self._waiting: deque[_Asked] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def fits(self, scope: Any) -> tuple[str, str, int] | None:
        """Log, content type and length of a request that may take the short way, whose bytes are held then; None for all others."""
        recorder = self._service.recorder
        if scope["method"] != "POST" or scope["query_string"] or recorder.failed or not recorder.ready:
            return None
        log = self._door.posts.get(scope["raw_path"])
        if log is None:
            return None
        kind, length = b"", LARGEST + 1
        for name, value in scope["headers"]:
            if name == b"content-type":
                kind = value
            elif name == b"content-length":
                length = int(value)
            elif name in _UNPLAIN:
                return None
        if length > LARGEST or kind not in _KINDS:
            return None
        try:
            self._door.check(scope["method"], scope["raw_path"], scope["headers"], scope["http_version"])
            self._ingest.hold(length)
        except IndelibleError:
            return None
        return log, kind.decode(), length

    def take(self, asked: _Asked) -> None:
        """Answer it in a later turn."""
        if not self._waiting:
            asked.connection.loop.call_soon(self._turn)
        self._waiting.append(asked)

    def release(self, asked: _Asked) -> None:
        self._ingest.release(asked.size)

    def _turn(self) -> None:
        """What waits, up to about _TURN bytes; the rest after others had their turn."""
        run: list[_Asked] = []
        lines: list[tuple[Lines, Terms]] = []
        size, now = 0, time_ns() // 1000
        while self._waiting and size < _TURN:
            asked = self._waiting.popleft()
            try:
                batch = split(bytes(asked.cycle.body), asked.kind, self._service.limits)
            except IndelibleError:
                asked.connection.decline(asked)
                continue
            if len(batch.lines) > SMALL:
                asked.connection.decline(asked)
                continue
            run.append(asked)
            lines.append((batch, Terms(asked.log, now, self._service.limits)))
            size += len(batch.text)
        loop = asyncio.get_running_loop()
        if self._waiting:
            loop.call_soon(self._turn)
        if not run:
            return
        try:
            prepared = together(lines, self._service.limits)
        except Exception:  # nobody may wait for ever: alone, each meets what is its own
            prepared = None
        if prepared is None:
            _decline(run)
            return
        self._tasks.add(task := loop.create_task(self._record(run, [batch.single for batch, _ in lines], prepared)))
        task.add_done_callback(self._tasks.discard)

    async def _record(self, run: list[_Asked], single: list[bool], prepared: list[Prepared]) -> None:
        begun = perf_counter()
        try:
            recorded = await self._service.recorder.record_all(prepared)
        except Exception:  # nothing was stored, or the process is about to end: either is said where all errors are
            _decline(run)
            return
        waited = perf_counter() - begun
        for asked, alone, each in zip(run, single, recorded, strict=True):
            self._answer(asked, alone, each, waited)

    def _answer(self, asked: _Asked, alone: bool, recorded: Recorded, waited: float) -> None:
        counts = receipts.counts(recorded)
        metrics = self._service.metrics
        metrics.recorded(*counts, 0, len(recorded.prepared.frame.text), waited)
        headers = _RECEIPT
        try:
            status, answer = receipts.of_one(recorded) if alone else receipts.of_batch(recorded, *counts)
        except Conflict as error:
            problem = problems.response(error)
            status, answer = problem.status_code, bytes(problem.body)
            headers = b"".join(b"%b: %b\r\n" % each for each in (*problem.raw_headers, *HEADERS) if each[0] != b"content-length")
        metrics.answered(status)
        asked.connection.answer(asked, status, headers, answer)


class Quick(Connection):
    """A connection that hands plain requests to the desk, and all others to the application."""

    def __init__(self, desk: Desk, warden: Warden, **given: Any) -> None:
        super().__init__(warden, **given)
        self._desk = desk
        self._begun: _Asked | None = None  # its body is not whole yet

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_go()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        fitting = self._desk.fits(cycle.scope) if cycle is self.cycle and not self.flow.write_paused else None
        if fitting is None:
            super()._start_asgi_task(cycle, app)
            return
        asked = _Asked(self, cycle, app, *fitting)
        if cycle.more_body:
            self._begun = asked
        else:  # it waited for the one before it
            self._desk.take(asked)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._begun:
            asked, self._begun = self._begun, None
            self._desk.take(asked)

    def refuse(self, error: IndelibleError) -> None:
        """As a connection does; what has been read of a request that the desk waits for is let go."""
        self._let_go()
        super().refuse(error)

    def _let_go(self) -> None:
        if self._begun:
            self._desk.release(self._begun)
            self._begun = None

    def decline(self, asked: _Asked) -> None:
        """Let the application answer."""
        self._desk.release(asked)
        if not asked.cycle.disconnected:
            super()._start_asgi_task(asked.cycle, asked.app)

    def answer(self, asked: _Asked, status: int, headers: bytes, body: bytes) -> None:
        """Write the whole answer at once."""
        cycle = asked.cycle
        self._desk.release(asked)
        if cycle.disconnected or self.transport.is_closing():
            return
        general = b"".join([b"%b: %b\r\n" % each for each in self.server_state.default_headers])
        last = b"" if cycle.keep_alive else b"connection: close\r\n"
        head = b"%b%b%bcontent-length: %d\r\n%b\r\n" % (STATUS_LINE[status], general, headers, len(body), last)
        self.transport.write(head + body)
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()


def _decline(run: Iterable[_Asked]) -> None:
    for asked in run:
        asked.connection.decline(asked)
