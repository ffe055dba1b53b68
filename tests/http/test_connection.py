"""What a connection may hold and how long it may take; what is no request; and that refusals leave in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from connection_fakes import EVENT, GET, HOST, Echo, Wire, early, post, settle

from indelible.http.connection.protocol import LINGER
from indelible.http.connection.reading import DRAINED, MOST_HEAD, MOST_HEADERS, PIECE
from indelible.http.connection.warden import Haste, Patience, Warden
from indelible.http.metrics import Metrics

FEW = 1 << 18  # bytes that one read of a socket gives
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"19\r\n" + EVENT + b"\r\n0\r\n\r\n"


def run(check: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(check())  # type: ignore[arg-type]


def test_requests_that_are_sent_ahead_are_answered_in_order_one_at_a_time() -> None:
    async def check() -> None:
        echo = Echo()
        echo.gate.clear()
        wire = Wire(echo)
        sent = [b'{"n":%d}' % n for n in range(300)]
        await wire.send(b"".join(post(b"Content-Length: %d\r\n" % len(body), body) + GET for body in sent))
        assert len(echo.requests) == 1 and len(wire.connection.pipeline) == 1
        assert not wire.transport.reading
        echo.gate.set()
        for _ in range(20):
            await settle()
        assert [body for method, _, body in echo.requests if method == "POST"] == sent
        assert wire.statuses == [200] * 600
        assert wire.transport.reading and wire.warden.held == 0

    run(check)


def test_who_sends_ahead_and_takes_no_answer_holds_one_read_and_no_more() -> None:
    async def check() -> None:
        echo = Echo()
        wire = Wire(echo)
        wire.connection.pause_writing()  # as the transport does once 64 KiB are not taken
        await wire.send(GET * (FEW // len(GET)))
        for _ in range(50):
            if wire.transport.reading:
                await wire.send(GET * (FEW // len(GET)))
        assert wire.warden.held <= FEW
        assert len(wire.connection.pipeline) <= 1 and len(echo.scopes) <= 2
        assert not wire.transport.reading
        wire.connection.connection_lost(None)
        assert wire.warden.held == 0

    run(check)


def test_together_connections_hold_so_much_and_no_more() -> None:
    async def check() -> None:
        echo = Echo()
        echo.gate.clear()
        warden = Warden(Patience(), 64 << 20, Metrics())
        wires = [Wire(echo, warden=warden) for _ in range(80)]
        for wire in wires:
            await wire.send(GET * (FEW // len(GET)))
        assert warden.held <= 17 << 20
        ending = [wire for wire in wires if wire.connection.ending]
        assert 0 < len(ending) < 40
        echo.gate.set()
        await settle()
        assert ending[0].problem["status"] == 503

    run(check)


@pytest.mark.parametrize("sizes", [(1,), (7,), (PIECE,), (FEW,)])
@pytest.mark.parametrize("framing", [b"Content-Length: %d\r\n", CHUNKED])
def test_a_body_is_what_was_sent_however_it_is_cut(sizes: tuple[int], framing: bytes) -> None:
    async def check() -> None:
        echo = Echo()
        wire = Wire(echo)
        body = (b"x\r\n\r\nGET / HTTP/1.1\r\n\r\n" * 400)[: 3000 if sizes[0] < PIECE else None]
        sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if framing is CHUNKED else body
        data = post(framing if framing is CHUNKED else framing % len(body), sent) + GET
        await wire.send(*(data[at : at + sizes[0]] for at in range(0, len(data), sizes[0])))
        await settle()
        assert echo.requests == [("POST", "/v1/events", body), ("GET", "/healthz", b"")]
        assert wire.statuses == [200, 200]

    run(check)


NO_REQUEST = {
    "length and chunks": post(b"Content-Length: 25\r\n" + CHUNKED, CHUNKS),
    "chunks and length": post(CHUNKED + b"Content-Length: 25\r\n", CHUNKS),
    "two lengths": post(b"Content-Length: 25\r\nContent-Length: 26\r\n"),
    "one length twice": post(b"Content-Length: 25\r\nContent-Length: 25\r\n"),
    "a list of lengths": post(b"Content-Length: 25, 25\r\n"),
    "a length with a sign": post(b"Content-Length: +25\r\n"),
    "a negative length": post(b"Content-Length: -1\r\n"),
    "a length in hex": post(b"Content-Length: 0x19\r\n"),
    "an empty length": post(b"Content-Length: \r\n"),
    "a length beyond all numbers": post(b"Content-Length: 99999999999999999999\r\n"),
    "a space before the colon": post(b"Content-Length : 25\r\n"),
    "an unknown coding": post(b"Transfer-Encoding: xchunked\r\n", CHUNKS),
    "a coding before chunked": post(b"Transfer-Encoding: gzip, chunked\r\n", CHUNKS),
    "a coding after chunked": post(b"Transfer-Encoding: chunked, identity\r\n", CHUNKS),
    "chunked after identity": post(b"Transfer-Encoding: identity\r\n" + CHUNKED, CHUNKS),
    "an empty element before chunked": post(b"Transfer-Encoding: ,chunked\r\n", CHUNKS),
    "chunked twice": post(CHUNKED + CHUNKED, CHUNKS),
    "chunked in quotes": post(b'Transfer-Encoding: "chunked"\r\n', CHUNKS),
    "chunked behind a vertical tab": post(b"Transfer-Encoding: \x0bchunked\r\n", CHUNKS),
    "chunked folded": post(b"Transfer-Encoding:\r\n chunked\r\n", CHUNKS),
    "chunked in HTTP/1.0": post(CHUNKED, CHUNKS).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a chunk size with a sign": post(CHUNKED, b"+19\r\n" + EVENT + b"\r\n0\r\n\r\n"),
    "a chunk size in 0x": post(CHUNKED, b"0x19\r\n" + EVENT + b"\r\n0\r\n\r\n"),
    "a chunk size beyond all numbers": post(CHUNKED, b"10000000000000019\r\n" + EVENT),
    "a chunk longer than it says": post(CHUNKED, b"18\r\n" + EVENT + b"\r\n0\r\n\r\n"),
    "chunks with bare LF": post(CHUNKED, b"19\n" + EVENT + b"\n0\n\n"),
    "LF in a chunk's extension": post(CHUNKED, b"19;a\nb\r\n" + EVENT + b"\r\n0\r\n\r\n"),
    "lines with bare LF": b"GET /healthz HTTP/1.1\nHost: 127.0.0.1\n\n",
    "a header ending in LF": b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\nX: y\r\n\r\n",
    "a bare CR": b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\rX: y\r\n\r\n",
    "a folded line": b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\r\n b\r\n\r\n",
    "NUL in a value": b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\0b\r\n\r\n",
    "NUL in a name": b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX\0: a\r\n\r\n",
    "a space in a name": b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX y: a\r\n\r\n",
    "a line without a colon": b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nXy\r\n\r\n",
    "another server's address": b"GET http://evil/healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    "an address with a user": b"GET http://a@127.0.0.1/healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    "another scheme": b"GET ftp://127.0.0.1/healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    "a host and port alone": b"GET 127.0.0.1:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "CONNECT": b"CONNECT 127.0.0.1:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "HTTP/2 with prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.2": b"GET /healthz HTTP/1.2\r\n" + HOST + b"\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a method that is none": b"get /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path beyond ASCII": "GET /é HTTP/1.1\r\n".encode() + HOST + b"\r\n",
    "space before the method": b" GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
}


@pytest.mark.parametrize("shape", NO_REQUEST.values(), ids=NO_REQUEST.keys())
@pytest.mark.parametrize("ahead", [0, 2], ids=["alone", "behind others"])
def test_what_is_no_request_is_a_problem_after_all_answers_before_it_and_nothing_after_it_is_read(shape: bytes, ahead: int) -> None:
    async def check() -> None:
        echo = Echo()
        echo.gate.clear()
        wire = Wire(echo)
        await wire.send((GET * ahead) + shape + post(path=b"/smuggled"))
        echo.gate.set()
        await settle()
        assert wire.statuses == [200] * ahead + [400]
        assert wire.problem["type"] == "/problems/refused"
        assert wire.transport.ended == "eof"
        assert [path for _, path, _ in echo.requests] == ["/healthz"] * ahead
        await wire.send(post(path=b"/smuggled"))
        assert len(echo.requests) == ahead

    run(check)


def test_a_client_that_asks_first_and_breaks_its_body_is_told_once() -> None:
    async def check() -> None:
        failures: list[BaseException] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            try:
                assert (await receive())["type"] == "http.disconnect"
            except BaseException as error:
                failures.append(error)

        wire = Wire(app)
        await wire.send(post(b"Expect: 100-continue\r\n" + CHUNKED, b"zz\r\n\r\n"))
        assert wire.statuses == [400]
        assert failures == []

    run(check)


def test_a_body_that_breaks_is_never_taken_for_whole() -> None:
    async def check() -> None:
        echo = Echo()
        wire = Wire(echo)
        await wire.send(post(CHUNKED, b"19\r\n" + EVENT + b"\r\n"), b"zz\r\n\r\n")
        assert (echo.requests, echo.gone) == ([], 1)
        assert wire.statuses == [400]

    run(check)


@pytest.mark.parametrize(
    "offer",
    [
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    ],
)
def test_an_offer_of_another_protocol_is_not_taken_and_its_request_is_read_whole(offer: bytes) -> None:
    async def check() -> None:
        for data in (post(offer + b"Content-Length: 25\r\n"), post(offer + CHUNKED, CHUNKS)):
            for pieces in ((data + GET,), tuple((data + GET)[at : at + 9] for at in range(0, len(data + GET), 9))):
                echo = Echo()
                wire = Wire(echo)
                await wire.send(*pieces)
                assert echo.requests == [("POST", "/v1/events", EVENT), ("GET", "/healthz", b"")]
                assert wire.statuses == [200, 200]
        echo = Echo()
        wire = Wire(echo)
        await wire.send(post(offer.replace(b"Connection: ", b"Connection: close, ") + b"Content-Length: 25\r\n"))
        assert wire.transport.ended == "closed" and b"connection: close" in wire.transport.written

    run(check)


@pytest.mark.parametrize("target", [b"http://127.0.0.1/healthz", b"HTTP://127.0.0.1/healthz?a=b"])
def test_the_address_of_this_server_is_a_path(target: bytes) -> None:
    async def check() -> None:
        echo = Echo()
        wire = Wire(echo)
        await wire.send(b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (echo.scopes[0]["path"], echo.scopes[0]["query_string"]) == ("/healthz", target.partition(b"?")[2])

    run(check)


def test_trailers_say_nothing() -> None:
    async def check() -> None:
        echo = Echo()
        wire = Wire(echo)
        await wire.send(post(CHUNKED, CHUNKS[:-2] + b"Authorization: Bearer x\r\nHost: evil\r\nContent-Encoding: gzip\r\n\r\n"))
        assert [name for name, _ in echo.scopes[0]["headers"]] == [b"host", b"transfer-encoding"]
        assert wire.statuses == [200]

    run(check)


HEADS = {
    "a long header": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: " + b"x" * MOST_HEAD + b"\r\n\r\n",
    "a long target": b"GET /" + b"x" * MOST_HEAD + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "many headers": b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * (MOST_HEADERS + 1) + b"\r\n",
    "long trailers": post(CHUNKED, CHUNKS[:-2] + b"X: " + b"x" * MOST_HEAD + b"\r\n\r\n"),
    "an endless header": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: " + b"x" * FEW,
    "an endless target": b"GET /" + b"x" * FEW,
    "an endless name": b"GET /healthz HTTP/1.1\r\n" + b"x" * FEW,
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
@pytest.mark.parametrize("size", [1000, FEW])
def test_a_head_over_the_limit_is_431_however_it_is_cut(head: bytes, size: int) -> None:
    async def check() -> None:
        echo = Echo()
        wire = Wire(echo)
        await wire.send(*(head[at : at + size] for at in range(0, len(head), size)))
        assert wire.statuses == [431]
        assert wire.problem["type"] == "/problems/head-too-large"
        assert echo.requests == []

    run(check)


def test_a_head_just_within_the_limit_is_read_however_it_is_cut() -> None:
    async def check() -> None:
        head = b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: y\r\n" * (MOST_HEADERS - 2) + b"X: " + b"x" * (MOST_HEAD - PIECE) + b"\r\n\r\n"
        for size in (1000, FEW):
            wire = Wire(Echo())
            await wire.send(*(head[at : at + size] for at in range(0, len(head), size)))
            assert wire.statuses == [200]

    run(check)


def test_what_never_comes_is_ended_in_its_time() -> None:
    async def check() -> None:
        patience = Patience(head=10, stall=30, idle=75)
        silent, begun, idle = (Wire(Echo(), patience) for _ in range(3))
        await begun.send(b"GET /healthz HT", b"TP/1.1\r\nX")
        await idle.send(GET)
        for wire in (silent, begun, idle):
            wire.pass_time(9)
            assert wire.transport.ended is None
        await begun.send(b"-A: b\r\n")  # a byte now and then changes nothing
        for wire in (silent, begun, idle):
            wire.pass_time(11)
        assert (silent.transport.ended, silent.statuses) == ("closed", [])
        assert (begun.transport.ended, begun.statuses, begun.problem["type"]) == ("eof", [408], "/problems/too-slow")
        assert idle.transport.ended is None
        idle.pass_time(76)
        assert (idle.transport.ended, idle.statuses) == ("closed", [200])

    run(check)


def test_a_body_must_get_on_and_its_request_is_not_answered_twice() -> None:
    async def check() -> None:
        echo = Echo()
        wire = Wire(echo, Patience(stall=30))
        await wire.send(post(b"Content-Length: 1000000\r\n", b"x" * 100))
        for second in range(1, 30):
            await wire.send(b"x" * 2000)
            wire.pass_time(second)
        wire.pass_time(31)
        assert wire.transport.ended is None
        for second in range(32, 62):
            await wire.send(b"x" * 100)
            wire.pass_time(second)
        await settle()
        assert (wire.statuses, wire.problem["type"], wire.transport.ended) == ([408], "/problems/too-slow", "eof")
        assert (echo.requests, echo.gone) == ([], 1)

    run(check)


def test_nobody_is_ended_for_what_the_server_takes_long_for() -> None:
    async def check() -> None:
        echo = Echo()
        echo.gate.clear()
        wire = Wire(echo)
        await wire.send(GET + post(b"Content-Length: 25\r\n", b"x"))
        wire.pass_time(10_000, Haste(connections=True, bytes=True))
        assert wire.transport.ended is None
        echo.gate.set()
        await settle()
        assert wire.statuses == [200]
        await wire.send(b"x" * 24)
        assert wire.statuses == [200, 200]

    run(check)


def test_an_answer_that_nobody_takes_is_cut_off() -> None:
    async def check() -> None:
        wire = Wire(Echo(), Patience(stall=30))
        await wire.send(GET)
        wire.transport.untaken = 9_000_000
        wire.connection.pause_writing()
        assert wire.warden.unsent == 9_000_000
        for second in range(1, 100):
            wire.transport.untaken -= 2000  # slowly, but it is read
            wire.pass_time(second)
        assert wire.transport.ended is None
        for second in range(100, 161):
            wire.pass_time(second)
        assert wire.transport.ended == "aborted"
        wire.connection.connection_lost(None)
        assert wire.warden.unsent == 0

    run(check)


def test_without_room_those_who_take_long_give_way() -> None:
    async def check() -> None:
        idle, begun, body, unread = (Wire(Echo()) for _ in range(4))
        await idle.send(GET)
        await begun.send(b"GET ")
        await body.send(post(b"Content-Length: 1000000\r\n", b"x"))
        await unread.send(GET)
        unread.transport.untaken = 9_000_000
        for wire in (idle, begun, body, unread):
            wire.pass_time(1, Haste(connections=True, bytes=True))
            assert wire.transport.ended is None
            wire.pass_time(3.5, Haste(connections=True, bytes=True))
        ends = [wire.transport.ended for wire in (idle, begun, body, unread)]
        assert ends == ["closed", "eof", "eof", "aborted"]

    run(check)


def test_the_warden_hurries_once_someone_found_no_room() -> None:
    async def check() -> None:
        metrics = Metrics()
        warden = Warden(Patience(connections=1), 1000, metrics)
        seen: list[Haste] = []

        class Watched:
            def look(self, now: float, haste: Haste) -> None:
                seen.append(haste)

        def look() -> None:
            warden.look([Watched()], 0)

        look()
        metrics.no_room()
        look()
        look()
        warden.unsent = 501
        look()
        warden.unsent, warden.crowded = 0, True
        look()
        look()
        assert seen == [Haste(), Haste(bytes=True), Haste(), Haste(bytes=True), Haste(connections=True), Haste()]

    run(check)


def test_no_time_out_comes_before_its_time_though_the_clock_is_coarse() -> None:
    async def check() -> None:
        warden = Warden(Patience(head=1), 1000, Metrics())
        warden.look([], 5000.0)
        wire = Wire(Echo(), warden=warden)
        warden.look([], 5000.0)
        await wire.send(b"GET ")  # just before the next round
        for now, ended in ((5001.0, None), (5002.0, None), (5002.1, "eof")):
            wire.connection.look(now, Haste())
            assert wire.transport.ended == ended

    run(check)


def test_beyond_the_limit_a_connection_is_answered_and_closed() -> None:
    async def check() -> None:
        first = Wire(Echo(), Patience(connections=1))
        second = Wire.__new__(Wire)
        second.__dict__.update(first.__dict__)
        second.connection = type(first.connection)(
            first.warden, config=first.connection.config, server_state=first.state, app_state={}, _loop=asyncio.get_running_loop()
        )
        second.transport = type(first.transport)()
        second.connection.connection_made(second.transport)
        assert (second.statuses, second.problem["type"]) == ([503], "/problems/busy")
        assert second.transport.ended == "closed" and first.warden.crowded
        second.connection.connection_lost(None)
        await first.send(GET)
        assert first.statuses == [200]

    run(check)


def test_no_answer_is_begun_while_too_many_are_not_taken_and_events_have_twice_the_room() -> None:
    async def check() -> None:
        warden = Warden(Patience(), 1000, Metrics())
        for unsent, asked, acknowledged in ((1000, 200, 200), (1001, 503, 200), (2001, 503, 503)):
            wire = Wire(Echo(), warden=warden)
            warden.unsent = unsent
            await wire.send(GET + post())
            assert wire.statuses == [asked, acknowledged]

    run(check)


def test_after_an_early_answer_the_rest_of_the_body_is_let_go_and_the_next_request_read() -> None:
    async def check() -> None:
        wire = Wire(early)
        await wire.send(post(b"Content-Length: 1000000\r\n", b"x" * 1000))
        assert wire.statuses == [413]
        await wire.send(b"x" * 999_000 + post())
        assert wire.statuses == [413, 413]
        await wire.send(post(b"Content-Length: 1000000\r\n", b"x" * 1000))
        wire.pass_time(LINGER + 1)
        assert wire.transport.ended == "closed"

    run(check)


def test_after_an_early_answer_no_body_goes_on_for_ever() -> None:
    async def check() -> None:
        wire = Wire(early)
        await wire.send(post(b"Content-Length: %d\r\n" % (1 << 40), b"x" * 1000))
        piece, sent = b"x" * FEW, 0
        while wire.transport.ended is None:
            wire.connection.data_received(piece)
            sent += FEW
        assert sent <= DRAINED + FEW

    run(check)


def test_a_client_that_waits_to_be_told_to_go_on_and_is_not_sends_its_next_request_elsewhere() -> None:
    async def check() -> None:
        wire = Wire(early)
        await wire.send(post(b"Content-Length: 1000000\r\nExpect: 100-continue\r\n", b""))
        assert (wire.statuses, wire.transport.ended) == ([413], "eof")
        echo = Echo()
        wire = Wire(echo)
        await wire.send(post(b"Content-Length: 25\r\nExpect: 100-continue\r\n", b""))
        assert wire.statuses == [100]
        await wire.send(EVENT)
        assert wire.statuses == [100, 200]

    run(check)


def test_after_the_last_answer_the_client_has_a_moment_to_close() -> None:
    async def check() -> None:
        wire = Wire(Echo())
        await wire.send(b"\0")
        await wire.send(b"more")
        wire.pass_time(LINGER - 1)
        assert wire.transport.ended == "eof"
        wire.pass_time(LINGER + 1)
        assert wire.transport.ended == "aborted"
        wire = Wire(Echo())
        await wire.send(b"\0")
        for _ in range(DRAINED // FEW + 1):
            wire.connection.data_received(b"x" * FEW)
        assert wire.transport.ended == "aborted"

    run(check)
