"""The duplicate window: which ids the last million or two journaled events carried, and where."""

from __future__ import annotations

from collections.abc import Sequence

GENERATION = 1 << 20  # journaled events, duplicates among them; the window is the current and the previous generation


class Window:
    """Keys of the journaled events of two generations, by position. A key is 64 bits of (log, source, id).

    Two ids may share a key, so a hit says only where to look. Memory: about 120 bytes an event.
    """

    def __init__(self, generation: int = GENERATION) -> None:
        self._size = generation
        self._number = 0
        self._now = _Generation()
        self._before = _Generation()

    def room(self, position: int) -> int:
        """How many events from `position` on share its generation, which becomes the current one."""
        number, within = divmod(position, self._size)
        if number != self._number:
            self._before = self._now if number == self._number + 1 else _Generation()
            self._now = _Generation()
            self._number = number
        return self._size - within

    def fresh(self, keys: Sequence[int]) -> bool:
        """Whether no key is in the window, nor twice in `keys`."""
        now, before = self._now.first, self._before.first
        if len(keys) == 1:
            return keys[0] not in now and keys[0] not in before
        return len(set(keys)) == len(keys) and now.keys().isdisjoint(keys) and before.keys().isdisjoint(keys)

    def add(self, keys: Sequence[int], position: int) -> None:
        """Remember fresh `keys`, the first of which was journaled at `position`."""
        self._now.first.update(zip(keys, range(position, position + len(keys)), strict=True))

    def add_again(self, key: int, position: int) -> None:
        """Remember one key that may have been there already."""
        if self._now.first.setdefault(key, position) != position:
            self._now.later.setdefault(key, []).append(position)

    def places(self, key: int) -> list[int]:
        """The positions of every event in the window with this key, in order."""
        return self._before.places(key) + self._now.places(key)


class _Generation:
    """`first`: key → the position that had it first; `later`: key → the other positions of this generation."""

    __slots__ = ("first", "later")

    def __init__(self) -> None:
        self.first: dict[int, int] = {}
        self.later: dict[int, list[int]] = {}

    def places(self, key: int) -> list[int]:
        return [self.first[key], *self.later.get(key, ())] if key in self.first else []
