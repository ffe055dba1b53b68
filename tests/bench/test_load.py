"""The load generator tells the truth: what is sent is what it says, and a wrong answer ends the run instead of entering the table."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections import Counter
from itertools import count
from typing import Any

import pytest
from stub_server import Answer, answered, created, stub

from bench import generator
from bench.client import Failed
from bench.events import DIGITS, SIZE, Sheet, Slip, actor_of, event, id_of, type_of
from bench.load import Result, Run, Shape
from indelible.formats import split
from indelible.model import strict
from indelible.model.event import Limits


def run(port: int, batch: int, connections: int, events: int, timeout: float, **more: Any) -> Result:
    return Run(Shape(port, batch, connections, events, timeout=timeout, **more)).drive()


@pytest.mark.parametrize("number", [0, 7, 999, 1000, 123_456_789, 10**DIGITS - 1])
def test_every_event_has_the_size_that_is_told(number: int) -> None:
    assert len(event(number)) == SIZE


def test_an_event_says_its_number_wherever_it_may_be_asked_for() -> None:
    number = 123_456_789
    sent = json.loads(event(number))
    assert (sent["id"], sent["actor"]["id"], sent["type"]) == (id_of(number), actor_of(number), type_of(number))
    assert (sent["time"], sent["targets"][0]["id"]) == ("2026-11-24T10:00:03.456789Z", "123456789")


@pytest.mark.parametrize(("events", "lane"), [(1, 63), (10, 150), (100, 300), (1000, 0), (10_000, 0)])
def test_a_request_turned_into_another_is_the_events_of_its_numbers(events: int, lane: int) -> None:
    sheet = Sheet(events, lane, b"head") if events > 1 else Slip(lane, b"head")
    for block in (9, 12_345):
        sheet.turn(block)
        first = block * max(1000, events) + lane
        end = b"\n" if events > 1 else b""
        assert sheet.request == b"head" + b"".join(event(number) + end for number in range(first, first + events))


def test_what_is_sent_passes_the_strict_door() -> None:
    body = bytes(Sheet(1000, 0, b"").request)
    found = split(body, "application/x-ndjson", Limits())
    assert len({one.id for one in strict.decode(found.text, found.lines, Limits())}) == 1000


@pytest.mark.parametrize(
    ("batch", "connections", "events"), [(1000, 4, 20_000), (100, 4, 5_000), (10, 16, 2_000), (1, 64, 500), (10, 16, 50)]
)
def test_every_event_is_sent_once_and_counted(batch: int, connections: int, events: int) -> None:
    bodies: list[bytes] = []
    with stub(lambda body: bodies.append(body) or created(body)) as port:  # type: ignore[func-returns-value]
        result = run(port, batch, connections, events, timeout=10)
    assert (result.acknowledged, result.requests) == (events, events // batch)
    assert 0 < result.p50 <= result.p99 <= result.worst
    sent = [line for body in bodies for line in body.splitlines()]
    assert len(set(sent)) == len(sent) == events


WRONG = {
    "a status that is not 201": (1000, lambda body: answered(503, b"busy"), "(?s)answered HTTP/1.1 503 Some.*busy"),
    "a 200": (1, lambda body: answered(200, b'{"status":"stored"}'), "answered HTTP/1.1 200"),
    "fewer stored than sent": (1000, lambda body: created(body[SIZE + 1 :]), "1000 events sent, but not all acknowledged"),
    "a duplicate": (1, lambda body: answered(201, b'{"status":"duplicate"}'), "not all acknowledged as new: .*give --first"),
    "an end without an answer": (100, lambda body: b"", "closed the connection"),
    "more than its length": (100, lambda body: created(body) + b"x", "not all acknowledged"),
    "no end": (10, lambda body: created(body)[:-1], "the time is up after 0 of"),
}


@pytest.mark.parametrize(("batch", "answer", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_answer_ends_the_run(batch: int, answer: Answer, words: str) -> None:
    with stub(answer) as port, pytest.raises(Failed, match=words):
        run(port, batch, 4, 10 * batch, timeout=0.3)


def test_one_wrong_answer_among_right_ones_ends_the_run() -> None:
    numbers = count()
    with stub(lambda body: created(body) if next(numbers) != 20 else answered(503, b"")) as port, pytest.raises(Failed, match="503"):
        run(port, 10, 4, 1000, timeout=10)


def test_a_failed_generator_is_a_failed_row() -> None:
    class Gone:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]

    with pytest.raises(Failed, match="refused"):
        generator.send(Gone(), 1000, 4, 1000)  # type: ignore[arg-type]


def test_batches_go_to_every_log_in_turn() -> None:
    paths: list[str] = []
    with stub(created, paths) as port:
        assert run(port, 1000, 4, 60_000, timeout=10, logs=12).acknowledged == 60_000
    assert Counter(paths) == {f"/v1/logs/log-{number:04d}/events": 5 for number in range(12)}


@pytest.mark.parametrize("batch", [1, 10])
def test_generators_that_begin_at_other_numbers_send_other_events(batch: int) -> None:
    bodies: list[bytes] = []
    with stub(lambda body: bodies.append(body) or created(body)) as port:  # type: ignore[func-returns-value]
        for first in (0, 500_000_000):
            run(port, batch, 4, 200, timeout=10, first=first)
    assert len({line for body in bodies for line in body.splitlines()}) == 400


@pytest.mark.parametrize(("batch", "answer"), [(1, answered(201, b"")), (100, answered(200, b'{"accepted":100}'))])
def test_another_service_answers_in_its_own_words(batch: int, answer: bytes) -> None:
    paths: list[str] = []
    with stub(lambda body: answer, paths) as port:
        assert run(port, batch, 2, 1000, timeout=10, api="handmade").acknowledged == 1000
    assert set(paths) == {"/v1/events" if batch == 1 else "/v1/events/batch"}
    with stub(created) as port, pytest.raises(Failed):
        run(port, 100, 2, 1000, timeout=10, api="handmade")


def test_a_generator_that_is_stopped_waits_for_what_is_under_way_and_tells_what_it_reached() -> None:
    bodies: list[bytes] = []
    begun = threading.Event()

    def answer(body: bytes) -> bytes:
        bodies.append(body)
        if len(bodies) == 5:
            begun.set()
        return created(body)

    with stub(answer) as port, generator.Sending(Shape(port, 10, 3, 10**8)) as sending:
        assert begun.wait(60) and sending.going_on
        result = sending.stop()
    assert result.acknowledged == 10 * result.requests == 10 * len(bodies) >= 50


def test_a_generator_is_gone_when_its_block_ends() -> None:
    with stub(created) as port, pytest.raises(KeyboardInterrupt), generator.Sending(Shape(port, 10, 3, 10**8)) as sending:
        process = sending.pid
        raise KeyboardInterrupt
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
