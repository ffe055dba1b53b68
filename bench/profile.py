"""Where a server's time goes while events come in, by function: `python -m bench.profile --batch 1 --connections 64`.

Needs py-spy (`python3 -m pip install py-spy`), which looks at the server from outside 500 times a second and slows it by a few percent.
What C code does (hashes, JSON, sockets) counts for the Python function that called it. Only the holder of the interpreter counts: what
runs beside it, as writing and syncing the journal does, costs no other thread its time.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bench import report
from bench.client import BATCHES, Failed
from bench.generator import Sending
from bench.load import Result, Shape
from bench.server import indelible_server
from bench.session import DATA, session

SHOWN = 25  # functions
_FRAME = re.compile(r"(\S+) \((.*?)(?::\d+)?\)$")
_TOLD_APART = ("indelible/", "uvicorn/", "starlette/")
_EVENTS = 400_000_000  # more than any server takes before it is told to stop


Place = tuple[str, str]  # file, function


def shares(stacks: Iterable[str]) -> Counter[Place]:
    """Samples by place. A line is a stack, outermost frame first, with semicolons between, then the number of samples."""
    found: Counter[Place] = Counter()
    for line in stacks:
        stack, _, samples = line.rpartition(" ")
        found[_where(stack.split(";"))] += int(samples)
    return found


def _where(frames: list[str]) -> Place:
    """The innermost frame of a package that is told apart. The event loop counts for who runs it."""
    for frame in reversed(frames):
        if (parts := _FRAME.match(frame)) and parts[2].startswith(_TOLD_APART):
            return parts[2], parts[1]
    return "elsewhere", "-"


def recorded(program: str, folder: Path, shape: tuple[int, int, int], flags: list[str]) -> tuple[Counter[Place], Result]:
    """The samples, and what was acknowledged meanwhile. Raises Failed."""
    batch, connections, seconds = shape
    stacks = folder / "stacks"
    with indelible_server(folder, *flags) as server, Sending(Shape(server.port, batch, connections, _EVENTS)) as sending:
        watching = [program, "record", "--gil", "--format", "raw", "--rate", "500", "--duration", str(seconds), "--output", str(stacks)]
        done = subprocess.run([*watching, "--pid", str(server.pid)], capture_output=True, text=True, check=False, timeout=seconds + 60)
        if done.returncode:
            raise Failed(done.stderr.strip())
        return shares(stacks.read_text().splitlines()), sending.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description="Where a server's time goes while events come in.")
    parser.add_argument("--batch", type=int, choices=BATCHES, default=1000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--py-spy", default="py-spy", metavar="PROGRAM")
    parser.add_argument("flags", nargs="*", metavar="-- FLAG", help="for `indelible serve`")
    given = parser.parse_args()
    program = shutil.which(given.py_spy)
    if program is None:
        sys.exit(f"bench-profile: there is no {given.py_spy}: `python3 -m pip install py-spy`, or name it with --py-spy")
    with session("bench-profile", DATA, 120 + given.seconds) as folder:
        found, result = recorded(program, folder, (given.batch, given.connections, given.seconds), given.flags)
    lines = [(f"{100 * samples / found.total():.1f} %", *where) for where, samples in found.most_common(SHOWN)]
    print(f"{result.rate:,.0f} events/s meanwhile, {found.total():,} samples\n")
    print("\n".join(report.aligned([("share", "file", "function"), *lines], right=[0])))


if __name__ == "__main__":
    main()
