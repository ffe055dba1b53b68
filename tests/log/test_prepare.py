"""From lines to a frame: the same in slices of any size, fair to others, and refusals that count from the request's first event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha256
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from indelible.errors import NotAnEvent, TooLarge
from indelible.formats.lines import Lines
from indelible.log import prepare as module
from indelible.log.prepare import Forged, Prepared, Terms, prepare, replayed
from indelible.log.share import MOST, Share
from indelible.model import refusal
from indelible.model.entry import derived_id
from indelible.model.event import Limits

TERMS = Terms("default", 1_700_000_000_000_042, Limits())
GOOD = b'{"id":"%d","type":"t","source":"s%d"}'
BAD = (b'{"type":"t"}', b"{", b'{"type":"t","source":"s","user":1}', b'{"type":"","source":"s"}')


def lines(*each: bytes) -> Lines:
    return Lines(b"".join(line + b"\n" for line in each), list(each), False)


def numbered() -> Callable[[int], bytes]:
    """Random bytes that are not."""
    stream = b"".join(sha256(b"%d" % number).digest() for number in range(2000))
    used = count()
    return lambda size: bytes(stream[next(used)] for _ in range(size))


def made(batch: Lines, terms: Terms = TERMS, size: int = module.SLICE) -> Prepared:
    before, module.SLICE = module.SLICE, size
    try:
        return asyncio.run(prepare(batch, terms, numbered()))
    finally:
        module.SLICE = before


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(1, 400), st.booleans(), st.sampled_from([None, "key"]))
@settings(max_examples=80)
def test_slices_of_any_size_make_the_same_frame_and_the_same_refusal(drawn: list[bool], size: int, skip: bool, key: str | None) -> None:
    batch = lines(*(GOOD % (at, at % 3) if good else BAD[at % len(BAD)] for at, good in enumerate(drawn)))
    terms = structs.replace(TERMS, skip=skip, key=key)
    outcomes = []
    for each in (size, 1 << 20):
        try:
            outcomes.append(made(batch, terms, each))
        except NotAnEvent as error:
            outcomes.append((error.detail, error.faults, error.total))
    assert outcomes[0] == outcomes[1]


def test_a_frame_holds_the_lines_as_they_came_and_the_sum_of_its_leaves() -> None:
    batch = lines(GOOD % (1, 1), b'{"type":"t" ,"source":"s","data":1e5}')
    prepared = made(batch)
    frame = prepared.frame
    assert (frame.text, frame.count, frame.recorded, len(frame.salts)) == (batch.text, 2, TERMS.recorded, 32)
    assert frame.leaves == sha256(b"".join(prepared.leaves)).digest()
    assert prepared.sources == ["s1", "s"]
    assert prepared.ids[0] == "1" and len(prepared.ids[1]) == 36


def test_a_replay_makes_of_the_frame_what_the_request_made() -> None:
    for key in (None, "key"):
        batch = lines(
            GOOD % (1, 1), b'{"type":"t","source":"s"}', b'{"id":null,"type":"t","source":"s","time":"2026-11-23T10:00:00+01:00"}'
        )
        prepared = made(batch, structs.replace(TERMS, key=key))
        assert replayed([prepared.frame]) == [prepared]
        one = made(lines(GOOD % (1, 1)), structs.replace(TERMS, key=key))
        assert replayed([one.frame, prepared.frame, one.frame]) == [one, prepared, one]


def test_a_frame_whose_events_were_changed_and_checksum_made_anew_is_damage() -> None:
    frame = made(lines(GOOD % (1, 1), GOOD % (2, 2))).frame
    for changed in (
        structs.replace(frame, text=frame.text.replace(b"s2", b"s3")),
        structs.replace(frame, salts=frame.salts[::-1]),
        structs.replace(frame, recorded=frame.recorded + 1),
        structs.replace(frame, leaves=bytes(32)),
        structs.replace(frame, count=1),
        structs.replace(frame, text=frame.text[: len(frame.text) // 2]),
        structs.replace(frame, text=frame.text.replace(b"}", b"]")),
        structs.replace(frame, text=frame.text.replace(b'"type"', b'"kind"')),
        structs.replace(frame, text=frame.text.replace(b"}", b',"time":"once"}')),
        structs.replace(frame, salts=frame.salts[:16]),
    ):
        beside = [[frame, changed], [changed, frame]] if changed.recorded == frame.recorded else []
        for frames in ([changed], *beside):
            with pytest.raises(Forged):
                replayed(frames)


def test_refusals_count_every_event_and_describe_the_first_hundred() -> None:
    batch = lines(*(GOOD % (at, 0) if at % 2 else BAD[0] for at in range(400)))
    with pytest.raises(NotAnEvent, match="200 of 400") as caught:
        made(batch, size=300)
    assert caught.value.total == 200
    assert [fault.index for fault in caught.value.faults] == list(range(0, 200, 2))


def test_no_more_bad_events_are_described_than_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    described: list[bytes] = []
    monkeypatch.setattr(refusal, "faults_of", lambda line, limits: described.append(line))
    for skip in (False, True):
        with pytest.raises(NotAnEvent):
            made(lines(*[b'{"type":1,"data":"%b"}' % (b"x" * 1000)] * 2000), structs.replace(TERMS, skip=skip))
        slices = 2000 * 1023 // module.SLICE + 2
        assert len(described) <= module.SHOWN + slices
        described.clear()


def test_skip_keeps_the_good_with_their_places() -> None:
    prepared = made(lines(BAD[0], GOOD % (1, 1), BAD[1], GOOD % (3, 3)), structs.replace(TERMS, skip=True), size=60)
    assert prepared.at == [1, 3]
    assert (prepared.frame.text, prepared.refused) == (GOOD % (1, 1) + b"\n" + GOOD % (3, 3) + b"\n", 2)
    assert [fault.index for fault in prepared.faults] == [0, 2]
    with pytest.raises(NotAnEvent):
        made(lines(*BAD), structs.replace(TERMS, skip=True))


def test_a_key_names_each_event_without_id_by_its_place_in_the_request() -> None:
    bare = b'{"type":"t","source":"s"}'
    terms = structs.replace(TERMS, key="k", skip=True)
    prepared = made(lines(bare, BAD[0], GOOD % (7, 1), bare), terms, size=30)
    assert prepared.ids == [derived_id("default", "s", "k", 0), "7", derived_id("default", "s", "k", 3)]
    assert prepared.frame.ids == {0: prepared.ids[0], 2: prepared.ids[2]}


def test_more_events_than_the_limit_are_too_large() -> None:
    terms = structs.replace(TERMS, limits=replace_limit(3))
    assert made(lines(*[GOOD % (1, 1)] * 3), terms).frame.count == 3
    with pytest.raises(TooLarge, match="at most 3"):
        made(lines(*[GOOD % (1, 1)] * 4), terms)


def replace_limit(events: int) -> Limits:
    return structs.replace(Limits(), batch_events=events)


def test_another_request_gets_its_turn_between_two_slices() -> None:
    order = []

    async def main() -> None:
        async def large() -> None:
            await prepare(lines(*(GOOD % (at, 0) for at in range(5000))), TERMS)
            order.append("large")

        async def small() -> None:
            await prepare(lines(GOOD % (1, 1)), TERMS)
            order.append("small")

        await asyncio.gather(large(), small())

    asyncio.run(main())
    assert order == ["small", "large"]


def test_salts_are_never_given_twice() -> None:
    pool = module.Stock()
    drawn = [pool(size) for size in (16, 16, 32, 70_000, 16, 65_536, 16)]
    salts = [part[at : at + 16] for part in drawn for at in range(0, len(part), 16)]
    assert len(set(salts)) == len(salts)
    assert list(map(len, drawn)) == [16, 16, 32, 70_000, 16, 65_536, 16]


def test_what_is_refused_in_words_leaves_turns_to_others() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def beside() -> None:
        others = asyncio.create_task(count())
        with pytest.raises(NotAnEvent):
            await prepare(lines(*[BAD[0]] * 100), TERMS, share=Share())
        others.cancel()

    asyncio.run(beside())
    assert turns >= 100 * len(BAD[0]) * module._DEAR // MOST


def test_a_line_that_is_too_long_is_named_by_its_place_in_the_batch() -> None:
    long = b'{"type":"t","source":"s","data":"%b"}' % (b"x" * TERMS.limits.event_bytes)
    with pytest.raises(TooLarge) as caught:
        made(lines(*[GOOD % (at, 0) for at in range(40)], long), size=300)
    assert [fault.index for fault in caught.value.faults] == [40]
