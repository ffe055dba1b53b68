"""`make torture`: ROUNDS kills at every point and at random moments, lives on a simulated disk, a small disk that fills; a line a round.

SEED=7 repeats the draws of a run that said 7. Ends after MINUTES at the latest, with the round that it is in.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from kills import FRESH, RUNNING, STARTING, Trail, moments
from seeds import SEED
from test_power_cuts_of_the_service import endure, fails_once, full_for_a_while, no_fault
from unreliable import Rule

ROUNDS = int(os.environ.get("ROUNDS") or 300)
MINUTES = float(os.environ.get("MINUTES") or 10)
TRAIL = 12  # rounds on one data directory
SIMULATED = 10  # rounds of kills to one of the simulated disk


def rules(random: Random) -> list[Rule | None]:
    """For the rounds of one trail: one point of a new directory, the others in turn, every fifth time a random moment."""
    drawn = [point.rule(when, random) for point, when in random.sample(moments(RUNNING + STARTING), TRAIL - 1)]
    point, when = random.choice(moments(FRESH))
    return [point.rule(when, random), *(None if number % 5 == 4 else rule for number, rule in enumerate(drawn))]


def main() -> None:
    begun = time.monotonic()
    say(f"SEED={SEED} ROUNDS={ROUNDS}, at most {MINUTES:g} minutes")
    done, met = 0, Counter[str]()
    while done < ROUNDS and time.monotonic() - begun < 60 * MINUTES:
        random = Random(f"{SEED} trail {done}")
        directory = Path(tempfile.mkdtemp(prefix="torture-"))
        with Trail(directory) as trail:
            for rule in rules(random):
                if done == ROUNDS or time.monotonic() - begun > 60 * MINUTES:
                    break
                reached = trail.life(random, rule)
                done += 1
                met["met" if reached else "not met"] += rule is not None
                about = f"{rule}{'' if reached else ' (not met)'}" if rule else "KILL at a random moment"
                say(f"round {done:4}  {time.monotonic() - begun:6.1f} s  {len(trail.ledger.receipts):7,} receipts hold  {about}")
            trail.end()
        shutil.rmtree(directory)
        simulated(done, begun)
    say(f"{done} rounds, {met['met']} points met, {met['not met']} not; every receipt holds")


def simulated(done: int, begun: float) -> None:
    for kind in (no_fault, full_for_a_while, fails_once):
        directory = Path(tempfile.mkdtemp(prefix="torture-"))
        endure(directory, kind, Random(f"{SEED} {kind.__name__} {done}"))
        shutil.rmtree(directory)
        say(f"disk        {time.monotonic() - begun:6.1f} s  {kind.__name__.replace('_', ' ')}: every receipt holds")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
