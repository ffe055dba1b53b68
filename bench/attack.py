"""Hostile clients, all at once, in a process of their own that costs little: `python -m bench.attack --port 8080 --seconds 20`.

Prints a line once everybody is there, and ends by itself. What they do, each time with a new connection unless said otherwise:

- 1,000 connections that say nothing, and 100 that begin a request and send a byte of its body ten times a second
- four that ask for pages again and again, a hundred requests at once, and read no answer
- 20 times a second heads of 40 KB; 50 times a second the shapes of request smuggling; 4 times a second each: 16 KiB of gzip that become
  more than the server takes, half a MiB of brackets, and 1,000 events of which each is refused
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import resource
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import cycle

from bench.events import event

IDLE, SLOW, DEAF = 1000, 100, 4
_HEAD = b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\n"
_PAGES = b"GET /v1/events?limit=100 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 100
_SMUGGLED = (
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}\n{}\n",
    b"Transfer-Encoding: xchunked\r\n\r\n5\r\n{}\n{}\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\n",
    b"Content-Length : 2\r\n\r\n{}",
    b"X: a\nContent-Length: 2\r\n\r\n{}",
)


def _posted(body: bytes, more: bytes = b"") -> bytes:
    return b"%b%bContent-Length: %d\r\n\r\n%b" % (_HEAD, more, len(body), body)


_WAVES: tuple[tuple[int, Iterable[bytes]], ...] = (
    (20, (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: %b\r\n\r\n" % (b"x" * 40_000),)),
    (50, [_HEAD + shape for shape in _SMUGGLED]),
    (4, (_posted(gzip.compress(bytes(17 << 20), 9), b"Content-Encoding: gzip\r\n"),)),
    (4, (_posted(b'{"data":' + b"[" * (1 << 19)),)),
    (4, (_posted(b"".join(event(number).replace(b'"type"', b'"kind"') + b"\n" for number in range(1000))),)),
)  # times a second, requests in turn


async def _wave(port: int, rate: int, requests: Iterable[bytes]) -> None:
    for request in cycle(requests):
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1 << 16), 1)
            writer.close()
        await asyncio.sleep(1 / rate)


async def _silent(port: int, said: bytes, then: Callable[[asyncio.StreamWriter], None]) -> None:
    """Connects, says something, and goes on as `then` ten times a second; connects again if it is thrown out."""
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            while not writer.is_closing():
                then(writer)
                await asyncio.sleep(0.1 if said else 1)
        await asyncio.sleep(0.1)


def _more_pages(writer: asyncio.StreamWriter) -> None:
    if writer.transport.get_write_buffer_size() < len(_PAGES):
        writer.write(_PAGES)


async def attack(port: int, seconds: float) -> None:
    """All of them for so many seconds."""
    begun = _HEAD + b"Content-Length: 100000\r\n\r\n"
    clients = [
        *(_silent(port, b"", lambda writer: None) for _ in range(IDLE)),
        *(_silent(port, begun, lambda writer: writer.write(b"{")) for _ in range(SLOW)),
        *(_silent(port, _PAGES, _more_pages) for _ in range(DEAF)),
        *(_wave(port, rate, requests) for rate, requests in _WAVES),
    ]
    tasks = [asyncio.create_task(client) for client in clients]
    await asyncio.sleep(2)
    print("there", flush=True)
    await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.attack", description="Hostile clients against a server on this machine.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(attack(given.port, given.seconds))


if __name__ == "__main__":
    main()
