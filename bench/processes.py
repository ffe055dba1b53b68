"""What processes use: a server's share of the machine, with the children that it has started. Linux tells; others do not."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Stat(NamedTuple):
    """One process: seconds of processor, with its ended children's, and MB (10 ** 6 bytes) in memory."""

    parent: int
    cpu: float
    resident: float


def family(pid: int) -> list[Stat]:
    """The process and all that descend from it; empty where there is no /proc."""
    found = {int(path.name): stat for path in Path("/proc").glob("[0-9]*") if (stat := _stat(path))}
    members = {pid} & found.keys()
    while more := {each for each, stat in found.items() if stat.parent in members} - members:
        members |= more
    return [found[each] for each in members]


def total(values: Iterable[float]) -> float | None:
    """Their sum, None if there are none."""
    values = list(values)
    return sum(values) if values else None


def _stat(path: Path) -> Stat | None:
    """Of /proc/PID (proc(5), /proc/pid/stat); None if the process has ended meanwhile."""
    try:
        fields = (path / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    ticks = sum(map(int, fields[11:15]))
    return Stat(int(fields[1]), ticks / os.sysconf("SC_CLK_TCK"), int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6)
