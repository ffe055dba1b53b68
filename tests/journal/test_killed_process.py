"""A real process, killed with SIGKILL while it appends: all that it acknowledged is there, and the directory is free again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from journal_disk import frame

from indelible.errors import InUse
from indelible.journal.file import open_file_journal
from indelible.journal.port import Frame

CHILD = """
import asyncio, sys
from pathlib import Path
from journal_disk import frame
from indelible.journal.file import open_file_journal

async def sender(journal, seed):
    while True:
        placed = await journal.append(frame(seed, 1 + seed % 3))
        print(placed.place.position, seed, flush=True)
        seed += 8

async def go():
    journal = open_file_journal(Path(sys.argv[1]), file_size=1 << 16)
    print("open", flush=True)
    await asyncio.gather(*(sender(journal, seed) for seed in range(8)))

asyncio.run(go())
"""


@contextmanager
def appending(data: Path) -> Iterator[subprocess.Popen[str]]:
    paths = [str(Path(__file__).parent), *filter(None, sys.path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(data)], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert child.stdout is not None and child.stdout.readline() == "open\n"
        yield child
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def test_everything_that_was_acknowledged_is_there_after_each_of_several_kills(tmp_path: Path) -> None:
    acknowledged: dict[int, int] = {}
    for lines in (1, 400, 1500):
        with appending(tmp_path) as child:
            assert child.stdout is not None
            told = [child.stdout.readline() for _ in range(lines)]
            child.send_signal(signal.SIGKILL)
            told += child.stdout.read().splitlines(keepends=True)
        acknowledged |= {int(line.split()[0]): int(line.split()[1]) for line in told if line.endswith("\n")}
        journal = open_file_journal(tmp_path, file_size=1 << 16)
        there: dict[int, Frame] = {
            placed.place.position: placed.frame for placed in journal.reader().frames(journal.first, journal.end.position)
        }
        asyncio.run(journal.close())
        assert all(there[position] == frame(seed, 1 + seed % 3) for position, seed in acknowledged.items())
    assert len(acknowledged) > 1900


def test_a_second_process_is_refused_and_told_who_holds_the_directory(tmp_path: Path) -> None:
    with appending(tmp_path) as child, pytest.raises(InUse, match=f"process {child.pid} "):
        open_file_journal(tmp_path)
    asyncio.run(open_file_journal(tmp_path).close())
    assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()
