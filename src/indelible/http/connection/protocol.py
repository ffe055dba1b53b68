"""One client's connection: its requests are read with bounds (reading.py), its answers too have their time, and a refusal leaves in order.

Beside what reading.py names, it leans on uvicorn 0.54 by these: of HttpToolsProtocol `connections`, `server_state`, `_start_asgi_task`
and `on_response_complete`, which its version here replaces; of RequestResponseCycle `disconnected`, `response_started` and
`waiting_for_100_continue`.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from indelible.errors import Busy, IndelibleError, TooSlow
from indelible.http import problems
from indelible.http.app import HEADERS
from indelible.http.connection.reading import BODY, DONE, HEAD, Reading
from indelible.http.connection.warden import HURRY, RATE, Haste, Warden

LINGER = 3.0  # s that a client has to take the last answer and to close


class Connection(Reading):
    """Reads one request at a time: what a client sends ahead waits in bytes, and reading pauses meanwhile.

    A subclass that answers some requests itself overrides `answering`, and calls `on_response_complete` after each answer.
    """

    def __init__(self, warden: Warden, **given: Any) -> None:
        super().__init__(warden, **given)
        self._last: bytes | None = None  # the answer after which nothing follows
        self._finished = False
        self._counted = 0  # bytes of unsent answers that the warden knows of
        self._unsent = 0  # the most of them since `_unsent_since`
        self._unsent_since = warden.now

    def answering(self) -> bool:
        """Whether some request has no whole answer yet."""
        return self.cycle is not None and not self.cycle.response_complete and not self.cycle.disconnected

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._unsent_since = self.warden.now
        if len(self.connections) > self.warden.patience.connections:
            self.warden.crowded = True
            self.refuse(Busy("there are as many connections as this server takes: try again in a moment"))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._count(0)
        super().connection_lost(exc)

    # What goes out

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        if self.warden.unsent and self.warden.refuses(cycle.scope["method"] == "POST"):
            app = _answer(Busy("clients do not take the answers that they asked for: ask again in a moment"))
            self.warden.answered(Busy.status)
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """In place of uvicorn's, which reads on though requests wait, and sets a timer for each answer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.since = self.warden.now
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._last is not None:
            self._finish(self._last)
        elif self.stage == BODY and self.expect_100_continue and not self.came:
            self.ending = True  # nobody can tell whether the body will still come
            self._finish()
        if self._held and not self.pipeline:
            self.loop.call_soon(self._again)
        elif self.flow.read_paused:
            self.flow.resume_reading()

    def refuse(self, error: IndelibleError) -> None:
        """Answer what is being read with `error`, after what came before it; then the connection ends. What still comes is let go."""
        if self.ending:
            return
        self.ending = True
        self._keep(b"")
        waits = self.answering()
        if self.stage == BODY:
            waits = self._drop()
            if self.cycle.response_started:  # it has its own answer, or half of it
                self._finish()
                return
        self.warden.answered(error.status)
        self._last = self._rendered(error)
        if not waits:
            self._finish(self._last)

    def _drop(self) -> bool:
        """Let nobody answer the request whose body is being read. Whether others before it are still to be answered."""
        self.cycle.disconnected = True
        self.cycle.waiting_for_100_continue = False  # nothing may be written after the last word
        self.cycle.message_event.set()
        queued = bool(self.pipeline) and self.pipeline[0][0] is self.cycle
        if queued:
            self.pipeline.popleft()
        return queued

    def _rendered(self, error: IndelibleError) -> bytes:
        answer = _answer(error)
        headers = [*self.server_state.default_headers, *answer.raw_headers, (b"connection", b"close")]
        return b"%b%b\r\n%b" % (STATUS_LINE[error.status], b"".join(b"%b: %b\r\n" % each for each in headers), bytes(answer.body))

    def _finish(self, last: bytes = b"") -> None:
        """Say the last word, and let the client close: closing first would throw away what it has not read yet."""
        self._finished = True
        self.since, self.came = self.warden.now, 0
        self.transport.write(last)
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._count(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._count(0)

    def _count(self, unsent: int) -> None:
        self.warden.unsent += unsent - self._counted
        self._counted = unsent

    # What takes too long

    def look(self, now: float, haste: Haste) -> None:
        """The warden's round: end what has taken too long."""
        patience, waited = self.warden.patience, now - self.since
        size = self.transport.get_write_buffer_size()
        self._count(size)
        if size:
            self._look_at_answer(size, now, haste)
            return
        self._unsent = 0
        if self.ending:
            if self._finished and waited > LINGER:
                self.transport.abort()
        elif self.answering():
            if self.stage == BODY and not self.flow.read_paused:
                self._look_at_body(now, haste)
        elif self.stage == BODY:
            if waited > LINGER:  # it was answered, and its rest does not come
                self.transport.close()
        elif waited > (HURRY if haste.connections else patience.idle if self.stage == DONE else patience.head):
            if self.stage == HEAD:
                self.refuse(TooSlow(f"the request's headers did not come within {patience.head} s"))
            else:
                self.transport.close()

    def _look_at_answer(self, size: int, now: float, haste: Haste) -> None:
        """Abort if it is not taken: at least RATE bytes a second of it, over `stall` seconds."""
        if size > self._unsent:
            self._unsent, self._unsent_since = size, now
        elif (waited := now - self._unsent_since) >= (HURRY if haste.bytes else self.warden.patience.stall):
            if self._unsent - size < RATE * waited:
                self.transport.abort()
            self._unsent, self._unsent_since = size, now

    def _look_at_body(self, now: float, haste: Haste) -> None:
        """Refuse it if it stands still, or is just one of those that leave no room for others."""
        waited = now - self.since
        if (haste.bytes and now - self.begun > HURRY) or (waited >= self.warden.patience.stall and self.came - self._mark < RATE * waited):
            self.refuse(TooSlow("the request's body did not come in time: send the same bytes again"))
        elif waited >= self.warden.patience.stall:
            self.since, self._mark = now, self.came


def _answer(error: IndelibleError) -> Response:
    answer = problems.response(error)
    answer.raw_headers.extend(HEADERS)
    return answer
