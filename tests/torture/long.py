"""`make torture`: ROUNDS kills at every point and at random moments, lives on a simulated disk, a small disk that fills; a line a round.

SEED=7 repeats the draws of a run that said 7. Ends after MINUTES at the latest, with the round that it is in.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

from kills import DROPPING, FRESH, REOPENING, RUNNING, STARTING, STOPPING, Trail, moments
from seeds import SEED
from small_disk import fill
from test_disk_faults import FATAL
from test_power_cuts_of_the_service import endure, fails_once, full_for_a_while, no_fault
from unreliable import Rule

ROUNDS = int(os.environ.get("ROUNDS") or 300)
MINUTES = float(os.environ.get("MINUTES") or 10)
TRAIL = 12  # rounds on one data directory


def rules(random: Random) -> Iterator[Rule | None]:
    """Every point and every fatal failure in turn, in a new order each time round; every fifth time a random moment."""
    while True:
        points = [point.rule(when, random) for point, when in moments(RUNNING + STARTING + DROPPING)]
        failures = [Rule(what, *place, nth=random.randrange(2, 20) if place[1] == "file" else 1) for *place, what in FATAL]
        for number, rule in enumerate(random.sample(points + failures, len(points + failures))):
            yield rule
            if number % 4 == 3:
                yield None


def main() -> None:
    random, begun = Random(f"{SEED} rounds"), time.monotonic()
    say(f"SEED={SEED} ROUNDS={ROUNDS}, at most {MINUTES:g} minutes")
    fresh, others = itertools.cycle(random.sample(moments(FRESH), len(moments(FRESH)))), rules(random)
    stops = itertools.cycle(random.sample(moments(STOPPING + REOPENING), len(moments(STOPPING + REOPENING))))
    done, met = 0, Counter[bool]()
    while done < ROUNDS and time.monotonic() - begun < 60 * MINUTES:
        directory = Path(tempfile.mkdtemp(prefix="torture-"))
        with Trail(directory) as trail:
            point, when = next(fresh)
            for rule in (point.rule(when, random), *itertools.islice(others, TRAIL - 1)):
                if done == ROUNDS or time.monotonic() - begun > 60 * MINUTES:
                    break
                reached = trail.life(random, rule)
                done += 1
                met[reached] += rule is not None
                about = f"{rule}{'' if reached else ' (not met)'}" if rule else "KILL at a random moment"
                say(f"round {done:4}  {time.monotonic() - begun:6.1f} s  {len(trail.ledger.receipts):7,} receipts hold  {about}")
            trail.stopped(random)
            point, when = next(stops)
            assert trail.stopped(random, point.rule(when, random)), f"{when} {point}"
            trail.end()
        shutil.rmtree(directory)
        beside(done, begun)
    say(f"{done} rounds, {met[True]} points met, {met[False]} not; every receipt holds")


def beside(done: int, begun: float) -> None:
    """A round of the other disks: three simulated ones, and a small one that fills up."""
    for kind in (no_fault, full_for_a_while, fails_once):
        directory = Path(tempfile.mkdtemp(prefix="torture-"))
        endure(directory, kind, Random(f"{SEED} {kind.__name__} {done}"))
        shutil.rmtree(directory)
    small = "" if fill(Random(f"{SEED} small {done}")) else "; no small disk: only root may mount one, on Linux"
    say(f"disks       {time.monotonic() - begun:6.1f} s  every receipt holds{small}")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
