"""Proofs over HTTP: each one is checked with the definitions alone, and nothing is proven that is not published."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from test_tiles_served import LOG, grow
from whole_service import JSON, Web, assert_problem, with_service

from indelible.errors import Ambiguous, BadParameter, NotFound, NotYet
from indelible.model.receipt import State
from indelible.tree.checkpoint import Checkpoint, parse_checkpoint
from indelible.tree.note import parse_note
from indelible.tree.policy import Policy, parse_policy
from indelible.tree.proofs import verify_consistency, verify_inclusion
from indelible.tree.tlogproof import parse_proof, verify_proof

SIZES = (1, 255, 256, 257, 520)


async def policy_of(web: Web) -> Policy:
    """Whose signature is enough: the log's own."""
    return parse_policy(b"log " + (await web.get(f"{LOG}/vkey")).body + b"quorum none\n")


def said(note: str) -> Checkpoint:
    return parse_checkpoint(parse_note(note.encode()).text)


def hashes_of(proof: Any) -> list[bytes]:
    return [b64decode(hash) for hash in proof["hashes"]]


def check(proof: Any) -> None:
    """That what `header` hashes to is under the root of the checkpoint that came with it."""
    leaf = sha256(b"\0" + proof["header"].encode()).digest()
    assert b64decode(proof["leaf"]) == leaf
    checkpoint = said(proof["checkpoint"])
    assert (checkpoint.origin, checkpoint.size) == (proof["origin"], proof["size"])
    verify_inclusion(leaf, proof["index"] - proof["start"], proof["size"], hashes_of(proof), checkpoint.root)


async def published(web: Web) -> dict[int, Checkpoint]:
    """Grow through SIZES, with a checkpoint at each."""
    found: dict[int, Checkpoint] = {0: Checkpoint("", 0, sha256(b"").digest())}  # type: ignore[arg-type]
    for size in SIZES:
        await grow(web, max(found), size - max(found))
        await web.service.publisher.tick()
        found[size] = said((await web.get(f"{LOG}/checkpoint")).body.decode())
    return found


