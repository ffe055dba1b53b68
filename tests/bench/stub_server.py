"""A server in this process that answers what a test wants, for the load generator to meet."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Answer = Callable[[bytes], bytes]


def created(body: bytes) -> bytes:
    """What Indelible answers, shortened."""
    if not body.endswith(b"\n"):
        return answered(201, b'{"id":"x","log":"default","index":0,"status":"stored","state":"sequenced"}')
    stored = body.count(b"\n")
    return answered(201, b'{"stored":%d,"duplicates":0,"conflicts":0,"refused":0,"receipts":[%s]}' % (stored, b'{"id":"x"},' * stored))


def answered(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d Some\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


@contextmanager
def stub(answer: Answer, paths: list[str] | None = None) -> Iterator[int]:
    """Its port. Answers come in pieces, as those of a real server may; `paths` gets the path of each request."""

    class Handler(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            while (head := self.rfile.readline()) and head.startswith(b"POST /v1/"):
                if paths is not None:
                    paths.append(head.split()[1].decode())
                while (line := self.rfile.readline()) != b"\r\n":
                    if line.lower().startswith(b"content-length:"):
                        size = int(line.split(b":")[1])
                text = answer(self.rfile.read(size))
                if not text:
                    return
                for at in (slice(0, 25), slice(25, 60), slice(60, None)):
                    self.connection.sendall(text[at])

    class Threads(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            pass  # the generator hangs up in the middle of a wrong answer

    with Threads(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
