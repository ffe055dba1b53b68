"""The short way below ASGI and the long one through it: one list of requests, the same answers, and the short way where it is due."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvicorn
from uvicorn.server import ServerState
from whole_service import Web, with_service

from indelible.errors import JournalFailed, JournalFull
from indelible.http.connection.protocol import Connection
from indelible.http.connection.quick import LARGEST, Desk, Quick
from indelible.http.connection.warden import Patience, Warden
from indelible.journal.port import Frame
from indelible.log.together import SMALL

ONE = b'{"id":"%b","type":"t","source":"s"}'
BIG = b'{"id":"%b","type":"t","source":"s","data":"%b"}'


def post(body: bytes, *headers: bytes, target: bytes = b"/v1/events", kind: bytes = b"application/json", version: bytes = b"1.1") -> bytes:
    lines = [b"POST %b HTTP/%b" % (target, version), b"Host: localhost", *headers, b"Content-Length: %d" % len(body)]
    if kind:
        lines.append(b"Content-Type: " + kind)
    return b"\r\n".join([*lines, b"", body])


def lines(*ids: bytes) -> bytes:
    return b"".join(ONE % id + b"\n" for id in ids)


NDJSON = partial(post, kind=b"application/x-ndjson")
LAST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
GET = b"GET /v1/count HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"


class Case(NamedTuple):
    """What a client sends, piece by piece, and how many of its requests are answered the short way. `ends`: the server closes by itself."""

    pieces: list[bytes]
    short: int
    ends: bool = False


CASES = {
    "one event": Case([post(ONE % b"1")], 1),
    "a line": Case([NDJSON(lines(b"2"))], 1),
    "lines": Case([NDJSON(lines(b"3", b"4", b"5"))], 1),
    "an array": Case([post(b"[%b,%b]" % (ONE % b"6", ONE % b"7"))], 1),
    "no id, no time": Case([post(b'{"type":"t","source":"s"}')], 1),
    "named by its log": Case([post(ONE % b"8", target=b"/v1/logs/default/events")], 1),
    "a duplicate": Case([post(ONE % b"1")], 1),
    "a mixed batch": Case([NDJSON(lines(b"1", b"9"))], 1),
    "a conflict": Case([post(ONE % b"1" + b" "), post(b'{"id":"1","type":"other","source":"s"}')], 2),
    "only conflicts": Case([post(b'[{"id":"1","type":"other","source":"s"}]')], 1),
    "in pieces": Case([b"PO", post(ONE % b"10")[2:70], post(ONE % b"10")[70:-5], post(ONE % b"10")[-5:]], 1),
    "two at once": Case([post(ONE % b"11") + post(ONE % b"12")], 2),
    "three at once, one of them a question": Case([post(ONE % b"13") + GET + post(ONE % b"14")], 2),
    "a question first": Case([GET + post(ONE % b"15")], 1),
    "with a close": Case([post(ONE % b"16", b"Connection: close")], 1, True),
    "in HTTP/1.0": Case([post(ONE % b"17", version=b"1.0")], 1, True),
    "no event": Case([post(b'{"type":"t"}')], 0),
    "one bad among good": Case([NDJSON(lines(b"18") + b'{"type":"t"}\n')], 0),
    "no JSON": Case([post(b"{")], 0),
    "an empty body": Case([post(b"")], 0),
    "no length": Case([post(b"").replace(b"Content-Length: 0\r\n", b"")], 0),
    "too many lines": Case([NDJSON(lines(*(b"a%d" % place for place in range(SMALL + 1))))], 0),
    "a large event": Case([post(BIG % (b"19", b"x" * LARGEST))], 0),
    "gzip": Case([post(gzip.compress(ONE % b"20", mtime=0), b"Content-Encoding: gzip")], 0),
    "a key of its own": Case([post(ONE % b"21", b"Idempotency-Key: k")], 0),
    "skip": Case([NDJSON(lines(b"22") + b'{"type":"t"}\n', target=b"/v1/events?on_error=skip")], 0),
    "chunks": Case([CHUNKED + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(ONE % b"23"), ONE % b"23")], 0),
    "asking first": Case([post(ONE % b"24", b"Expect: 100-continue")], 0),
    "curl's default": Case([post(ONE % b"25", kind=b"application/x-www-form-urlencoded")], 0),
    "no type": Case([post(ONE % b"26", kind=b"")], 0),
    "a charset": Case([post(ONE % b"27", kind=b"application/json; charset=utf-8")], 0),
    "another host": Case([post(ONE % b"28").replace(b"localhost", b"example.com")], 0),
    "another site": Case([post(ONE % b"29", b"Origin: http://example.com")], 0),
    "no log of ours": Case([post(ONE % b"30", target=b"/v1/logs/other/events")], 0),
    "two lengths": Case([post(ONE % b"31", b"Content-Length: 3")], 0, True),
    "length and chunks": Case([post(ONE % b"32", b"Transfer-Encoding: chunked")], 0, True),
    "no method of ours": Case([post(ONE % b"33").replace(b"POST", b"PUT")], 0),
    "a body that the next request breaks": Case([post(ONE % b"34")[:-3]], 0),
}


@asynccontextmanager
async def listening(web: Web, quick: bool) -> AsyncIterator[tuple[int, list[bytes]]]:
    """The port, and the body of each request that was answered the short way."""
    desk, state, short = Desk(web.service, web.app), ServerState(), list[bytes]()
    warden = Warden(Patience(), 1 << 20, web.service.metrics)
    config = uvicorn.Config(web.app, ws="none", lifespan="off", log_config=None)
    way = partial(Quick, desk, warden) if quick else partial(Connection, warden)

    class Seen(Quick):
        def answer(self, asked: Any, *given: Any) -> None:
            short.append(bytes(asked.cycle.body))
            super().answer(asked, *given)

    way = partial(Seen, desk, warden) if quick else way
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: way(config=config, server_state=state, app_state={}), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], short
    finally:
        server.close()
        assert web.app.ingest._held == 0


async def talk(port: int, pieces: list[bytes], ends: bool = False) -> bytes:
    """All that is answered until the server closes, which it is asked to do with a last question."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.001)  # apart: not how long, only that others get their turn
    if not ends:
        writer.write(LAST)
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return answer