def test_every_entry_is_proven_to_every_published_size(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        roots = await published(web)
        policy = await policy_of(web)
        for size in SIZES:
            for index in sorted({0, 1, 127, 254, 255, 256, 511, 519, size - 1}):
                target = f"/v1/proof/inclusion?index={index}&size={size}"
                if index >= size:
                    assert_problem(await web.get(target), NotFound, f"not among the first {size}")
                    continue
                proof = (await web.get(target)).json
                assert (proof["log"], proof["index"], proof["start"], proof["size"]) == ("default", index, 0, size)
                assert said(proof["checkpoint"]) == roots[size]
                check(proof)
                file = (await web.get(f"{target}&format=tlog-proof")).body
                leaf = b64decode(proof["leaf"])
                assert verify_proof(parse_proof(file), leaf, policy).checkpoint == roots[size]

    with_service(tmp_path, work)


def test_the_log_is_proven_to_have_only_grown_between_any_two_published_sizes(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        roots = await published(web)
        for new in SIZES:
            for old in [0, *(size for size in SIZES if size <= new)]:
                answer = (await web.get(f"/v1/proof/consistency?from={old}&to={new}")).json
                assert (answer["from"], answer["to"]) == (old, new)
                verify_consistency(old, roots[old].root, new, roots[new].root, hashes_of(answer))
        last = (await web.get(f"{LOG}/proof/consistency?from=255")).json
        assert last["to"] == 520 and said(last["checkpoint"]) == roots[520]

    with_service(tmp_path, work)


def test_an_event_comes_with_its_proof_and_the_salt_ties_its_bytes_to_it(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        body = b'{"id":"a/1","type":"t","source":"s",  "data":1.50}'
        await web.post(body)
        await web.post(b'{"id":"a/1","type":"t","source":"s","data":2}', target="/v1/events")  # a conflict
        await grow(web, 0, 300)
        assert_problem(await web.get("/v1/events/a%2F1?proof=1"), NotYet, "a new one is proven about a second later")
        await web.service.publisher.tick()
        answer = await web.get("/v1/events/a%2F1?proof=1")
        plain = (await web.get("/v1/events/a%2F1")).body
        assert answer.body.startswith(b'{"event":' + plain + b',"proof":{')
        proof = answer.json["proof"]
        check(proof)
        assert json.loads(proof["header"])["body"] == sha256(b64decode(proof["salt"]) + body).hexdigest()
        file = await web.get("/v1/events/a%2F1?proof=1&format=tlog-proof")
        assert file.headers["content-type"] == "text/plain; charset=utf-8"
        assert file.headers["content-disposition"] == 'attachment; filename="default-0.tlog-proof"'
        assert file.body == (await web.get("/v1/proof/inclusion?id=a%2F1&format=tlog-proof")).body
        asked = await web.ask("GET", "/v1/events/a%2F1?proof=1", {"accept": "text/plain"}, b"")
        assert asked.body == file.body
        assert (await web.ask("GET", "/v1/events/a%2F1?proof=1", {"accept": "application/json, text/plain"}, b"")).json["proof"] == proof
        conflict = (await web.get("/v1/proof/inclusion?index=1")).json
        check(conflict)
        assert json.loads(conflict["header"])["type"] == "indelible.conflict"
        record = (await web.get(f"{LOG}/entries/1")).json.pop("record")
        assert json.loads(conflict["header"])["id"] == record["id"]

    with_service(tmp_path, work)


@pytest.mark.parametrize(
    ("target", "error", "word"),
    [
        ("/v1/proof/inclusion", BadParameter, "one entry has to be named"),
        ("/v1/proof/inclusion?id=1&index=1", BadParameter, "one entry has to be named"),
        ("/v1/proof/inclusion?index=-1", BadParameter, "a whole number"),
        ("/v1/proof/inclusion?index=1&index=1", BadParameter, "twice"),
        ("/v1/proof/inclusion?index=9", NotFound, "no entry 9"),
        ("/v1/proof/inclusion?index=0&size=99999999999999999999999", NotFound, "has published"),
        ("/v1/proof/inclusion?index=0&size=4", NotFound, "has published 3"),
        ("/v1/proof/inclusion?index=0&size=x", BadParameter, "size"),
        ("/v1/proof/inclusion?index=0&format=xml", BadParameter, "json or tlog-proof"),
        ("/v1/proof/inclusion?index=3", NotYet, "under no checkpoint yet"),
        ("/v1/proof/inclusion?id=nobody", NotFound, "nobody"),
        ("/v1/proof/inclusion?id=twice", Ambiguous, "?source="),
        ("/v1/proof/inclusion?index=0&size=1&format=tlog-proof", NotFound, "no checkpoint of size 1"),
        ("/v1/proof/consistency", BadParameter, "from"),
        ("/v1/proof/consistency?from=2&to=1", BadParameter, "not the beginning"),
        ("/v1/proof/consistency?from=1&to=4", NotFound, "has published 3"),
        ("/v1/proof/consistency?from=1&until=2", BadParameter, "until"),
        ("/v1/events/0?proof=2", BadParameter, "proof=1"),
        ("/v1/events/0?format=json", BadParameter, "proof=1"),
        ("/v1/receipts/nobody", NotFound, "nobody"),
        ("/v1/receipts/twice", Ambiguous, "?source="),
        ("/v1/receipts/0?x=1", BadParameter, "only source"),
        ("/v1/logs/none/proof/inclusion?index=0", NotFound, "no log"),
    ],
)
def test_what_cannot_be_proven_is_said_in_words(tmp_path: Path, target: str, error: Any, word: str) -> None:
    async def work(web: Web) -> None:
        await grow(web, 0, 1)
        for source in ("a", "b"):
            await web.post(b'{"id":"twice","type":"t","source":"%b"}' % source.encode())
        await web.service.publisher.tick()
        await grow(web, 1, 1)
        assert_problem(await web.get(target), error, word)

    with_service(tmp_path, work)


def test_a_receipt_climbs_from_sequenced_to_proven_and_is_the_first_one_but_for_that(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        first = (await web.post(b'{"id":"a/1","type":"t","source":"s"}')).json
        assert first["state"] == "sequenced"
        assert (await web.get("/v1/receipts/a%2F1")).json == first
        await web.service.publisher.tick()
        assert (await web.get(f"{LOG}/receipts/a%2F1?source=s")).json == {**first, "state": "proven"}
        await web.post(b'{"id":"a/1","type":"t","source":"s","data":1}')
        conflict = (await web.get(f"{LOG}/entries/1")).json["record"]["id"]
        assert (await web.get(f"/v1/receipts/{conflict}")).json["status"] == "conflict"

    with_service(tmp_path, work)


@pytest.mark.parametrize("many", [1, 3])
def test_who_asks_for_it_is_answered_once_all_events_are_proven(tmp_path: Path, many: int) -> None:
    async def work(web: Web) -> None:
        await web.post(b'{"id":"0","type":"t","source":"s"}')
        lines = [b'{"id":"%d","type":"t","source":"s"}' % number for number in range(many)]  # the first one is a duplicate
        body = lines[0] if many == 1 else b"[%b]" % b",".join(lines)
        waiting, reached = asyncio.Event(), web.service.publisher.reached

        async def watched(*asked: Any) -> State:
            waiting.set()
            return await reached(*asked)

        web.service.publisher.reached = watched  # type: ignore[method-assign]
        posted = asyncio.create_task(web.post(body, JSON, "/v1/events?ack=proven&on_error=skip"))
        await waiting.wait()
        assert not posted.done()
        await web.service.publisher.tick()
        answer = await posted
        receipts = [answer.json] if many == 1 else answer.json["receipts"]
        assert [receipt["state"] for receipt in receipts] == ["proven"] * many
        assert receipts[0]["status"] == "duplicate"

    with_service(tmp_path, work)


@pytest.mark.parametrize("ack", ["durable", "sequenced", "proven", "witnessed"])
def test_a_wait_is_bounded_and_the_answer_says_how_far_it_came(tmp_path: Path, ack: str) -> None:
    async def work(web: Web) -> None:
        answer = await web.post(b'{"id":"0","type":"t","source":"s"}', target=f"/v1/events?ack={ack}")
        assert (answer.status, answer.json["state"]) == (201, "sequenced")
        await web.service.publisher.tick()
        again = await web.post(b'{"id":"0","type":"t","source":"s"}', target=f"/v1/events?ack={ack}")
        assert again.json["state"] == ("proven" if ack in ("proven", "witnessed") else "sequenced")

    with_service(tmp_path, work, ack_timeout=0)


def test_a_backup_that_signs_nothing_says_so_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    (tmp_path / "signing").mkdir()
    (tmp_path / "signing" / "restored").touch()

    async def work(web: Web) -> None:
        for ack in ("proven", "witnessed"):
            answer = await web.post(b'{"type":"t","source":"s"}', target=f"/v1/events?ack={ack}")
            assert (answer.status, answer.json["state"]) == (201, "sequenced")
        said = (await web.get("/v1/status")).json["signing"]
        assert f"`indelible adopt --data {tmp_path} --new-generation`" in said
        assert b"indelible_signing_halted 1\n" in (await web.get("/metrics")).body

    with_service(tmp_path, work, ack_timeout=1 << 30)


def test_without_a_policy_nobody_waits_to_be_witnessed(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        await web.post(b'{"id":"0","type":"t","source":"s"}')
        await web.service.publisher.tick()
        answer = await web.post(b'{"id":"0","type":"t","source":"s"}', target="/v1/events?ack=witnessed")
        assert answer.json["state"] == "proven"
        assert (await web.get("/v1/status")).json["signing"] == "ok"
        assert b"indelible_signing_halted 0\n" in (await web.get("/metrics")).body

    with_service(tmp_path, work, ack_timeout=1 << 30)


@pytest.mark.parametrize("query", ["ack=signed", "ack=", "ack=proven&ack=proven", "ack=proven&x=1"])
def test_another_word_for_how_long_to_wait_is_refused(tmp_path: Path, query: str) -> None:
    async def work(web: Web) -> None:
        assert_problem(await web.post(b'{"type":"t","source":"s"}', target=f"/v1/events?{query}"), BadParameter, "ack=")
        assert web.service.recorder.folded == 0

    with_service(tmp_path, work)
