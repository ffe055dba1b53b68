"""One client of the generator: it sends the next request when it has its answer, and no sooner."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from time import perf_counter

from bench.api import Api
from bench.events import SIZE, Sheet, Slip, log_name

BATCHES = (1, 10, 100, 1000, 10_000)
_ROOM = 4096, 1 << 18  # bytes that are read at once: of the answer to one event, and to a batch
_KEPT = 4096  # bytes of an answer that are looked at
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Failed(Exception):
    """The server did not do what it had to: the run counts for nothing."""


class Client:
    """A connection with the request that it sends again and again, for other events each time.

    `blocks` says which: `events.span(batch)` numbers each, of which this client sends those from `lane` on.
    """

    def __init__(self, port: int, api: Api, batch: int, lane: int, blocks: Iterator[int], logs: int = 0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.begun = 0.0
        self._receive, self._send = self.socket.recv, self.socket.send
        self._batch, self._blocks = batch, blocks
        self._room = _ROOM[batch > 1]
        self._page = Sheet(batch, lane, _head(api, batch, logs), logs) if batch > 1 else Slip(lane, _head(api, batch, 0))
        self._status = api.many_status if batch > 1 else api.one_status
        self._words = api.many_words % batch if batch > 1 else api.one_words
        self._lengths: dict[bytes, int] = {}  # by the head that told it: heads seldom change
        self._sent, self._left = 0, -1
        self._answer = b""

    def begin(self) -> bool:
        """Send the next request. False while some of it has no room in the socket: then `go_on`."""
        self._page.turn(next(self._blocks))
        self._left, self._answer = -1, b""
        self.begun = perf_counter()
        try:
            self._sent = self._send(self._page.request)
        except BlockingIOError:
            self._sent = 0
        return self._sent == len(self._page.request) or self.go_on()

    def go_on(self) -> bool:
        """Send what is left of the request. True when all of it is on its way."""
        rest = memoryview(self._page.request)
        try:
            while self._sent < len(rest):
                self._sent += self._send(rest[self._sent :])
        except BlockingIOError:
            return False
        return True

    def receive(self) -> bool:
        """Read what is there. True when the answer is whole and acknowledges every event. Raises Failed."""
        try:
            got = self._receive(self._room)
        except BlockingIOError:
            return False
        if not got:
            raise Failed("the server closed the connection in the middle of a request")
        if self._left < 0:
            self._answer += got
            head, gap, body = self._answer.partition(b"\r\n\r\n")
            if not gap:
                return False
            self._left = (self._lengths.get(head) or self._length(head)) - len(body)
        else:
            self._left -= len(got)
            if len(self._answer) < _KEPT:
                self._answer += got
        if self._left > 0:
            return False
        if self._left or self._words not in self._answer:
            body = self._answer.partition(b"\r\n\r\n")[2][:300].decode("utf-8", "replace")
            again = "; after another run on the same server give --first" if b'"duplicate"' in self._answer else ""
            raise Failed(f"{self._batch} events sent, but not all acknowledged as new: {body}{again}")
        return True

    def _length(self, head: bytes) -> int:
        """Bytes of the body that follows. Raises Failed if the status acknowledges nothing."""
        length = _LENGTH.search(head)
        if head[9:12] != self._status or length is None:
            raise Failed(f"answered {self._shown()}")
        self._lengths[head] = int(length[1])
        return int(length[1])

    def _shown(self) -> str:
        return self._answer[:600].decode("utf-8", "replace")


def _head(api: Api, batch: int, logs: int) -> bytes:
    kind, size = ("application/x-ndjson", batch * (SIZE + 1)) if batch > 1 else ("application/json", SIZE)
    path = api.many if batch > 1 else api.one
    if logs:
        path = path.replace("/v1/", f"/v1/logs/{log_name(0)}/")
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n".encode()
