"""The connection to a witness: what it sends, what it takes for an answer, and that nothing that answers can hold it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from witness_fakes import http, serving

from indelible.errors import Misconfigured
from indelible.http.posting import Poster
from indelible.log.witnessing.asking import Answer, Unanswered

OK = http(200, b"yes\n")


def talk(answers: list[bytes | None], play: Callable[[Poster, list[bytes]], Awaitable[None]], seconds: float = 60) -> None:
    """A server that gives these answers, the last one for ever; `play` gets what was asked too."""
    asked: list[bytes] = []

    async def answer(body: bytes) -> bytes | None:
        asked.append(body)
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def run() -> None:
        async with serving(answer) as url:
            poster = Poster(url, seconds)
            try:
                await play(poster, asked)
            finally:
                poster.close()

    asyncio.run(run())


def test_answers_come_back_whole_over_one_connection() -> None:
    async def play(poster: Poster, asked: list[bytes]) -> None:
        assert await poster(b"one") == Answer(200, "", b"yes\n")
        kept = poster._streams
        assert await poster(b"two") == Answer(429, "9", b"")
        assert await poster(b"three") == Answer(200, "", b"chunked")
        assert kept is not None and poster._streams is kept
        assert asked == [b"one", b"two", b"three"]

    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nchu\r\n4\r\nnked\r\n0\r\n\r\n"
    talk([OK, http(429, Retry_After="9"), chunked], play)


GOOD = {
    "ended by the connection": (b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nyes\n", Answer(200, "", b"yes\n")),
    "after an interim answer": (b"HTTP/1.1 103 Early Hints\r\nRetry-After: 5\r\n\r\n" + OK, Answer(200, "", b"yes\n")),
    "with more behind it": (OK + http(500, b"no\n", Retry_After="7"), Answer(200, "", b"yes\n")),
    "with garbage behind it": (OK + b"garbage" * 9, Answer(200, "", b"yes\n")),
    "without a body": (b"HTTP/1.1 204 No Content\r\n\r\n", Answer(204, "", b"")),
    "that points elsewhere": (http(307, Location="http://127.0.0.1:1/"), Answer(307, "", b"")),
}


@pytest.mark.parametrize("why", GOOD)
def test_an_answer_is_taken_as_it_stands_and_the_next_question_gets_its_own(why: str) -> None:
    data, expected = GOOD[why]

    async def play(poster: Poster, asked: list[bytes]) -> None:
        try:
            assert await poster(b"x") == expected
            assert poster._streams is None or not why.startswith("with more")
        except Unanswered:
            assert why == "with garbage behind it"  # as far as it came together with the answer
        assert await poster(b"y") == Answer(200, "", b"yes\n")

    talk([data, OK], play)


BAD = {
    "broken off": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nyes\n",
    "broken off between chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nchu\r\n",
    "broken off in its head": b"HTTP/1.1 200 OK\r\nConnection: close\r\nX",
    "no HTTP": b"SSH-2.0-OpenSSH_9.9\r\nConnection: close\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade, close\r\n\r\n",
    "too long": http(200, b"x" * (81 << 10)),
    "a head without end": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000,
    "nothing but interim answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000,
}


@pytest.mark.parametrize("why", BAD)
def test_what_is_no_whole_short_answer_is_none_and_leaves_nothing_behind(why: str) -> None:
    async def play(poster: Poster, asked: list[bytes]) -> None:
        with pytest.raises(Unanswered):
            await poster(b"x")
        assert await poster(b"y") == Answer(200, "", b"yes\n")

    talk([BAD[why], OK], play)


def test_a_kept_connection_that_the_witness_has_closed_is_opened_again_and_a_new_one_is_not() -> None:
    async def run() -> None:
        connections = 0

        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            await reader.readuntil(b"\r\n\r\nx")
            if connections < 3:
                writer.write(OK)
                await writer.drain()
            writer.close()

        async with await asyncio.start_server(once, "127.0.0.1", 0) as server:
            poster = Poster(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", 60)
            for _ in range(2):
                assert (await poster(b"x")).status == 200
            with pytest.raises(Unanswered, match="closed"):
                await poster(b"x")
            assert connections <= 4  # the last question went out once on what was kept, and once anew
            poster.close()

    asyncio.run(run())


def test_what_hangs_is_given_up_when_its_time_is_over() -> None:
    async def play(poster: Poster, asked: list[bytes]) -> None:
        with pytest.raises(Unanswered, match=r"no whole answer within 0\.1 s"):
            await poster(b"x")
        assert poster._streams is None

    talk([None], play, seconds=0.1)


def test_where_nobody_listens_there_is_no_answer() -> None:
    async def run() -> None:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        with pytest.raises(Unanswered):
            await Poster(f"http://127.0.0.1:{port}", 60)(b"x")

    asyncio.run(run())


@settings(max_examples=60)
@given(st.binary(max_size=300), st.integers(0, 200))
def test_any_bytes_are_an_answer_or_none(noise: bytes, cut: int) -> None:
    async def play(poster: Poster, asked: list[bytes]) -> None:
        for _ in range(2):
            try:
                answer = await poster(b"x")
            except Unanswered:
                continue
            assert len(answer.body) <= 1000

    start = http(200, b"x" * 100, Connection="close")
    talk([start[:cut] + noise + b"\r\nConnection: close\r\n\r\n", noise + b"connection: close"], play, seconds=0.05)


@pytest.mark.parametrize(
    "url",
    [
        *("", "w.example", "ftp://w.example", "https://", "https://u:p@w.example", "https://w.example/?a", "https://w.example/#a"),
        *("https://w.example:99999", "https://[::1", "https://w.example/a\nb", f"https://{'x' * 70}.example"),
    ],
)
def test_a_url_that_is_none_is_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        Poster(url, 1)
    assert "u:p" not in caught.value.detail and "\n" not in caught.value.detail


def certificate(folder: Path) -> ssl.SSLContext:
    """A server's context with a certificate for 127.0.0.1 that nobody signed; it lies in `folder` too."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "witness")])
    begins = datetime(2020, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, begins, begins + timedelta(days=365_00))
    alone = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = made.add_extension(alone, False).add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "both.pem").write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context


def test_over_tls_a_certificate_that_is_trusted_is_needed(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\nx")
        writer.write(OK)
        await writer.drain()
        writer.close()

    async def run() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=certificate(tmp_path)) as server:
            url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(Unanswered, match="its certificate cannot be trusted"):
                await Poster(url, 60)(b"x")
            poster = Poster(url, 60, ssl.create_default_context(cafile=str(tmp_path / "both.pem")))
            assert (await poster(b"x")).body == b"yes\n"
            poster.close()

    asyncio.run(run())