def plain(answer: bytes) -> list[Any]:
    """The answers without what no two runs share: statuses, headers, bodies."""
    text = re.sub(rb"date: [^\r]*", b"date: -", answer)
    text = re.sub(rb'"(recorded|leaf)":"[^"]*"', rb'"\1":"-"', text)
    text = re.sub(rb'"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}"', b'"-"', text)
    return sorted(re.split(rb"\r\n", text)) if b"\r\n" in text else [text]


def answers(data: Path, quick: bool) -> dict[str, tuple[list[Any], int]]:
    found: dict[str, tuple[list[Any], int]] = {}

    async def work(web: Web) -> None:
        async with listening(web, quick) as (port, short):
            for name, case in CASES.items():
                before = len(short)
                found[name] = plain(await talk(port, case.pieces, case.ends)), len(short) - before

    with_service(data, work)
    return found


def test_both_ways_give_the_same_answers_and_the_short_one_is_taken_where_it_is_due(tmp_path: Path) -> None:
    long, short = answers(tmp_path / "long", False), answers(tmp_path / "short", True)
    assert {name: answer for name, (answer, _) in short.items()} == {name: answer for name, (answer, _) in long.items()}
    assert {name: count for name, (_, count) in short.items()} == {name: case.short for name, case in CASES.items()}


def on_both(data: Path, work: Callable[[Web, int], Awaitable[Any]]) -> list[Any]:
    """What `work` finds with the long way and with the short one."""
    found: list[Any] = []
    for quick in (False, True):

        async def go(web: Web, quick: bool = quick) -> None:
            async with listening(web, quick) as (port, _):
                found.append(await work(web, port))

        with_service(data / str(quick), go)
    return found


@pytest.mark.parametrize("error", [JournalFull("no room"), JournalFailed("EIO")])
def test_a_journal_that_fails_is_answered_alike(tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(web: Web, port: int) -> Any:
        async def fail(frames: list[Frame]) -> Any:
            await asyncio.sleep(0)
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(web.service.journal, "append_all", fail)
            said = await asyncio.gather(*(talk(port, [post(ONE % b"%d" % place)]) for place in range(5)))
            return [(each.partition(b"\r\n")[0], re.findall(rb'"type":"[^"]*"', each)) for each in said]

    long, short = on_both(tmp_path, work)
    assert long == short
    assert short[0][0] in (b"HTTP/1.1 507 Insufficient Storage", b"HTTP/1.1 503 Service Unavailable")


@pytest.mark.parametrize("bodies", ["same", "other"])
def test_one_id_from_sixty_four_clients_at_once_gets_one_index(tmp_path: Path, bodies: str) -> None:
    async def work(web: Web, port: int) -> None:
        sent = [BIG % (b"one", b"%d" % (place if bodies == "other" else 0)) for place in range(64)]
        said = await asyncio.gather(*(talk(port, [post(body)]) for body in sent))
        statuses = [answer[9:12] for answer in said]
        assert statuses.count(b"201") == 1
        assert set(statuses) == {b"201", b"200" if bodies == "same" else b"409"}
        indexes = [json.JSONDecoder().raw_decode(answer.split(b"\r\n\r\n")[1].decode())[0]["index"] for answer in said]
        assert sorted(indexes) == ([0] * 64 if bodies == "same" else list(range(64)))
        assert (await web.get("/v1/count?id=one")).json["count"] == 1

    on_both(tmp_path, work)


def test_a_client_that_goes_before_its_answer_leaves_its_event_and_nothing_else(tmp_path: Path) -> None:
    async def work(web: Web, port: int) -> int:
        for place in range(20):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(post(ONE % b"%d" % place))
            await writer.drain()
            writer.transport.abort()
        await talk(port, [post(ONE % b"last")])
        return int((await web.get("/v1/count?id=last")).json["count"])

    assert on_both(tmp_path, work) == [1, 1]
