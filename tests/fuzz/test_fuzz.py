"""The short form of `make fuzz`: some of what comes at random must have been tried before anyone merges."""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path
from random import Random

import pytest
from connection_fakes import Echo, Wire, settle
from fuzz_client import Wrong, answers
from fuzz_parsers import TARGETS, sample
from fuzz_requests import Requests
from fuzz_server import PATIENT, fuzz
from hypothesis import given, settings
from hypothesis import strategies as st
from served import server

from indelible.http.about.openapi import document

SEEDS = st.integers(0, 2**64 - 1)
REQUESTS = Requests(json.loads(json.dumps(document())))


def test_a_thousand_requests_are_answered_as_they_should_and_what_was_taken_is_kept(tmp_path: Path) -> None:
    with server(tmp_path, **PATIENT) as service:
        statuses = fuzz(service, 1000, secrets.randbelow(2**32))
    assert {200, 201, 400, 404, 405, 415, 421, 422} <= set(statuses)


@pytest.mark.parametrize("target", TARGETS)
def test_what_reads_bytes_from_outside_takes_or_refuses_them(target: str) -> None:
    @given(SEEDS)
    @settings(max_examples=150)
    def check(seed: int) -> None:
        TARGETS[target](sample(target, Random(seed)))

    check()


@pytest.mark.parametrize("target", TARGETS)
def test_what_reads_bytes_from_outside_takes_or_refuses_any_bytes(target: str) -> None:
    @given(st.binary(max_size=300))
    @settings(max_examples=100)
    def check(data: bytes) -> None:
        TARGETS[target](data)

    check()


@given(SEEDS, st.lists(st.integers(1, 300), min_size=1, max_size=5))
@settings(max_examples=150)
def test_the_same_requests_are_read_however_the_bytes_are_cut(seed: int, sizes: list[int]) -> None:
    async def check() -> None:
        data = REQUESTS.draw(Random(seed)).data + REQUESTS.draw(Random(seed + 1)).data
        whole = await read(data, [len(data)])
        assert await read(data, sizes) == whole

    asyncio.run(check())


async def read(data: bytes, sizes: list[int]) -> tuple[list[tuple[str, str, bytes]], list[int]]:
    """The requests that the bytes hold and the statuses of their answers, when each read of the socket gives so many of them."""
    echo = Echo()
    wire = Wire(echo)
    at = turn = waits = 0
    while at < len(data) and not wire.transport.is_closing():
        if wire.transport.reading:
            size = max(sizes[turn % len(sizes)], len(data) // 50)
            await wire.send(data[at : at + size], turns=5)
            at, turn, waits = at + size, turn + 1, 0
        else:
            await settle()
            waits += 1
            assert waits < 100, "it reads no more, and waits for nothing"
    await settle(1000)
    return echo.requests, [status for status in wire.statuses if status != 100]


@pytest.mark.parametrize(
    "came",
    [
        b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nno",
        b'HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\ncontent-length: 14\r\n\r\n{"status":400}',
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"garbage",
    ],
)
def test_an_answer_that_must_not_be_is_seen(came: bytes) -> None:
    with pytest.raises(Wrong):
        answers(came)
