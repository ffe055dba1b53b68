"""The whole service in this process, over its real journal and store, and an ASGI client that can misbehave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any

from indelible.errors import IndelibleError
from indelible.http.app import build
from indelible.http.service import Service
from indelible.journal.file import open_file_journal
from indelible.journal.files import Files
from indelible.log.proofs import Proofs
from indelible.log.publisher import Publisher
from indelible.log.recorder import Recorder
from indelible.model.event import Limits
from indelible.signing.directory import open_signing
from indelible.store.local.tail import Tail

JSON = {"content-type": "application/json"}
NDJSON = {"content-type": "application/x-ndjson"}
GONE = None  # in place of a chunk: the client hangs up


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Web:
    """Asks the application as uvicorn would."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.app = build(service)

    async def post(self, body: bytes | list[bytes | None], headers: dict[str, str] = JSON, target: str = "/v1/events") -> Answer:
        return await self.ask("POST", target, headers, body)

    async def get(self, target: str) -> Answer:
        return await self.ask("GET", target, {}, b"")

    async def ask(self, method: str, target: str, headers: dict[str, str], body: bytes | list[bytes | None]) -> Answer:
        """`body` in one piece with its length, or chunks; status 0 if no answer came."""
        chunks = [body] if isinstance(body, bytes) else list(body)
        length = {"content-length": str(len(body))} if isinstance(body, bytes) and method == "POST" else {}
        path, _, query = target.partition("?")
        pairs = {"host": "127.0.0.1:8080", **length, **headers}.items()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8080),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
        }
        sent: list[Any] = []

        async def receive() -> Any:
            chunk = chunks.pop(0) if chunks else None
            if chunk is None:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        if not sent:
            return Answer(0, {}, b"")
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        answer = Answer(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))
        assert method == "HEAD" or int(answer.headers.get("content-length", len(answer.body))) == len(answer.body)
        return answer


@asynccontextmanager
async def serving(
    data: Path,
    limits: Limits | None = None,
    in_flight: int = 64 << 20,
    logs: tuple[str, ...] = ("default",),
    ack_timeout: float = 10,
) -> AsyncIterator[Web]:
    """Nothing is signed but by `web.service.publisher.tick()`."""
    journal = open_file_journal(data, file_size=1 << 20)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(journal.close)
        recorder = Recorder(journal)
        signing = open_signing(Files(), data, "trail.example", int(time()), journal.end.position)
        proofs = Proofs(recorder, journal.reader())
        publisher = Publisher(proofs, signing.ledger, signing.identity, logs, time, halted=signing.halted, dropped=journal.dropped)
        stack.callback(publisher.close)
        store = Tail(data / "tail", journal.reader(), journal.first, recorder)
        stack.push_async_callback(store.close)
        recorder.replay(then=publisher.start)
        shared: dict[str, Any] = {"proofs": proofs, "publisher": publisher, "in_flight": in_flight, "ack_timeout": ack_timeout}
        yield Web(Service(journal, recorder, store, logs, limits or Limits(), **shared))


def with_service(data: Path, work: Callable[[Web], Awaitable[None]], **settings: Any) -> None:
    """Run `work` against a service on `data`, from its start to its end."""

    async def main() -> None:
        async with serving(data, **settings) as web:
            await work(web)

    asyncio.run(main())


def assert_problem(answer: Answer, error: type[IndelibleError], *words: str) -> Any:
    """The one shape of every error."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["type"] == f"/problems/{error.name}"
    assert answer.json["status"] == answer.status == error.status
    for word in words:
        assert word in answer.json["detail"], answer.json["detail"]
    return answer.json
