"""What one client sends, read one request at a time: uvicorn's protocol, with bounds on what may wait and on how large a head may be.

uvicorn's own knows no bounds: of a head that never ends, of requests that are sent ahead. It leans on uvicorn 0.54 (pinned) by these
names: of HttpToolsProtocol all callbacks of the parser, `cycle` (of the newest request), `pipeline` (newest on the left), `flow`,
`headers` and `url`; of RequestResponseCycle `body`, `more_body`, `message_event` and `response_complete`.
"""

from __future__ import annotations

from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from indelible.errors import Busy, HeadTooLarge, IndelibleError, Refused
from indelible.http.connection.warden import Warden

MOST_HEAD = 32 << 10  # bytes of a request's line and headers together, and of its trailers
MOST_HEADERS = 100
DRAINED = 64 << 20  # bytes of a body that are let go after an early answer, so that the client gets to reading it
PIECE = 4 << 10  # bytes given to the parser at once where requests may follow each other
_TURN = 8  # pieces between two turns of the event loop
_END = b"\r\n\r\n"  # of a head

_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"expect"))

# What of a request is being read. NEW: nothing has come yet. DONE: all of it was.
NEW, HEAD, BODY, DONE = range(4)


class Reading(HttpToolsProtocol):
    """What a client sends ahead waits in bytes, and reading pauses meanwhile. A subclass says how a request is refused."""

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

    def refuse(self, error: IndelibleError) -> None:
        """Answer what is being read with `error`, after what came before it; then the connection ends."""
        raise NotImplementedError

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.flow = _Flow(transport, self)
        self.since = self.warden.now

    def connection_lost(self, exc: Exception | None) -> None:
        self._keep(b"")
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


class _Flow(FlowControl):
    """Reading goes on only where no request waits for the one before it."""

    def __init__(self, transport: Any, connection: Reading) -> None:
        super().__init__(transport)
        self._connection = connection

    def resume_reading(self) -> None:
        if self.read_paused and (self._connection.ending or not (self._connection._held or self._connection.pipeline)):
            super().resume_reading()


def _head_too_large() -> HeadTooLarge:
    return HeadTooLarge(f"the request's line and headers have more than {MOST_HEAD} bytes")
