"""What the HTTP tests talk to: a store over a list, a recorder that only counts, and an ASGI client of thirty lines."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from indelible.errors import IndelibleError
from indelible.http.app import Door
from indelible.http.service import Service
from indelible.journal.port import Usage
from indelible.log.generations import Generation, Trail
from indelible.log.heard import Heard
from indelible.model.query import Query
from indelible.store.port import Page, Row


@dataclass
class FakeRecorder:
    sizes: dict[str, int] = field(default_factory=dict)
    folded: int = 0
    ready: bool = True
    failed: bool = False
    complete: bool = True
    damage: Any = None
    heard: Heard = field(default_factory=Heard)

    def size(self, log: str) -> int:
        return self.sizes[log]

    def generations(self, log: str) -> tuple[Generation, ...]:
        return Trail().generations


@dataclass
class FakeJournal:
    """Only says what room there is."""

    used: Usage | None = field(default_factory=lambda: Usage(1000, 1 << 30, 1 << 20))

    def usage(self) -> Usage:
        if self.used is None:
            raise OSError
        return self.used


class FakePublisher:
    signed, syncs = 7, 2
    halted = trouble = ""

    def sizes(self) -> dict[str, int]:
        return {"default": 3}


class ListStore:
    """Rows in a list. It matches `type` and `source` alone: filters are the store's tests' business."""

    def __init__(self, rows: list[Row], complete: bool = True) -> None:
        self.rows = rows
        self.complete = complete
        self.asked: list[Query] = []
        self.raises: Exception | None = None
        self.trouble = ""
        self.retried = 0

    def retry(self) -> None:
        self.retried += 1

    def _matching(self, query: Query) -> list[Row]:
        self.asked.append(query)
        if self.raises:
            raise self.raises
        wanted = dict(query.filters)
        return [
            row
            for row in reversed(self.rows)
            if row.log == query.log and all(json.loads(row.body).get(name) in wanted[name] for name in wanted if name in ("type", "source"))
        ]

    async def page(self, query: Query, below: int | None, limit: int, size: int) -> Page:
        left = [row for row in self._matching(query) if below is None or row.index < below]
        rows: list[Row] = []
        for row in left[:limit]:
            size -= len(row.body)
            if size < 0 and rows:
                break
            rows.append(row)
        return Page(rows, rows[-1].index if len(rows) < len(left) else None, self.complete)

    async def count(self, query: Query) -> int:
        return len(self._matching(query))

    async def named(self, log: str, id: str) -> list[Row]:
        return [row for row in self.rows if row.log == log and row.id == id]

    async def entry(self, log: str, index: int) -> Row | None:
        return next((row for row in self.rows if row.log == log and row.index == index), None)

    async def close(self) -> None:
        pass


class FakeIngest:
    """Answers 201 with the log that it was called for, or raises what it is told."""

    def __init__(self) -> None:
        self.raises: Exception | None = None
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if self.raises:
            raise self.raises
        await send({"type": "http.response.start", "status": 201, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": json.dumps(scope["path_params"]["log"]).encode()})


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = [value for each, value in self.headers if each == name]
        assert len(values) < 2, f"{name} stands twice"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """A door over fakes, and the client that knocks at it."""

    store: ListStore
    recorder: FakeRecorder
    ingest: FakeIngest
    service: Service
    door: Door

    def ask(self, target: str, method: str = "GET", headers: dict[str, str] | list[tuple[str, str]] | None = None, **more: Any) -> Answer:
        """One request; `target` is the raw path and query string. A Host of 127.0.0.1 is sent unless `headers` is a list."""
        named = headers if isinstance(headers, list) else list({"host": "127.0.0.1:8080", **(headers or {})}.items())
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "method": method,
            "http_version": more.get("version", "1.1"),
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in named],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8080),
        }
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.door(scope, receive, send))
        assert [message["type"] for message in sent[:1]] == ["http.response.start"]
        pairs = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
        return Answer(sent[0]["status"], pairs, b"".join(message.get("body", b"") for message in sent[1:]))


def server(
    rows: list[Row] | None = None,
    key: str | None = None,
    logs: tuple[str, ...] = ("default",),
    complete: bool = True,
    read_only: bool = False,
) -> Server:
    store = ListStore(rows or [], complete)
    recorder = FakeRecorder({log: sum(row.log == log for row in store.rows) for log in logs}, len(store.rows))
    service = Service(FakeJournal(), recorder, store, logs, key=key, read_only=read_only, proofs=None, publisher=FakePublisher())  # type: ignore[arg-type]
    ingest = FakeIngest()
    return Server(store, recorder, ingest, service, Door(service, ingest))


def row(index: int, body: str | bytes | None = None, id: str | None = None, log: str = "default", **more: Any) -> Row:
    text = body if body is not None else f'{{"type":"t{index}","source":"s"}}'
    raw = text.encode() if isinstance(text, str) else text
    micros = 1_700_000_000_000_000 + index
    return Row(log, index, id or f"id-{index}", more.get("time", micros), micros, "-", more.get("assigned", ("id", "time")), raw)


def assert_problem(answer: Answer, error: type[IndelibleError], *words: str) -> Any:
    """The one shape of every error."""
    assert answer.header("content-type") == "application/problem+json"
    made = answer.json
    assert set(made) - {"total", "index"} == {"type", "title", "status", "detail", "errors"}
    assert (made["type"], made["title"]) == (f"/problems/{error.name}", error.title)
    assert made["status"] == answer.status == error.status
    assert all(set(fault) <= {"detail", "index", "pointer", "parameter"} and fault["detail"] for fault in made["errors"])
    for word in words:
        assert word in made["detail"], made["detail"]
    return made
