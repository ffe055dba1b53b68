"""The trees of one log: each loss of acknowledged events ends one and begins another."""

from __future__ import annotations

from typing import NamedTuple

from indelible.model.damage import Damage, Head
from indelible.tree.merkle import Tree


class Generation(NamedTuple):
    """A tree of a log. Its leaf 0 is the entry at index `start`; `number` counts from 1.

    All but the first begin with a damage event: `since` is when it was recorded (µs since 1970). Receipts that were given before then
    for the index `lost` or a higher one no longer hold.
    """

    number: int
    start: int
    tree: Tree
    since: int = 0
    lost: int = 0


class Trail:
    """A log's entries as trees: indices go on from one to the next, and `tree` is the one that grows."""

    __slots__ = ("_ended", "current", "start", "tree")

    def __init__(self) -> None:
        self._ended: list[Generation] = []
        self._begin(Generation(1, 0, Tree()))

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

    def lose(self, damage: Damage, recorded: int) -> None:
        """The next entry, a damage event that says so, begins a generation."""
        self._ended.append(self.current)
        lost = 0 if damage.index is None else damage.index + 1
        self._begin(Generation(self.current.number + 1, self.size, Tree(), recorded, lost))

    def _begin(self, generation: Generation) -> None:
        self.current = generation
        self.start, self.tree = generation.start, generation.tree
