"""One client's connection: uvicorn's, with bounds on what it may hold and on how long it may take.

uvicorn's own knows no bounds: of a head that never ends, of requests that are sent ahead, of bodies that stop. It leans on uvicorn
0.54 (pinned) by these names: of HttpToolsProtocol all callbacks of the parser, `cycle` (of the newest request), `pipeline` (newest
on the left), `flow`, `headers`, `url`, `connections`, `server_state`, `_start_asgi_task` and `on_response_complete`, which its
version here replaces; of RequestResponseCycle `disconnected`, `message_event`, `response_started` and `response_complete`.
"""

from __future__ import annotations

from typing import Any

import httptools
from starlette.responses import Response
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from indelible.errors import Busy, HeadTooLarge, IndelibleError, Refused, TooSlow
from indelible.http import problems
from indelible.http.app import HEADERS
from indelible.http.warden import HURRY, RATE, Haste, Warden

MOST_HEAD = 32 << 10  # bytes of a request's line and headers together, and of its trailers
MOST_HEADERS = 100
DRAINED = 64 << 20  # bytes of a body that are let go after an early answer, so that the client gets to reading it
LINGER = 3.0  # s that a client has to take the last answer and to close
PIECE = 4 << 10  # bytes given to the parser at once where requests may follow each other
_TURN = 8  # pieces between two turns of the event loop
_END = b"\r\n\r\n"  # of a head

_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"expect"))

# What of a request is being read. NEW: nothing has come yet. DONE: all of it was.
NEW, HEAD, BODY, DONE = range(4)


