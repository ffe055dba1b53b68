"""What a turn of the event loop prepares is bounded, whoever sent it, and nobody is passed over."""

from __future__ import annotations

import asyncio

from indelible.formats.lines import Lines
from indelible.log.prepare import Terms
from indelible.log.share import MOST, Share
from indelible.log.together import Together
from indelible.model.event import Limits


async def turns_of(share: Share, sizes: list[int]) -> list[int]:
    """The turn of the event loop in which each got its share; all ask in the first."""
    loop = asyncio.get_running_loop()
    turn = 0

    def count() -> None:
        nonlocal turn
        turn += 1
        loop.call_soon(count)

    async def one(size: int) -> int:
        await share.take(size)
        return turn

    loop.call_soon(count)
    return await asyncio.gather(*map(one, sizes))


def test_what_fits_into_a_turn_waits_for_nothing() -> None:
    assert asyncio.run(turns_of(Share(100), [30, 30, 30, 30])) == [1, 1, 1, 1]


def test_the_rest_comes_in_its_order_so_much_a_turn() -> None:
    turns = asyncio.run(turns_of(Share(100), [60] * 9))
    assert turns == sorted(turns)
    assert all(turns.count(each) <= 2 for each in turns)


def test_what_is_more_than_a_turn_leaves_as_many_to_others() -> None:
    first, second, third = asyncio.run(turns_of(Share(100), [1000, 1000, 1]))
    assert second - first >= 10 and third - second >= 10


def test_one_that_went_away_keeps_nobody_waiting() -> None:
    async def main() -> None:
        share = Share(1)
        await share.take(1)
        gone, last = asyncio.create_task(share.take(1)), asyncio.create_task(share.take(1))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait_for(last, 10)

    asyncio.run(main())


def test_large_events_that_come_at_once_are_prepared_with_turns_of_others_between() -> None:
    line = b'{"type":"t","source":"s","data":"%b"}' % (b"x" * 8 * MOST)
    batch = Lines(line + b"\n", [line], True)

    async def main() -> int:
        together = Together(Limits())
        tasks = [asyncio.create_task(together.prepare(batch, Terms("default", 1, Limits()))) for _ in range(5)]
        turns = 0
        while not all(task.done() for task in tasks):
            turns += 1
            await asyncio.sleep(0)
        return turns

    assert asyncio.run(main()) >= 4 * 8
