"""Other processes prepare what this one would have, refuse what it would refuse, and are missed by nobody when they die."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable

import pytest
from msgspec import structs

from indelible.errors import IndelibleError
from indelible.formats import split
from indelible.log.prepare import Prepared, Terms, prepare, replayed
from indelible.log.workshop import Workshop
from indelible.model.event import Limits

TERMS = Terms("eu", 1_700_000_000_000_042, Limits(batch_bytes=1 << 20, batch_events=3000))
NDJSON, JSON = "application/x-ndjson", "application/json"
GOOD = b'{"id":"%d","type":"t","source":"s%d","time":"2026-11-23T10:00:00+01:00","data":1e400}'
BODIES = [
    (b"".join(GOOD % (at, at % 3) + b"\n" for at in range(2500)), NDJSON),
    (b"\n".join(GOOD % (at, 1) for at in range(3)), NDJSON),
    (b"  " + GOOD % (1, 1) + b" \r\n\r\n" + GOOD % (2, 1), NDJSON),
    (GOOD % (7, 7), JSON),
    (b"[%b, %b]" % (GOOD % (1, 1), b'{"type":"caf\xc3\xa9",\n"source":"\\u00e9"}'), JSON),
    (b'{"type":"t","source":"s"}\n{"type":"t"}\n' * 300, NDJSON),
    (b"", JSON),
    (b"[", JSON),
    (b"{}", "text/plain"),
    (GOOD % (1, 1) + b"\n" + b"x" * (2 << 20), NDJSON),
    (b'{"type":"t","source":"s"}\n' * 3001, NDJSON),
]


def within(number: int, work: Callable[[Workshop], Awaitable[None]]) -> None:
    async def main() -> None:
        workshop = Workshop(number)
        try:
            await work(workshop)
        finally:
            await workshop.close()

    asyncio.run(main())


async def here(body: bytes, kind: str, terms: Terms) -> tuple[Prepared, bool]:
    lines = split(body, kind, terms.limits)
    return await prepare(lines, terms), lines.single


async def outcome(work: Awaitable[tuple[Prepared, bool]]) -> object:
    """What came of it, without what chance gave: salts, and what follows from them."""
    try:
        prepared, single = await work
    except IndelibleError as error:
        return type(error), error.detail, error.faults, error.total
    frame = prepared.frame
    assert replayed([frame]) == [structs.replace(prepared, at=None, faults=(), refused=0)]
    own = [id for place, id in enumerate(prepared.ids) if len(id) < 36 or place in frame.ids]
    rest = (prepared.sources, own, prepared.at, prepared.faults, prepared.refused, single)
    return structs.replace(frame, salts=b"", leaves=b""), len(frame.salts), *rest


@pytest.mark.parametrize("terms", [TERMS, structs.replace(TERMS, skip=True), structs.replace(TERMS, key="k")], ids=["all", "skip", "key"])
def test_what_comes_back_is_what_this_process_would_have_made(terms: Terms) -> None:
    async def work(workshop: Workshop) -> None:
        given = [(*case, terms) for case in random.Random(1).sample(BODIES * 3, len(BODIES) * 3)]
        expected = [await outcome(here(*case)) for case in given]
        assert await asyncio.gather(*(outcome(workshop.prepare(*case)) for case in given)) == expected

    within(2, work)


def test_a_worker_that_dies_is_replaced_and_nobody_waits_for_ever() -> None:
    async def work(workshop: Workshop) -> None:
        (worker,) = workshop._workers
        for _ in range(3):
            first = await workshop.prepare(*BODIES[0], TERMS)
            assert worker._process
            pid = worker._process.pid
            waiting = [asyncio.create_task(workshop.prepare(*BODIES[0], TERMS)) for _ in range(5)]
            await asyncio.sleep(0)
            os.kill(pid, signal.SIGKILL)
            for prepared, single in await asyncio.gather(*waiting):
                assert (prepared.ids, single) == (first[0].ids, False)
            assert worker.load == 0

    within(1, work)


def test_who_stops_waiting_takes_no_answer_from_another() -> None:
    async def work(workshop: Workshop) -> None:
        for _ in range(5):
            gone = asyncio.create_task(workshop.prepare(*BODIES[0], TERMS))
            stays = asyncio.create_task(workshop.prepare(*BODIES[3], TERMS))
            await asyncio.sleep(0)
            gone.cancel()
            prepared, single = await stays
            assert (prepared.ids, single) == (["7"], True)
            await asyncio.wait([gone])

    within(1, work)


def test_closing_ends_the_processes() -> None:
    workers = []

    async def work(workshop: Workshop) -> None:
        await asyncio.gather(*(workshop.prepare(*BODIES[0], TERMS) for _ in range(4)))
        workers.extend(worker._process for worker in workshop._workers)

    within(2, work)
    assert [process.returncode for process in workers if process] == [-signal.SIGKILL] * 2