class Connection(HttpToolsProtocol):
    """Reads one request at a time: what a client sends ahead waits in bytes, and reading pauses meanwhile.

    A subclass that answers some requests itself overrides `answering`, and calls `on_response_complete` after each answer.
    """

    def __init__(self, warden: Warden, **given: Any) -> None:
        super().__init__(**given)
        self.warden = warden
        self.stage = NEW
        self.since = warden.now  # when the stage began, or got on by what it must
        self.begun = warden.now  # when the body began
        self.length = b"0"  # of the body, as announced
        self.came = 0  # bytes of it so far
        self.ending = False  # the last answer is written or waits for those before it: nothing more is read
        self._mark = 0  # of `came` or of unsent bytes, at `since`
        self._head = 0  # bytes of a head that is not whole yet, or of trailers
        self._chunked = False
        self._held = b""
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
        self.flow = _Flow(transport, self)
        self.since = self._unsent_since = self.warden.now
        if len(self.connections) > self.warden.patience.connections:
            self.warden.crowded = True
            self.refuse(Busy("there are as many connections as this server takes: try again in a moment"))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._keep(b"")
        self._count(0)
        super().connection_lost(exc)

    # What comes in

    def data_received(self, data: bytes) -> None:
        if self.ending:
            self.came += len(data)
            if self.came > DRAINED:
                self.transport.abort()
        elif self._held or self.pipeline:
            self._keep(self._held + data)
        elif len(data) <= PIECE and data.rfind(_END) == data.find(_END):
            self._feed(data)
        else:
            self._go_on(data)

    def _go_on(self, data: bytes) -> None:
        """Read what has come until a request has to wait for the one before it, or others for this connection."""
        at, view = 0, memoryview(data)
        for _ in range(_TURN):
            if at == len(data) or self.pipeline or self.ending:
                break
            stop = self._border(data, at)
            self._feed(view[at:stop])
            at = stop
        self._keep(data[at:])

    def _border(self, data: bytes, at: int) -> int:
        """Up to where `data` from `at` on completes no more than one request."""
        if self.stage == BODY:
            return min(len(data), at + (PIECE if self._chunked else max(int(self.length) - self.came, 1)))
        end = data.find(_END, at, at + PIECE)
        return min(len(data), at + PIECE) if end < 0 else end + len(_END)

    def _keep(self, rest: bytes) -> None:
        """Hold `rest` back, unless this is the end. Reading goes on after the next answer, or in the next turn if none is due."""
        if self.ending:
            rest = b""
        self.warden.held += len(rest) - len(self._held)
        self._held = rest
        if not rest:
            return
        self.flow.pause_reading()
        if self.warden.overfull:
            self.refuse(Busy("too much was sent ahead: wait for the answers before sending more"))
        elif not self.pipeline:
            self.loop.call_soon(self._again)

    def _again(self) -> None:
        """Go on with what is held, if nothing stands before it any more."""
        if self.parser is None or self.pipeline or self.ending:
            return
        if self._held:
            self._go_on(self._held)
        if not self._held:
            self.flow.resume_reading()

    def _feed(self, data: bytes | memoryview) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._stay(bytes(data[offer.args[0] :]))
        except httptools.HttpParserError as error:
            cause = error.__context__
            self.refuse(cause if isinstance(cause, IndelibleError) else Refused(f"this is no HTTP/1.1 request (RFC 9112): {error}"))
        if self.stage == HEAD:
            self._more_head(len(data))

    def _more_head(self, size: int) -> None:
        self._head += size
        if self._head > MOST_HEAD:
            self.refuse(_head_too_large())

    def _stay(self, rest: bytes) -> None:
        """Read a request that offers another protocol as if it had not: the parser would take its body for that protocol."""
        parser, method = self.parser, self.parser.get_method()
        if method == b"CONNECT":
            self.refuse(Refused("CONNECT is for proxies, and this is none"))
            return
        named = [(name, value) for name, value in self.headers if name not in (b"connection", b"upgrade", b"http2-settings")]
        if any(name == b"connection" and b"close" in value.lower() for name, value in self.headers):
            named.append((b"connection", b"close"))
        lines = [b"%b %b HTTP/%b" % (method, self.url, parser.get_http_version().encode()), *map(b": ".join, named)]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._feed(b"\r\n".join(lines) + _END)
        if rest and not self.ending:
            self._feed(rest)

    # What the parser finds in it

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.stage, self.since = HEAD, self.warden.now
        self._head, self._chunked = 0, False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers are let go: they come too late to say how the request is to be read."""
        if self.stage != HEAD:
            self._head += len(name) + len(value)
            if self._head > MOST_HEAD:
                raise _head_too_large()
            return
        name = name.lower()
        if name in _FRAMING:
            self._framed(name, value)
        self.headers.append((name, value))

    def _framed(self, name: bytes, value: bytes) -> None:
        """How the body comes. Raises Refused where another reader could see another end of it."""
        if name == b"content-length":
            self.length = value
        elif name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        elif value.strip().lower() != b"chunked" or self._chunked or self.parser.get_http_version() == "1.0":
            raise Refused("the only Transfer-Encoding taken is one `chunked`, in HTTP/1.1")
        else:
            self._chunked = True

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        if self._head and sum(len(name) + len(value) + 4 for name, value in self.headers) + len(self.url) > MOST_HEAD:
            raise _head_too_large()
        if len(self.headers) > MOST_HEADERS:
            raise HeadTooLarge(f"{len(self.headers)} headers are more than {MOST_HEADERS}")
        if self.url[:1] != b"/":
            self._check_target()
        super().on_headers_complete()
        self.stage = BODY
        self.since = self.begun = self.warden.now
        self.came = self._mark = self._head = 0

    def _check_target(self) -> None:
        """A target with a server's name in it counts as its path, if Host says the same (RFC 9112, 3.2.2). Raises Refused."""
        if self.url == b"*":
            return
        scheme, _, rest = self.url.partition(b"://")
        end = next((place for place, byte in enumerate(rest) if byte in b"/?#"), len(rest))
        hosts = [value for name, value in self.headers if name == b"host"]
        if scheme.lower() not in (b"http", b"https") or hosts != [rest[:end]]:
            raise Refused("the request's target must be a path, or an address of the server that Host names")
        self.url = rest[end:] if rest[end : end + 1] == b"/" else b"/" + rest[end:]

    def on_body(self, body: bytes) -> None:
        self.came += len(body)
        cycle = self.cycle
        if cycle.response_complete:
            if self.came > DRAINED:
                self.transport.close()
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        if self.stage == HEAD:  # it offers another protocol
            return
        self.stage, self.since = DONE, self.warden.now
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.more_body = False
            cycle.message_event.set()

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


class _Flow(FlowControl):
    """Reading goes on only where no request waits for the one before it."""

    def __init__(self, transport: Any, connection: Connection) -> None:
        super().__init__(transport)
        self._connection = connection

    def resume_reading(self) -> None:
        if self.read_paused and (self._connection.ending or not (self._connection._held or self._connection.pipeline)):
            super().resume_reading()


def _answer(error: IndelibleError) -> Response:
    answer = problems.response(error)
    answer.raw_headers.extend(HEADERS)
    return answer


def _head_too_large() -> HeadTooLarge:
    return HeadTooLarge(f"the request's line and headers have more than {MOST_HEAD} bytes")
