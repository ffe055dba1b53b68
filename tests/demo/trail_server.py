"""What the demo's tests talk to: a server over a list that refuses what the real one would, and can be made to fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from indelible.model import strict
from indelible.model.event import Limits
from indelible.model.query import parse


def matches(event: Any, filters: Iterable[tuple[str, tuple[str, ...]]]) -> bool:
    """Whether an event, read by json.loads, answers a question: written a second time, without the service's code."""
    return all(set(values(event, path)) & set(some) for path, some in filters)


def values(event: Any, path: str) -> list[str]:
    if path == "outcome":
        path = "outcome.result"
    found = [event]
    for name in path.split("."):
        inner = [one[name] for one in found if isinstance(one, dict) and name in one]
        found = [item for one in inner for item in (one if isinstance(one, list) else [one])]
    return [one for one in found if isinstance(one, str)]


def asked(events: Iterable[Any], filters: Iterable[tuple[str, str]]) -> list[Any]:
    """The events that answer GET /v1/events with these parameters."""
    question = parse("default", list(filters)).query
    return [event for event in events if matches(event, question.filters)]


class Trail:
    """What the server holds. The next event of each type in `drops` is acknowledged and lost; the next `lose` answers are lost."""

    def __init__(self) -> None:
        self.lines: dict[tuple[str, str], bytes] = {}
        self.drops: set[str] = set()
        self.lose = 0
        self.requests = 0
        self.lock = threading.Lock()

    def take(self, body: bytes) -> dict[str, Any]:
        lines = body.split(b"\n")[:-1]
        events = strict.decode(body, lines, Limits())
        stored = 0
        for event, line in zip(events, lines, strict=True):
            if event.type in self.drops:
                self.drops.discard(event.type)
                continue
            known = self.lines.setdefault((event.source, str(event.id)), line)
            assert known == line, "the same id with other bytes"
            stored += 1
        receipts = [
            {"id": event.id, "log": "default", "index": 0, "leaf": "", "recorded": "", "status": "stored", "state": "durable"}
            for event in events
        ]
        return {"stored": len(lines), "duplicates": 0, "conflicts": 0, "refused": 0, "receipts": receipts, "errors": []}

    def events(self, filters: list[tuple[str, str]]) -> list[Any]:
        return asked(map(json.loads, list(self.lines.values())), filters)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one piece: in two, the second waits for an acknowledgement
    server: Any

    def do_POST(self) -> None:
        trail: Trail = self.server.trail
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with trail.lock:
            trail.requests += 1
            answer = trail.take(body)
            trail.lose -= 1
            lost = trail.lose >= 0
        if lost:
            self.close_connection = True  # stored, and the client never hears of it
            return
        self._answer(201, answer)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        filters = parse_qsl(url.query, keep_blank_values=True)
        with self.server.trail.lock:
            events = self.server.trail.events([pair for pair in filters if pair[0] not in ("limit", "cursor")])
        answers = {
            "/v1/count": {"count": len(events)},
            "/v1/events": {"events": [{"record": {}} | event for event in events], "next": None, "complete": True},
            "/healthz": {"status": "up"},
            "/readyz": {"status": "ready"},
        }
        self._answer(200, answers[url.path])

    def _answer(self, status: int, answer: Any) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def trail_server() -> Iterator[tuple[str, Trail]]:
    """Its address, and what it holds."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.trail = trail = Trail()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", trail
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
