"""A connection without a network: the real protocol over a transport that only writes down, and an application that a test scripts."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from indelible.http.connection.protocol import Connection
from indelible.http.connection.warden import Haste, Patience, Warden
from indelible.http.metrics import Metrics

HOST = b"Host: 127.0.0.1\r\n"
GET = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
EVENT = b'{"type":"t","source":"s"}'
Application = Callable[[Any, Any, Any], Awaitable[None]]


def post(headers: bytes = b"Content-Length: 25\r\n", body: bytes = EVENT, path: bytes = b"/v1/events") -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + headers + b"\r\n" + body


class Transport:
    """What uvloop gives: it never has an opinion, and what a client does not take it counts."""

    def __init__(self) -> None:
        self.written = b""
        self.untaken = 0
        self.reading = True
        self.ended: str | None = None  # "eof" after the last answer, "closed", "aborted"

    def get_extra_info(self, name: str) -> None:
        return None

    def write(self, data: bytes) -> None:
        assert self.ended is None, "written after the end"
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.untaken

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = "eof"

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"

    def is_closing(self) -> bool:
        return self.ended in ("closed", "aborted")


class Wire:
    """A client's end. Made inside a running loop."""

    def __init__(self, app: Application, patience: Patience | None = None, warden: Warden | None = None) -> None:
        self.warden = warden or Warden(patience or Patience(), 64 << 20, Metrics())
        self.began = self.warden.now = 1000.0
        config = uvicorn.Config(app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False)  # type: ignore[arg-type]
        self.state = ServerState()
        self.connection = Connection(self.warden, config=config, server_state=self.state, app_state={}, _loop=asyncio.get_running_loop())
        self.transport = Transport()
        self.connection.connection_made(self.transport)

    async def send(self, *data: bytes, turns: int = 200) -> None:
        """Each piece as one read of the socket; then so many turns of the event loop, by default all that anything can need."""
        for piece in data:
            self.connection.data_received(piece)
        await settle(turns)

    def pass_time(self, seconds: float, haste: Haste | None = None) -> None:
        """A look of the warden, so many seconds after the connection was made."""
        self.warden.now = self.began + seconds
        self.connection.look(self.warden.now, haste or Haste())

    @property
    def statuses(self) -> list[int]:
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", self.transport.written)]

    @property
    def problem(self) -> Any:
        """The last answer, which must be a problem document and end the connection."""
        last = list(re.finditer(rb"HTTP/1\.1 \d", self.transport.written))[-1].start()
        head, _, body = self.transport.written[last:].partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        assert b"content-type: application/problem+json" in lines and b"connection: close" in lines
        assert b"content-length: %d" % len(body) in lines and b"cache-control: no-store" in lines
        return json.loads(body)


async def settle(turns: int = 200) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


class Echo:
    """Answers 200 with what it read, once `gate` is open; remembers each request."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.requests: list[tuple[str, str, bytes]] = []
        self.scopes: list[Any] = []
        self.gone = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone += 1
                return
            body += message["body"]
            more = message["more_body"]
        self.requests.append((scope["method"], scope["path"], body))
        await self.gate.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})


async def early(scope: Any, receive: Any, send: Any) -> None:
    """Answers 413 without reading the body."""
    await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
