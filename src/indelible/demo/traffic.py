"""The shop's traffic: visits in time order, as a pure function of a seed.

What happens depends on (seed, journey) alone, so every process that knows these knows all events of all others, their ids and causes.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from typing import NamedTuple

from indelible.demo.journey import Step, Visit

PLOTS = ("not shipped", "not emptied", "not mailed", "tried again", "given up", "left again")
"""What is planted: the four failures worth finding, a declined payment that is not tried again, a customer's whole life."""

FAILURES = PLOTS[:4]
FEWEST = 20  # journeys that hold each plot once
GAP = 6_000_000  # µs from one visit's start to the next
_LONGEST = 120_000_000  # µs that no visit outlasts
_AT_ONCE = 32  # visits between two sorts
_STAMP = re.compile(r"\d{8}T\d{6}Z")
_SOME_DAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Traffic(NamedTuple):
    """All that the twelve processes have to agree on. `run` names the run and is on every event as labels.run."""

    seed: int
    journeys: int
    run: str

    @property
    def start(self) -> int:
        """µs since 1970 of the first visit. A run named after a moment ends before it; any other takes place on one fixed day."""
        moment = _SOME_DAY
        if stamp := _STAMP.search(self.run):
            moment = datetime.strptime(stamp[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            moment -= timedelta(microseconds=self.journeys * GAP + _LONGEST)
        return (moment - _EPOCH) // timedelta(microseconds=1)


def steps(traffic: Traffic) -> Iterator[Step]:
    """All that happens, in time order; visits overlap, as they do in a shop."""
    pending: list[Step] = []
    for visit in islice(visits(traffic), traffic.journeys):
        if visit.journey % _AT_ONCE == 0:
            pending.sort()
            settled = bisect_left(pending, (visit.started,))
            yield from pending[:settled]
            del pending[:settled]
        pending += visit.steps
    pending.sort()
    yield from pending


def visits(traffic: Traffic) -> Iterator[Visit]:
    """The journeys in the order of their first pages, without end: a longer run begins like a shorter one."""
    start = traffic.start
    first, length = 0, FEWEST
    while True:
        plotted = _plots(traffic.seed, first, length)
        for journey in range(first, first + length):
            yield Visit(traffic.run, traffic.seed, journey, start + journey * GAP, plotted.get(journey, ""))
        first, length = first + length, first + length


def tally(traffic: Traffic) -> Counter[tuple[str, str]]:
    """How many events of each (source, type) the traffic has."""
    return Counter((step.source, step.type) for visit in islice(visits(traffic), traffic.journeys) for step in visit.steps)


def planted(traffic: Traffic) -> dict[str, set[str]]:
    """The ids of the orders that each of the four failures befell."""
    orders: dict[str, set[str]] = {failure: set() for failure in FAILURES}
    for visit in islice(visits(traffic), traffic.journeys):
        if visit.plot in orders:
            orders[visit.plot].add(visit.orders[-1].id)
    return orders


def journeys_for(seed: int, events: int) -> int:
    """The fewest journeys, at least 20, that make `events` events: a journey is never cut."""
    made = 0
    for visit in visits(Traffic(seed, 0, "")):
        made += len(visit.steps)
        if made >= events and visit.journey + 1 >= FEWEST:
            break
    return visit.journey + 1


def _plots(seed: int, first: int, length: int) -> dict[int, str]:
    """Which journeys hold which plot: one of each in the first 20, in the next 20, 40, 80, …: few, and more in longer runs."""
    places = Random(f"{seed}/{first}").sample(range(first, first + length), len(PLOTS))
    return dict(zip(places, PLOTS, strict=True))
