"""Journaled frames in runs that are worth a look together: a million small ones are folded in half the time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from indelible.journal.port import Placed
from indelible.log.prepare import SLICE


def runs(frames: Iterable[Placed]) -> Iterator[list[Placed]]:
    """Frames next to each other of one log and origin, about SLICE bytes of lines at a time."""
    run: list[Placed] = []
    size, shared = 0, (0, "", "", "")
    for placed in frames:
        frame = placed.frame
        if run and (size > SLICE or (frame.recorded, frame.log, frame.writer, frame.dialect) != shared):
            yield run
            run, size = [], 0
        if not run:
            shared = frame.recorded, frame.log, frame.writer, frame.dialect
        run.append(placed)
        size += len(frame.text)
    if run:
        yield run
