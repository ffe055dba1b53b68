"""Where each journaled event lies, and what became of it: the recorder's map from positions to indices and back."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import NamedTuple

from indelible.journal.port import Place, Position
from indelible.store.port import Refusals


class Held(NamedTuple):
    """Where some entries of a log stand: frames of that log alone, as runs from a place up to a position, and of their events those in
    [start, stop) that were not dropped."""

    log: str
    runs: list[tuple[Place, Position]]
    start: int
    stop: int
    refusals: Refusals


class Places:
    """Positions → frames → indices, about 30 bytes a frame and 16 an event that the fold refused."""

    def __init__(self) -> None:
        self._positions = array("Q")
        self._units = array("I")
        self._offsets = array("Q")
        self._first = array("Q")  # index that the frame's first entry has, in the frame's log
        self._frames: dict[str, array[int]] = {}  # log → its frames
        self._dropped = array("Q")  # positions without an entry, ascending
        self._instead = array("Q")  # for each, the index of the entry that stands for it
        self._conflicts = array("Q")  # positions whose entry is a conflict, ascending
        self._firsts = array("Q")  # for each, the index that holds the id

    def add_frame(self, log: str, place: Place, first: int) -> None:
        """Remember the next frame; its first entry has index `first`."""
        self._frames.setdefault(log, array("Q")).append(len(self._positions))
        self._positions.append(place.position)
        self._units.append(place.unit)
        self._offsets.append(place.offset)
        self._first.append(first)

    def drop(self, position: int, index: int) -> None:
        """The event at `position` has no entry of its own: `index` stands for it."""
        self._dropped.append(position)
        self._instead.append(index)

    def conflict(self, position: int, first: int) -> None:
        """The event at `position` became a conflict entry: `first` holds its id."""
        self._conflicts.append(position)
        self._firsts.append(first)

    def frame(self, position: int) -> Place:
        """The place of the frame that holds the event at `position`."""
        at = bisect_right(self._positions, position) - 1
        return Place(Position(self._positions[at]), self._units[at], self._offsets[at])

    def first(self, position: int) -> int:
        """The index that the first entry of this frame has, or would have."""
        return self._first[bisect_right(self._positions, position) - 1]

    def after(self, position: int) -> Place | None:
        """The place of the frame behind the one that holds the event at `position`; None behind the last."""
        at = bisect_right(self._positions, position)
        return Place(Position(self._positions[at]), self._units[at], self._offsets[at]) if at < len(self._positions) else None

    def index(self, position: int) -> int:
        """The index of the entry at `position`, or of the entry that stands for it."""
        at = bisect_left(self._dropped, position)
        if at < len(self._dropped) and self._dropped[at] == position:
            return self._instead[at]
        frame = bisect_right(self._positions, position) - 1
        start = self._positions[frame]
        return self._first[frame] + position - start - (at - bisect_left(self._dropped, start))

    def position(self, log: str, index: int) -> int:
        """The position of the entry at `index` of `log`, which must exist."""
        frames = self._frames[log]
        frame = frames[bisect_right(frames, index, key=self._first.__getitem__) - 1]
        position = self._positions[frame] + index - self._first[frame]
        at = bisect_left(self._dropped, self._positions[frame])
        while at < len(self._dropped) and self._dropped[at] <= position:
            position, at = position + 1, at + 1
        return position

    def held(self, log: str, start: int, stop: int) -> Held:
        """The entries [start, stop) of `log`, which must exist."""
        first, last = self.position(log, start), self.position(log, stop - 1)
        frames = self._frames[log]
        begin, end = (bisect_right(frames, position, key=self._positions.__getitem__) for position in (first, last))
        runs: list[tuple[Place, Position]] = []
        before = None
        for frame in frames[begin - 1 : end]:
            after = Position(self._positions[frame] + 1)  # inside it, so it is the last one that is read
            if before is not None and frame == before + 1:
                runs[-1] = (runs[-1][0], after)
            else:
                runs.append((self.frame(self._positions[frame]), after))
            before = frame
        return Held(log, runs, first, last + 1, self.refusals(Position(first), Position(last + 1)))

    def conflict_with(self, position: int) -> int | None:
        """The index that holds the id, if the entry at `position` is a conflict."""
        at = bisect_left(self._conflicts, position)
        return self._firsts[at] if at < len(self._conflicts) and self._conflicts[at] == position else None

    def refusals(self, start: Position, stop: Position) -> Refusals:
        """What the fold refused in [start, stop)."""
        dropped = self._dropped[bisect_left(self._dropped, start) : bisect_left(self._dropped, stop)]
        span = slice(bisect_left(self._conflicts, start), bisect_left(self._conflicts, stop))
        return Refusals(frozenset(dropped), dict(zip(self._conflicts[span], self._firsts[span], strict=True)))
