"""POST /v1/events through the whole service: three shapes, gzip, what is refused and when, and receipts that hold."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from base64 import b64decode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.json import encode
from whole_service import GONE, JSON, NDJSON, Web, assert_problem, with_service

from indelible.errors import BadParameter, Busy, Conflict, JournalFailed, JournalFull, NotAnEvent, NotJSON, TooLarge, Unsupported
from indelible.http import receipts
from indelible.journal.port import Frame
from indelible.log.prepare import Prepared
from indelible.log.recorder import Recorded
from indelible.model.event import Limits

ONE = b'{"id":"b-1","type":"customer.billed","source":"billing","data":{"amount":12.50}}'
OTHER = b'{"id":"b-1","type":"customer.billed","source":"billing","data":{"amount":99.99}}'
TWO = b'{"id":"c-1","type":"account.deactivated","source":"accounts"}'
BAD = b'{"type":"customer.billed"}'


def test_one_event_is_answered_by_its_receipt_and_read_back_to_the_byte(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        answer = await web.post(ONE)
        receipt = answer.json
        assert answer.status == 201
        assert list(receipt) == ["id", "log", "index", "leaf", "recorded", "status", "state"]
        assert (receipt["id"], receipt["log"], receipt["index"], receipt["status"], receipt["state"]) == (
            "b-1",
            "default",
            0,
            "stored",
            "sequenced",
        )
        kept = await web.get("/v1/events/b-1")
        assert kept.body.endswith(b"}," + ONE[1:])
        assert kept.json["record"]["recorded"] == receipt["recorded"]

    with_service(tmp_path, work)


def test_an_array_and_lines_even_of_one_are_answered_by_counts_first(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        for body, headers in (
            (b"[%b]" % ONE, JSON),
            (TWO, NDJSON),
            (b'\n{"type":"a","source":"s"}\r\n \n{"type":"b","source":"s"}\n', NDJSON),
        ):
            answer = await web.post(body, headers)
            assert answer.status == 201
            assert list(answer.json) == ["stored", "duplicates", "conflicts", "refused", "receipts", "errors"]
            assert answer.json["stored"] == len(answer.json["receipts"])
        assert (await web.get("/v1/logs")).json == {"logs": [{"name": "default", "size": 4}], "complete": True}

    with_service(tmp_path, work)


def test_the_same_bytes_get_the_first_receipt_again_and_other_bytes_a_conflict(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        first = (await web.post(ONE)).json
        again = await web.post(ONE)
        assert again.status == 200
        assert again.json == first | {"status": "duplicate"}
        problem = assert_problem(await web.post(OTHER), Conflict, "b-1", "billing")
        assert problem["index"] == 1
        assert assert_problem(await web.post(OTHER), Conflict)["index"] == 1  # the attempt is kept once
        kept = (await web.get("/v1/logs/default/entries/1")).json
        assert kept["type"] == "indelible.conflict"
        assert kept["data"] == {"source": "billing", "id": "b-1", "index": 0, "refused": json.loads(OTHER)}
        assert (await web.get("/v1/events/b-1")).json["data"] == {"amount": 12.5}

    with_service(tmp_path, work)


def test_a_batch_is_201_if_all_is_new_409_if_all_conflicts_and_else_200(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        await web.post(ONE)
        mixed = await web.post(b"[%b,%b,%b]" % (ONE, TWO, OTHER))
        counts = {name: mixed.json[name] for name in ("stored", "duplicates", "conflicts", "refused")}
        assert (mixed.status, counts) == (200, {"stored": 1, "duplicates": 1, "conflicts": 1, "refused": 0})
        assert [receipt["index"] for receipt in mixed.json["receipts"]] == [0, 1, 2]
        assert [receipt["status"] for receipt in mixed.json["receipts"]] == ["duplicate", "stored", "conflict"]
        assert (await web.post(b"[%b,%b]" % (ONE, TWO))).status == 200
        third, fourth = ONE.replace(b"12.50", b"1"), ONE.replace(b"12.50", b"2")
        problem = assert_problem(await web.post(b"[%b,%b]" % (third, fourth)), Conflict)
        assert [fault["index"] for fault in problem["errors"]] == [0, 1]
        assert problem["index"] == 3
        assert (await web.get("/v1/logs")).json["logs"][0]["size"] == 5

    with_service(tmp_path, work)


def test_one_bad_event_refuses_the_request_and_skip_stores_the_others(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        body = b"[%b,%b,%b]" % (ONE, BAD, TWO)
        problem = assert_problem(await web.post(body), NotAnEvent, "1 of 3")
        assert [(fault["index"], fault["pointer"]) for fault in problem["errors"]] == [(1, "#/source")]
        assert (await web.get("/v1/count")).json == {"count": 0, "complete": True}
        skipped = await web.post(body, target="/v1/events?on_error=skip")
        assert skipped.status == 200
        assert (skipped.json["stored"], skipped.json["refused"]) == (2, 1)
        assert [receipt["at"] for receipt in skipped.json["receipts"]] == [0, 2]
        assert skipped.json["errors"][0]["index"] == 1
        assert_problem(await web.post(b"[%b]" % BAD, target="/v1/events?on_error=skip"), NotAnEvent)
        assert_problem(await web.post(b"[]"), NotAnEvent)
        assert_problem(await web.post(b"\n\n", NDJSON), NotAnEvent)
        assert web.service.metrics.events["refused"] == 1 + 1 + 1

    with_service(tmp_path, work)


@pytest.mark.parametrize("query", ["on_error=stop", "on_error=skip&x=1", "skip", "type=a", "on_error=skip&on_error=skip"])
def test_a_parameter_that_means_nothing_here_is_refused(tmp_path: Path, query: str) -> None:
    async def work(web: Web) -> None:
        assert_problem(await web.post(ONE, target=f"/v1/events?{query}"), BadParameter, "on_error=skip")
        assert web.service.recorder.folded == 0

    with_service(tmp_path, work)


def test_gzip_is_inflated_member_by_member_and_the_limit_counts_what_comes_out(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        zipped = {**NDJSON, "content-encoding": "gzip"}
        answer = await web.post(gzip.compress(ONE + b"\n") + gzip.compress(TWO), zipped)
        assert (answer.status, answer.json["stored"]) == (201, 2)
        assert_problem(await web.post(gzip.compress(ONE)[:-5], zipped), NotJSON, "too early")
        assert_problem(await web.post(ONE, zipped), NotJSON, "not gzip")
        assert_problem(await web.post(gzip.compress(b"\n" * 100_001), zipped), TooLarge, "100000")
        assert_problem(await web.post(gzip.compress(b"\n") * 3 + gzip.compress(b"\n" * 100_001), zipped), TooLarge, "100000")
        assert (await web.post(gzip.compress(b" " * (100_000 - len(ONE)) + ONE), zipped)).status == 200
        assert_problem(await web.post(ONE, {**JSON, "content-encoding": "br"}), Unsupported, "br", "gzip")

    with_service(tmp_path, work, limits=Limits(batch_bytes=100_000))


def test_a_gzip_body_of_very_many_members_is_too_large_before_they_are_looked_at(tmp_path: Path) -> None:
    async def check(web: Web) -> None:
        zipped = {**NDJSON, "content-encoding": "gzip"}
        nothing = gzip.compress(b"", mtime=0)
        assert_problem(await web.post(nothing * 800_000, zipped), TooLarge, "10000 members")  # took hours when each cost a copy of the rest
        assert (await web.post(nothing * 9_998 + gzip.compress(ONE + b"\n"), zipped)).status == 201

    with_service(tmp_path, check)


def test_what_is_too_large_is_refused_by_its_length_or_as_soon_as_it_is(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        assert_problem(await web.ask("POST", "/v1/events", {**JSON, "content-length": "1001"}, [GONE]), TooLarge, "1000")
        assert_problem(await web.post([b" " * 400] * 3 + [GONE]), TooLarge, "1000")
        assert (await web.post([b" " * 400, ONE[:20], ONE[20:]])).status == 201
        assert_problem(await web.post(b'{"type":"%b","source":"s"}' % (b"x" * 300)), NotAnEvent, "256")
        assert_problem(await web.post(b'{"type":"x","source":"s","data":"%b"}' % (b"x" * 600)), TooLarge, "500")
        assert_problem(await web.post(b"[%b]" % b",".join([b"{}"] * 11)), TooLarge, "10")

    with_service(tmp_path, work, limits=Limits(event_bytes=500, batch_bytes=1000, batch_events=10))


def test_above_the_bytes_in_flight_the_answer_is_busy_and_every_end_of_a_request_gives_them_back(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        assert_problem(await web.post(b" " * 900 + ONE + b" " * 900), Busy)
        assert_problem(await web.post([b" " * 900, b" " * 900]), Busy)
        assert_problem(await web.post(gzip.compress(b" " * 1_800 + ONE), {**JSON, "content-encoding": "gzip"}), Busy)
        assert (await web.post([b" " * 900, GONE])).status == 0
        assert_problem(await web.post(b" " * 900 + BAD), NotAnEvent)
        both = await asyncio.gather(*(web.post(b" " * 900 + b'{"type":"t%d","source":"s"}' % place) for place in range(2)))
        assert sorted(answer.status for answer in both) == [201, 503]
        busy = next(answer for answer in both if answer.status == 503)
        assert int(busy.headers["retry-after"]) >= 1
        assert (await web.post(b" " * 900 + ONE)).status == 201

    with_service(tmp_path, work, in_flight=1_500)


def test_a_client_that_goes_away_before_its_end_leaves_nothing(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        assert (await web.post([ONE, GONE])).status == 0
        assert (await web.post([GONE])).status == 0
        assert web.service.recorder.folded == 0

    with_service(tmp_path, work)


def test_an_idempotency_key_makes_a_request_without_ids_safe_to_repeat(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        body = b'[{"type":"a","source":"s"},{"type":"a","source":"s"}]'
        first = await web.post(body, {**JSON, "idempotency-key": "k1"})
        again = await web.post(body, {**JSON, "Idempotency-Key": "k1"})
        assert (first.json["stored"], again.json["duplicates"]) == (2, 2)
        assert [receipt["id"] for receipt in first.json["receipts"]] == [receipt["id"] for receipt in again.json["receipts"]]
        assert (await web.post(body, {**JSON, "idempotency-key": "k2"})).json["stored"] == 2
        assert (await web.post(body)).json["stored"] == 2
        assert_problem(await web.post(body, {**JSON, "idempotency-key": "k" * 257}), BadParameter, "256")
        assert_problem(await web.post(body, {**JSON, "idempotency-key": ""}), BadParameter)

    with_service(tmp_path, work)


def test_the_fix_for_curls_usual_content_type_is_in_the_answer(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        assert_problem(await web.post(ONE, {"content-type": "application/x-www-form-urlencoded"}), Unsupported, "--json", "curl -d")
        assert_problem(await web.post(ONE, {}), Unsupported, "Content-Type")

    with_service(tmp_path, work)


def test_before_the_replay_is_through_and_after_a_failed_write_nothing_is_taken(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        web.service.recorder.ready = False
        assert_problem(await web.post(ONE), Busy, "replayed")
        web.service.recorder.ready, web.service.recorder.failed = True, True
        assert_problem(await web.post(ONE), JournalFailed)
        assert web.service.journal.end.position == 0

    with_service(tmp_path, work)


def test_a_full_disk_is_507_and_writing_goes_on_when_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(web: Web) -> None:
        async def full(frames: Sequence[Frame]) -> Any:
            raise JournalFull("no room")

        with monkeypatch.context() as patch:
            patch.setattr(web.service.journal, "append_all", full)
            answer = await web.post(ONE)
            assert_problem(answer, JournalFull)
            assert int(answer.headers["retry-after"]) >= 1
            assert (await web.get("/v1/count")).json == {"count": 0, "complete": True}
        assert (await web.post(ONE)).status == 201

    with_service(tmp_path, work)


def test_a_failed_write_is_answered_503_and_told_to_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(web: Web) -> None:
        told: list[Exception] = []
        web.service.recorder.on_failure = told.append

        async def failing(frames: Sequence[Frame]) -> Any:
            raise JournalFailed("fdatasync: Input/output error")

        monkeypatch.setattr(web.service.journal, "append_all", failing)
        assert_problem(await web.post(ONE), JournalFailed)
        assert len(told) == 1
        assert (await web.get("/readyz")).status == 503
        monkeypatch.undo()

    with_service(tmp_path, work)


def test_each_log_has_its_own_indexes_and_others_do_not_exist(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        for log in ("default", "eu"):
            answer = await web.post(ONE, target=f"/v1/logs/{log}/events")
            assert (answer.status, answer.json["log"], answer.json["index"]) == (201, log, 0)
        assert (await web.post(ONE, target="/v1/logs/us/events")).status == 404
        assert (await web.get("/v1/logs/eu/count")).json == {"count": 1, "complete": True}

    with_service(tmp_path, work, logs=("default", "eu"))


@pytest.mark.parametrize("target", ["/v1/events", "/v1/events?on_error=skip"])
def test_who_sends_what_is_refused_is_counted_whether_others_are_stored_or_not(target: str, tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        body = b'{"type":"t","source":"good"}\n{"type":"","source":"bad"}\n'
        await web.post(body, NDJSON, target)
        assert web.service.refusals.counts == {("not-an-event #/type", "bad"): 1}
        large = body + b'{"type":"t","source":"good","data":"%b"}\n' % (b"x" * (1 << 20)) * 2
        await web.post(large, NDJSON, target)  # to look through it again would cost others their turn
        assert web.service.refusals.counts["not-an-event #/type", "-"] == 1
        assert web.service.refusals.counts.total() >= 2

    with_service(tmp_path, work, limits=Limits(event_bytes=2 << 20))


def test_an_acknowledged_event_is_in_the_very_next_answer(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        async def write(name: int) -> None:
            for place in range(10):
                assert (await web.post(b'{"type":"t","source":"s%d","id":"%d"}' % (name, place))).status == 201
                assert (await web.get(f"/v1/count?source=s{name}")).json == {"count": place + 1, "complete": True}
                assert (await web.get(f"/v1/events?source=s{name}&limit=1")).json["events"][0]["id"] == str(place)

        await asyncio.gather(*map(write, range(5)))

    with_service(tmp_path, work)


def test_the_leaf_on_a_receipt_is_the_hash_of_the_documented_header(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        receipt = (await web.post(ONE)).json
        placed = next(iter(web.service.journal.reader().frames(web.service.journal.first, web.service.journal.end.position)))
        digest = sha256(placed.frame.salts + ONE).hexdigest()
        header = (
            f'{{"v":1,"id":"b-1","type":"customer.billed","source":"billing","recorded":"{receipt["recorded"]}",'
            f'"writer":"-","dialect":"native","body":"{digest}"}}'
        )
        assert b64decode(receipt["leaf"]) == sha256(b"\0" + header.encode()).digest()
        assert web.service.recorder.head("default").root == b64decode(receipt["leaf"])

    with_service(tmp_path, work)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5), st.integers(0, 10**9), st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_the_fast_receipts_are_those_of_the_encoder(ids: list[str], first: int, data: st.DataObject) -> None:
    leaves = [data.draw(st.binary(min_size=32, max_size=32)) for _ in ids]
    frame = Frame("default", len(ids), b"", 1_700_000_000_000_042, "-", "native", b"", b"")
    recorded = Recorded(Prepared(frame, [b""] * len(ids), ["s"] * len(ids), ids, leaves), first, {})
    fast = [encode(receipt) for receipt in receipts._new(recorded)]
    assert fast == [encode(receipt) for receipt in receipts._receipts(recorded)]


def test_questions_that_take_all_threads_keep_no_event_and_no_checkpoint_waiting(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        asked = threading.Event()
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        slow = asyncio.create_task(asyncio.to_thread(asked.wait))
        try:
            body = gzip.compress(b"".join(b'{"type":"t","source":"%064x"}\n' % (at * 3**200) for at in range(100)))
            assert len(body) > 1024
            answer = await asyncio.wait_for(web.post(body, {**NDJSON, "content-encoding": "gzip"}), 20)
            await asyncio.wait_for(web.service.publisher.tick(), 20)
            assert answer.status == 201 and web.service.publisher.sizes() == {"default": 100}
        finally:
            asked.set()
            await slow

    with_service(tmp_path, work)


def test_whoever_waits_for_a_checkpoint_keeps_no_room_from_others(tmp_path: Path) -> None:
    """Nothing is signed here but by `tick`, and nobody witnesses: the first requests wait for all of their time."""
    line = b'{"type":"t","source":"s","data":"%b"}\n' % (b"x" * 200_000)

    async def work(web: Web) -> None:
        waiting = [asyncio.create_task(web.post(line * 5, NDJSON, "/v1/events?ack=witnessed")) for _ in range(2)]
        for _ in range(2000):  # turns, until both are stored and wait
            await asyncio.sleep(0.01 if web.service.recorder.size("default") < 10 else 0)
        assert (await web.post(line * 5, NDJSON)).status == 201
        assert not any(task.done() for task in waiting)
        for task in waiting:
            answer = await task
            assert answer.status == 201 and [each["state"] for each in answer.json["receipts"]] == ["sequenced"] * 5

    with_service(tmp_path, work, limits=Limits(batch_bytes=1 << 20), in_flight=2 << 20, ack_timeout=3)
