"""Every exchange that was recorded with independent witness programs, replayed over a socket: the client does what the spec asks."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from witness_fakes import http, serving

from indelible.errors import Malformed
from indelible.http.posting import Poster
from indelible.log.witnessing.asking import Outcome, Verdict, ask, question
from indelible.log.witnessing.quorum import Quorum
from indelible.tree.checkpoint import parse_checkpoint
from indelible.tree.merkle import Hash
from indelible.tree.note import parse_note
from indelible.tree.policy import parse_policy
from indelible.tree.vkeys import parse_vkey
from indelible.tree.witness import parse_addition

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors/witness.json").read_text())
CASES = [case for case in VECTORS["cases"] if case["request"].startswith("POST")]
ACTIONS = {
    200: Outcome.cosigned,
    400: Outcome.refused,
    403: Outcome.refused,
    404: Outcome.refused,
    409: Outcome.late,
    422: Outcome.alarm,
    500: Outcome.busy,
}
GOOD = next(case["request_body"].encode() for case in CASES if case["why"].startswith("growth"))


def sent(case: dict[str, Any]) -> bytes:
    """The request, where a client could send it; what answers a broken one may answer a good one."""
    body: bytes = re.sub(b"^old 0+(?=[0-9])", b"old ", case["request_body"].encode())
    try:
        note = parse_note(parse_addition(body).checkpoint)
    except Malformed:
        return GOOD
    return body if any(line.name == parse_checkpoint(note.text).origin for line in note.signatures) else GOOD


def exchanges() -> list[Any]:
    return [pytest.param(case, program, id=f"{case['why']}: {program}") for case in CASES for program in case["responses"]]


async def replayed(body: bytes, answers: list[dict[str, Any]], program: str, newest: int) -> tuple[Verdict, list[bytes]]:
    """The verdict, and what was asked. The last answer is repeated."""
    asked: list[bytes] = []

    async def answer(request: bytes) -> bytes:
        asked.append(request)
        said = answers.pop(0) if len(answers) > 1 else answers[0]
        return http(said["status"], said["body"].encode(), **{name.replace("-", "_"): value for name, value in said["headers"].items()})

    async def prove(old: int, new: int) -> tuple[Hash, ...]:
        return request.proof if old == request.old else (Hash(bytes(32)),)

    request = parse_addition(body)
    vkey = VECTORS["witness_vkeys"][program.partition(",")[0]]
    key, policy = parse_vkey(vkey), parse_policy(f"witness w {vkey}\nquorum w\n".encode())
    checkpoint = parse_checkpoint(parse_note(request.checkpoint).text)
    async with serving(answer) as url:
        poster = Poster(url, 30)
        asks = question(checkpoint, request.checkpoint, key, Quorum(policy), lambda: newest)
        verdict = await ask(asks, request.old, poster, prove)
        poster.close()
    return verdict, asked


@pytest.mark.parametrize(("case", "program"), exchanges())
def test_each_recorded_answer_leads_to_what_the_spec_asks_for(case: dict[str, Any], program: str) -> None:
    body, said = sent(case), case["responses"][program]
    checkpoint = parse_checkpoint(parse_note(parse_addition(body).checkpoint).text)

    verdict, asked = asyncio.run(replayed(body, [said], program, checkpoint.size))

    first = parse_addition(asked[0])
    assert (first.old, first.proof) == (parse_addition(body).old, parse_addition(body).proof)
    assert {line.name for line in parse_note(first.checkpoint).signatures} == {checkpoint.origin}
    if said["status"] == 409 and int(said["body"]) > checkpoint.size:
        assert (verdict.outcome, len(asked)) == (Outcome.alarm, 1)
    elif said["status"] == 409:  # the size is learned, and asked from once; a witness that says 409 to that too is wrong
        assert [parse_addition(each).old for each in asked[1:]] == [int(said["body"])]
        assert verdict.outcome is Outcome.wrong
    else:
        assert len(asked) == 1
        assert verdict.outcome is ACTIONS[said["status"]]
    if verdict.outcome is Outcome.cosigned:
        assert verdict.line is not None
        assert verdict.line.signatures[0].line == said["body"]
        assert verdict.size == checkpoint.size
    else:
        assert verdict.line is None


@pytest.mark.parametrize("program", ["omniwitness, sqlite", "omniwitness, memory", "litewitness"])
def test_a_conflict_is_followed_by_a_proof_from_the_size_that_it_told(program: str) -> None:
    by_why = {case["why"]: case for case in CASES}
    conflict = by_why["old 0 when witness has 257 (asking for its size)"]["responses"][program]
    refusal = by_why["bad proof: one hash changed"]["responses"][program]
    body = by_why["old 0 when witness has 257 (asking for its size)"]["request_body"].encode()

    verdict, asked = asyncio.run(replayed(body, [conflict, refusal], program, 1000))

    assert [parse_addition(each).old for each in asked] == [0, 257]
    assert verdict.outcome is Outcome.alarm


@pytest.mark.parametrize("program", ["omniwitness, sqlite", "litewitness"])
def test_a_witness_that_has_more_than_was_published_is_an_alarm_and_one_that_has_a_newer_checkpoint_is_not(program: str) -> None:
    case = next(case for case in CASES if case["status_by_the_spec"] == 409)
    body = next(case["request_body"].encode() for case in CASES if case["why"].startswith("first checkpoint"))  # of 5 entries

    for newest, outcome in ((256, Outcome.alarm), (257, Outcome.late), (5, Outcome.alarm)):
        verdict, asked = asyncio.run(replayed(body, [case["responses"][program]], program, newest))
        assert (verdict.outcome, verdict.size, len(asked)) == (outcome, 257, 1)
