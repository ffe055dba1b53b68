"""The load generator: a process of its own that costs little, for it shares the machine with what it measures.

    python -m bench.load --port 8080 --batch 1000 --connections 4 --events 1000000

Requests are written before the clock starts and changed in place, sockets do not block, and of an answer only the status, the
length and the first receipts are read. Prints one line of JSON (Result). Ends with 1, and says why on stderr, as soon as an
answer is not 201, does not acknowledge every event of its request, or does not come.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import resource
import selectors
import socket
import sys
from array import array
from collections.abc import Iterator
from itertools import count
from time import perf_counter
from typing import NamedTuple

from bench.events import SIZE, Sheet, span

_BUFFER = memoryview(bytearray(1 << 20))
_KEPT = 4096  # bytes of an answer that are looked at
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Failed(Exception):
    """The server did not do what it had to: the run counts for nothing."""


class Result(NamedTuple):
    """What became of a run. Latencies in milliseconds, from a request's first byte to its answer's last; `cpu` in seconds."""

    acknowledged: int
    requests: int
    seconds: float
    rate: float  # events a second
    p50: float
    p99: float
    worst: float
    cpu: float  # of the generator itself


class Connection:
    """One client that sends the next request when it has its answer, and no sooner."""

    def __init__(self, port: int, batch: int, lane: int, blocks: Iterator[int]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self._batch, self._blocks = batch, blocks
        self._sheet = Sheet(batch, lane, _head(batch))
        self._request = memoryview(self._sheet.request)
        self._stored = b'"stored":%d,"duplicates":0,' % batch if batch > 1 else b'"status":"stored"'
        self._sent = self._left = 0
        self._answer = b""
        self.begun = 0.0

    def begin(self) -> bool:
        """Send the next request. False while some of it has no room in the socket: then `go_on`."""
        self._sheet.turn(next(self._blocks))
        self._sent, self._left, self._answer = 0, -1, b""
        self.begun = perf_counter()
        return self.go_on()

    def go_on(self) -> bool:
        """Send what is left of the request. True when all of it is on its way."""
        try:
            while self._sent < len(self._request):
                self._sent += self.socket.send(self._request[self._sent :])
        except BlockingIOError:
            return False
        return True

    def receive(self) -> bool:
        """Read what is there. True when the answer is whole and acknowledges every event. Raises Failed."""
        try:
            size = self.socket.recv_into(_BUFFER)
        except BlockingIOError:
            return False
        if not size:
            raise Failed("the server closed the connection in the middle of a request")
        if self._left < 0 or len(self._answer) < _KEPT:
            self._answer += _BUFFER[:size]
        if self._left < 0:
            end = self._answer.find(b"\r\n\r\n")
            if end < 0:
                return False
            length = _LENGTH.search(self._answer, 0, end)
            if self._answer[9:12] != b"201" or length is None:
                raise Failed(f"answered {self._shown()}")
            self._left = int(length[1]) - (len(self._answer) - end - 4)
        else:
            self._left -= size
        if self._left > 0:
            return False
        if self._left or self._stored not in self._answer:
            raise Failed(f"{self._batch} events sent, but not all acknowledged: {self._shown()}")
        return True

    def _shown(self) -> str:
        return self._answer[:600].decode("utf-8", "replace")


def run(port: int, batch: int, connections: int, events: int, timeout: float = 300.0) -> Result:
    """Send `events` events (a multiple of `batch`) and wait for every receipt. Raises Failed, also after `timeout` seconds."""
    blocks: dict[int, Iterator[int]] = {}
    clients = []
    for place in range(connections):
        lane = place * batch % span(batch)
        clients.append(Connection(port, batch, lane, blocks.setdefault(lane, count())))
    gc.collect()
    gc.disable()
    before, start = _cpu(), perf_counter()
    try:
        latencies = _drive(clients, events // batch, start + timeout)
    finally:
        for client in clients:
            client.socket.close()
        gc.enable()
    seconds, cpu = perf_counter() - start, _cpu() - before
    return _result(latencies, batch, seconds, cpu)


def _drive(clients: list[Connection], requests: int, deadline: float) -> array[float]:
    """Every request's latency in seconds."""
    latencies = array("d")
    begun = 0
    with selectors.DefaultSelector() as selector:
        for client in clients[:requests]:
            selector.register(client.socket, _READ if client.begin() else _WRITE, client)
            begun += 1
        while len(latencies) < requests:
            ready = selector.select(deadline - perf_counter())
            if not ready or perf_counter() > deadline:
                raise Failed(f"the time is up after {len(latencies)} of {requests} answers")
            for key, event in ready:
                client = key.data
                if event == _WRITE:
                    if client.go_on():
                        selector.modify(client.socket, _READ, client)
                elif client.receive():
                    latencies.append(perf_counter() - client.begun)
                    if begun < requests:
                        begun += 1
                        if not client.begin():
                            selector.modify(client.socket, _WRITE, client)
    return latencies


def _result(latencies: array[float], batch: int, seconds: float, cpu: float) -> Result:
    ordered = sorted(latencies)
    events = len(ordered) * batch

    def at(share: float) -> float:
        return round(1000 * ordered[int(share * (len(ordered) - 1))], 3)

    return Result(events, len(ordered), round(seconds, 3), round(events / seconds, 1), at(0.5), at(0.99), at(1), round(cpu, 3))


def _head(batch: int) -> bytes:
    kind, size = ("application/x-ndjson", batch * (SIZE + 1)) if batch > 1 else ("application/json", SIZE)
    return f"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n".encode()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description="Send events and measure how fast they are acknowledged.")
    for name, default in (("port", 8080), ("batch", 1000), ("connections", 4), ("events", 1_000_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--timeout", type=float, default=300.0)
    given = parser.parse_args()
    if given.batch not in (1, 10, 100, 1000, 10_000):
        parser.error("--batch must be 1, 10, 100, 1000 or 10000")
    try:
        result = run(given.port, given.batch, given.connections, given.events, given.timeout)
    except (Failed, OSError) as error:
        sys.exit(f"bench.load: {error}")
    print(json.dumps(result._asdict()))


if __name__ == "__main__":
    main()
