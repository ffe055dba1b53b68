"""Where the draws begin: SEED=7 in the environment repeats those of a run that said 7, else each run has its own."""

from __future__ import annotations

import os
from random import Random, randrange

SEED = int(os.environ.get("SEED") or randrange(1_000_000))


def drawn(*place: object) -> Random:
    """The draws for one place; what it prints stands in a failed test's report."""
    print(f"repeat with SEED={SEED}: {' '.join(map(str, place))}")
    return Random(f"{SEED} {place}")
