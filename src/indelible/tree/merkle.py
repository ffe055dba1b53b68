"""A log's Merkle tree (RFC 6962, 2.1), which grows a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from threading import Lock
from typing import NewType

Hash = NewType("Hash", bytes)
"""32 bytes of SHA-256."""

EMPTY_ROOT = Hash(sha256(b"").digest())
HEIGHT = 8  # a tile spans eight levels of the tree (c2sp.org/tlog-tiles)
WIDTH = 1 << HEIGHT


def leaf_hash(entry: bytes) -> Hash:
    """SHA-256(0x00 ‖ entry): no entry can pass for a node."""
    return Hash(sha256(b"\0" + entry).digest())


def node_hash(left: bytes, right: bytes) -> Hash:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return Hash(sha256(b"\1" + left + right).digest())


class Tree:
    """The tree of one log: `size` leaves, of which only those of the open tile are kept, and all hashes of the levels above.

    A tile is WIDTH hashes of one level side by side; level 0 is the leaves, and level L+1 holds one hash for each full tile of
    level L: for every 256^(L+1) leaves. That is 0.3 bytes of memory a leaf, and all that tiles and proofs cannot get from rows.
    """

    __slots__ = ("_closing", "_levels", "_open", "size")

    def __init__(self) -> None:
        self.size = 0
        self._open: list[bytes] = []  # the leaves of the open tile, and those of tiles that `close` has not come to
        self._closing = Lock()
        self._levels: list[list[bytes]] = []  # level 1 and up

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes, 32 bytes each. Costs one hash a leaf (0.3–0.4 µs), and next to nothing else in large batches."""
        self.defer(leaves)
        self.close()

    def defer(self, leaves: Sequence[bytes]) -> None:
        """As `extend`, but leave the hashing to calls of `close`; whoever asks for a hash before has to wait for it."""
        self.size += len(leaves)
        self._open += leaves

    def close(self, tiles: int | None = None) -> bool:
        """Hash full tiles, at most `tiles` of them; returns whether more are left. From any thread."""
        with self._closing:
            full = len(self._open) // WIDTH
            if closing := min(full, full if tiles is None else tiles):
                self._rise(_tops(self._open[: closing * WIDTH]))
                del self._open[: closing * WIDTH]
            return full > closing

    def root(self) -> Hash:
        """The root of the tree as it stands. Costs at most WIDTH hashes for each level, once all full tiles are closed."""
        self.close()
        edge: list[bytes] = []
        for level in (self._open, *self._levels):
            nodes = level[len(level) // WIDTH * WIDTH :] + edge
            edge = [root_over(nodes)] if nodes else []
        return Hash(edge[0]) if edge else EMPTY_ROOT

    def hashes(self, level: int, start: int, stop: int) -> list[Hash]:
        """Hashes [start, stop) of a level, as tiles hold them; of level 0 only what lies in the open tile.

        Raises IndexError for what is not there, or not kept.
        """
        self.close()
        kept: list[bytes] = []
        if level == 0:
            gone = self.size - len(self._open)
            kept, start, stop = self._open, start - gone, stop - gone
        elif 1 <= level <= len(self._levels):
            kept = self._levels[level - 1]
        if level < 0 or not 0 <= start <= stop <= len(kept):
            raise IndexError(f"no hashes {start} to {stop} of the {len(kept)} kept at level {level} of a tree of {self.size} leaves")
        return [Hash(hash) for hash in kept[start:stop]]

    def _rise(self, tops: list[bytes]) -> None:
        """Carry the hashes of full tiles into level 1, those of the tiles that fill up there into level 2, and so on."""
        level = 0
        while tops:
            if level == len(self._levels):
                self._levels.append([])
            kept = self._levels[level]
            closed = len(kept) // WIDTH * WIDTH
            kept += tops
            tops = _tops(kept[closed : len(kept) // WIDTH * WIDTH])
            level += 1


def _tops(nodes: list[bytes]) -> list[bytes]:
    """One hash for each full tile of `nodes`; all tiles together, one of the eight levels at a time."""
    for _ in range(HEIGHT):
        each = iter(nodes)
        nodes = [sha256(b"\1" + left + right).digest() for left, right in zip(each, each, strict=True)]
    return nodes


def root_over(nodes: list[bytes]) -> bytes:
    """The root over one node or more of a level, side by side. One without a partner rises as it is (RFC 6962)."""
    while len(nodes) > 1:
        odd = nodes[len(nodes) & ~1 :]
        each = iter(nodes)
        nodes = [node_hash(left, right) for left, right in zip(each, each, strict=False)] + odd
    return nodes[0]
