"""The duplicate window: which ids the last million or two journaled events carried, and where."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Sequence
from itertools import repeat

GENERATION = 1 << 20  # journaled events, duplicates among them; the window is the current and the previous generation
KEY = (1 << 60) - 1  # a key's bits: the largest number for which CPython takes 32 bytes and not 48
_CHUNK = 1024  # events that share one number for their place; a hit looks through so many


class Window:
    """Keys of the journaled events of two generations, by position. A key is 60 bits of (log, source, id).

    Two ids may share a key, so a hit says only where to look. Memory: about 80 bytes an event (docs/adr/0004).
    """

    # TODO(look-up): an id from before the window is stored again; once there are segments, `prepare` looks older ones up in them.

    def __init__(self, generation: int = GENERATION) -> None:
        self._size = generation
        self._number = -1  # none yet
        self._now = _Generation(0)
        self._before = _Generation(0)

    def room(self, position: int) -> int:
        """How many events from `position` on share its generation, which becomes the current one."""
        number, within = divmod(position, self._size)
        if number != self._number:
            self._before = self._now if number == self._number + 1 else _Generation(position)
            self._now = _Generation(position)
            self._number = number
        return self._size - within

    def take(self, keys: Sequence[int], position: int) -> bool:
        """Remember `keys`, the first journaled at `position`, and say so; if one is known, or stands there twice, remember none."""
        now = self._now
        if not self._before.chunks.keys().isdisjoint(keys):
            return False
        chunks, held, chunk = now.chunks, len(now.chunks), now.chunk_at(position)
        for at in range(0, len(keys), _CHUNK):
            deque(map(chunks.setdefault, keys[at : at + _CHUNK], repeat(position + at if at else chunk)), 0)
        if len(chunks) - held < len(keys):
            while len(chunks) > held:
                chunks.popitem()  # the newest is the last
            return False
        now.keys.extend(array("Q", keys))
        return True

    def take_again(self, key: int, body: bytes, position: int) -> None:
        """Remember one more event with a known key. `body` is a digest of its id and bytes (Sent.digest)."""
        now = self._now
        now.keys.append(key)
        if key in now.chunks:
            now.bodies.setdefault(body, position)
        else:
            now.chunks[key] = now.chunk_at(position)

    def places(self, key: int, body: bytes) -> list[int]:
        """The positions that decide about an event with this key: one that had this very body, else the first of each generation."""
        generations = (self._before, self._now)
        same = [generation.bodies[body] for generation in generations if body in generation.bodies]
        return same[:1] or [generation.first(key) for generation in generations if key in generation.chunks]

    def all_places(self, key: int) -> list[int]:
        """Every position with this key, in order: for two ids that share it, which no service lives long enough to see."""
        return self._before.all(key) + self._now.all(key)


class _Generation:
    """The keys in journal order, and for each the chunk that had it first: a number that hundreds of keys share costs nothing.

    A dictionary of numbers is nothing to the garbage collector, which would walk through a set each time.
    """

    __slots__ = ("bodies", "chunk", "chunks", "keys", "start")

    def __init__(self, start: int) -> None:
        self.start = start  # position of its first key
        self.chunk = start  # position from which to look for the newest keys
        self.chunks: dict[int, int] = {}
        self.keys = array("Q")
        self.bodies: dict[bytes, int] = {}  # what came again under a key of this generation → where it came first

    def chunk_at(self, position: int) -> int:
        if position - self.chunk >= _CHUNK:
            self.chunk = position
        return self.chunk

    def first(self, key: int) -> int:
        return self.start + self.keys.index(key, self.chunks[key] - self.start)

    def all(self, key: int) -> list[int]:
        return [self.start + at for at, each in enumerate(self.keys) if each == key]
