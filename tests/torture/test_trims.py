"""A process that appends and trims, killed at each step of a trim: what it kept is there, and nothing goes that was not let go."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from journal_disk import frame
from kills import Point, moments
from seeds import drawn
from unreliable import Rule, variables

from indelible.journal.file import open_file_journal

SIZE, RESERVE = 4096, 500
ENDLESS = 4000  # frames, after which the point was not met

CHILD = f"""
import asyncio, sys
from pathlib import Path
from journal_disk import frame
from unreliable import Unreliable
from indelible.journal.file import open_file_journal
from indelible.journal.port import Position

async def go(data, seed):
    journal = open_file_journal(data, file_size={SIZE}, reserve={RESERVE}, files=Unreliable())
    for seed in range(seed, seed + {ENDLESS}, 4):
        placed = await asyncio.gather(*(journal.append(frame(seed + at, size=200)) for at in range(4)))
        for at, each in enumerate(placed):
            print("kept", each.place.position, seed + at, flush=True)
        if seed % 40 == 0:
            below = max(0, journal.end.position - 30)
            print("trim", below, 0, flush=True)
            await asyncio.to_thread(journal.trim, Position(below))

asyncio.run(go(Path(sys.argv[1]), int(sys.argv[2])))
"""

POINTS = (
    Point("create", "manifest", 1, 4),
    Point("pwrite", "manifest", 1, 4),
    Point("fsync", "manifest", 1, 4),
    Point("rename", "manifest", 1, 4),
    Point("fsync", "directory", 5, 12),
    Point("unlink", "file", 1, 6),
)


def test_a_trim_may_be_killed_at_every_step(tmp_path: Path) -> None:
    random = drawn("trims")
    asyncio.run(open_file_journal(tmp_path, file_size=SIZE, reserve=RESERVE).close())
    kept: dict[int, int] = {}
    trimmed = 0
    for number, (point, when) in enumerate(moments(POINTS)):
        rule = point.rule(when, random)
        for word, position, seed in life(tmp_path, rule, number * ENDLESS):
            if word == "kept":
                kept[position] = seed
            else:
                trimmed = position
        trimmed = hold(tmp_path, kept, trimmed)
    assert trimmed > 200


def life(data: Path, rule: Rule, seed: int) -> list[tuple[str, int, int]]:
    """What a process said before it met its point."""
    given = variables(rule)
    paths = os.pathsep.join([given["PYTHONPATH"], str(Path(__file__).parents[1]), *filter(None, sys.path)])
    environment = {**os.environ, **given, "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(data), str(seed)], capture_output=True, text=True, check=False, env=environment, timeout=60
    )
    assert done.returncode == -signal.SIGKILL, f"{rule}: {done.stderr}"
    told = [line.split() for line in done.stdout.splitlines(keepends=True) if line.endswith("\n")]
    return [(word, int(position), int(seed)) for word, position, seed in told]


def hold(data: Path, kept: dict[int, int], trimmed: int) -> int:
    """Every frame that was kept is there, but for those below the last trim; the first position that is there."""
    journal = open_file_journal(data, file_size=SIZE, reserve=RESERVE)
    try:
        first = journal.first.position
        there = {placed.place.position: placed.frame for placed in journal.reader().frames(journal.first, journal.end.position)}
    finally:
        asyncio.run(journal.close())
    assert first <= trimmed
    for position in [position for position in kept if position < first]:
        del kept[position]
    for position, seed in kept.items():
        assert there[position] == frame(seed, size=200)
    return max(trimmed, first)
