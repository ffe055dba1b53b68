"""Small requests prepared together get the frames they would get alone, and one bad neighbour costs the others nothing but time."""

from __future__ import annotations

import asyncio
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from indelible.errors import NotAnEvent, TooLarge
from indelible.formats.lines import Lines
from indelible.log import together as module
from indelible.log.prepare import Prepared, Terms, replayed
from indelible.log.together import SMALL, Together
from indelible.model.event import Limits

TERMS = Terms("default", 1_700_000_000_000_042, Limits())
GOOD = b'{"id":"%d","type":"t","source":"s"}'
BAD = b'{"type":"t"}'


def lines(*each: bytes) -> Lines:
    return Lines(b"".join(line + b"\n" for line in each), list(each), len(each) == 1)


async def all_of(batches: list[Lines], terms: list[Terms]) -> list[Prepared | BaseException]:
    together = Together(Limits())
    return await asyncio.gather(*map(together.prepare, batches, terms), return_exceptions=True)


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=SMALL + 2), min_size=1, max_size=8), st.sampled_from([1, 200, 1 << 18]))
@settings(max_examples=60)
def test_each_request_gets_a_frame_of_its_own_or_its_own_refusal(drawn: list[list[bool]], turn: int) -> None:
    before, module._TURN = module._TURN, turn
    try:
        batches = [lines(*(GOOD % (100 * place + at) if good else BAD for at, good in enumerate(each))) for place, each in enumerate(drawn)]
        terms = [structs.replace(TERMS, log=f"l{place % 2}", recorded=TERMS.recorded + place) for place in range(len(drawn))]
        made = asyncio.run(all_of(batches, terms))
    finally:
        module._TURN = before
    for each, batch, asked, outcome in zip(drawn, batches, terms, made, strict=True):
        if not all(each):
            assert isinstance(outcome, NotAnEvent)
            assert outcome.total == each.count(False)
            assert outcome.faults[0].index == each.index(False)
            continue
        assert isinstance(outcome, Prepared)
        assert (outcome.frame.log, outcome.frame.text, outcome.frame.count) == (asked.log, batch.text, len(batch.lines))
        assert asked.recorded <= outcome.frame.recorded <= terms[-1].recorded
        assert outcome.frame.leaves == sha256(b"".join(outcome.leaves)).digest()
        assert replayed([outcome.frame]) == [outcome]
    salts = [made.frame.salts[at : at + 16] for made in made if isinstance(made, Prepared) for at in range(0, len(made.frame.salts), 16)]
    assert len(set(salts)) == len(salts)


def test_a_request_with_a_key_or_skip_is_prepared_alone() -> None:
    terms = [structs.replace(TERMS, key="k"), structs.replace(TERMS, skip=True), TERMS]
    keyed, skipped, plain = asyncio.run(all_of([lines(b'{"type":"t","source":"s"}')] * 2 + [lines(GOOD % 1)], terms))
    assert isinstance(keyed, Prepared) and isinstance(skipped, Prepared) and isinstance(plain, Prepared)
    assert list(keyed.frame.ids) == [0]
    assert plain.ids == ["1"]


def test_the_limits_hold_for_each_request() -> None:
    limits = Limits(event_bytes=100, batch_events=3)
    terms = structs.replace(TERMS, limits=limits)
    large = b'{"type":"t","source":"s","data":"%b"}' % (b"x" * 100)

    async def main() -> list[Prepared | BaseException]:
        together = Together(limits)
        batches = [lines(large), lines(*[GOOD % 1] * 4), *(lines(GOOD % at) for at in range(9))]
        return await asyncio.gather(*(together.prepare(batch, terms) for batch in batches), return_exceptions=True)

    made = asyncio.run(main())
    assert isinstance(made[0], TooLarge) and isinstance(made[1], TooLarge)
    assert all(isinstance(each, Prepared) for each in made[2:])


def test_whoever_stops_waiting_leaves_the_others_theirs() -> None:
    async def main() -> None:
        together = Together(Limits())
        gone, stays = (asyncio.create_task(together.prepare(lines(GOOD % at), TERMS)) for at in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        assert (await stays).ids == ["1"]
        with pytest.raises(asyncio.CancelledError):
            await gone

    asyncio.run(main())
