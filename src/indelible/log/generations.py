"""The trees of one log: each loss of acknowledged events ends one and begins another, and so does a backup that was put back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from indelible.model import times
from indelible.model.damage import Head, damage_in
from indelible.model.generation import begun_in
from indelible.tree.merkle import Tree


class Generation(NamedTuple):
    """A tree of a log. Its leaf 0 is the entry at index `start`; `number` counts from 1.

    All but the first begin with an event that says so: `since` is when it was recorded (µs since 1970). Receipts from before
    then for the index `lost` or a higher one no longer hold.
    """

    number: int
    start: int
    tree: Tree
    since: int = 0
    lost: int = 0


def voided(generations: Sequence[Generation], index: int) -> str:
    """What goes on behind a sentence that a log has no entry `index`: which receipts for it do not hold; empty if none was given."""
    since = [each.since for each in generations[1:] if each.lost <= index]
    if not since:
        return ""
    return f"; a receipt for it from before {times.text(since[-1])} is void, for entries were lost then: /v1/status lists all that are"


class Trail:
    """A log's entries as trees: indices go on from one to the next, and `tree` is the one that grows."""

    __slots__ = ("_ended", "current", "start", "tree")

    def __init__(self) -> None:
        self._ended: list[Generation] = []
        self.current = Generation(1, 0, Tree())
        self.start, self.tree = 0, self.current.tree

    @property
    def size(self) -> int:
        """How many entries the log has; the next one gets this index."""
        return self.start + self.tree.size

    @property
    def generations(self) -> tuple[Generation, ...]:
        """Oldest first; the last one is the current one."""
        return (*self._ended, self.current)

    def head(self) -> Head:
        return Head(self.size - 1 if self.size else None, self.tree.size, self.tree.root(), self.current.number)

    def heed(self, line: bytes, recorded: int) -> None:
        """The next entry is this event of the service's own: one that says so begins a generation."""
        if (damage := damage_in(line)) and damage.lost:
            lost = 0 if damage.index is None else damage.index + 1
            self._begin(Generation(self.current.number + 1, self.size, Tree(), recorded, lost))
        elif begun := begun_in(line):
            self._begin(Generation(begun.generation, self.size, Tree(), recorded, self.size))

    def _begin(self, generation: Generation) -> None:
        self._ended.append(self.current)
        self.current = generation
        self.start, self.tree = generation.start, generation.tree
