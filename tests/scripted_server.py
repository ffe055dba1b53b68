"""A loopback server that answers as it was told, one answer a request, and remembers what was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JSON, PROBLEM = "application/json", "application/problem+json"


@dataclass
class Says:
    """An answer. `cut`: so many bytes of it never come; `closes`: afterwards, without having said so; `unread`: of a body."""

    status: int = 200
    body: bytes = b""
    kind: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    closes: bool = False
    unread: bool = False


LOST = Says(0)  # taken, and then the connection is closed


def says(answer: Any, status: int = 200, **headers: str) -> Says:
    """As JSON; `Retry_After="3"` is a header."""
    return Says(status, json.dumps(answer).encode(), JSON, {name.replace("_", "-"): value for name, value in headers.items()})


def problem(name: str, status: int, detail: str = "so it is", errors: Any = (), **members: Any) -> Says:
    answer = {"type": f"/problems/{name}", "title": "A title", "status": status, "detail": detail, "errors": list(errors), **members}
    return Says(status, json.dumps(answer).encode(), PROBLEM)


def stored(number: int, duplicates: int = 0) -> Says:
    """The answer to a batch."""
    receipts = [receipt(place, "duplicate" if place >= number else "stored") for place in range(number + duplicates)]
    return says(batch(receipts, stored=number, duplicates=duplicates), 201)


def batch(receipts: Any = (), errors: Any = (), **counts: int) -> Any:
    return {"stored": 0, "duplicates": 0, "conflicts": 0, "refused": 0, **counts, "receipts": list(receipts), "errors": list(errors)}


def receipt(index: int, status: str = "stored", **more: Any) -> Any:
    return {"id": f"e{index}", "log": "default", "index": index, "leaf": "", "recorded": "", "status": status, "state": "sequenced", **more}


@dataclass
class Asked:
    method: str
    target: str
    headers: dict[str, str]  # names in lower case
    body: bytes


class Script:
    """`asked` is every request so far; `connections` how often a client connected."""

    def __init__(self, url: str, answers: list[Says]) -> None:
        self.url = url
        self.answers = answers
        self.asked: list[Asked] = []
        self.connections = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: Any

    def setup(self) -> None:
        super().setup()
        self.server.script.connections += 1

    def do_GET(self) -> None:
        script: Script = self.server.script
        answer = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]  # the last one is for ever
        body = b"" if answer.unread else self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        script.asked.append(Asked(self.command, self.path, headers, body))
        self.close_connection = answer is LOST or answer.closes or answer.cut > 0 or answer.unread
        if answer is LOST:
            return
        self.send_response(answer.status)
        for name, value in {"Content-Type": answer.kind, "Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body[: len(answer.body) - answer.cut])
        self.wfile.flush()

    do_POST = do_GET  # noqa: N815 the base class's own

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def scripted(*answers: Says) -> Iterator[Script]:
    """The answers in turn, the last one for ever."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    script = Script(f"http://127.0.0.1:{server.server_address[1]}", list(answers))
    server.script = script  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
