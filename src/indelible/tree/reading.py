"""The hashes of a signed tree from tiles that nobody vouches for: each is held against the root before it is used."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from indelible.errors import Malformed, Unproven
from indelible.tree import proofs
from indelible.tree.merkle import HEIGHT, WIDTH, Hash, root_over
from indelible.tree.tiles import Tile, decode_hashes

KEPT = 64  # tiles; whoever goes through a log in its order needs one of each level


class Read(Protocol):
    """The bytes that stand under a tile's path, whatever they are."""

    def __call__(self, tile: Tile, /) -> bytes: ...


class SignedTree:
    """The tree of `size` leaves with this `root`, as far as its tiles are read. Calling it is asking for hashes (proofs.Hashes).

    What it gives follows from the root, or it raises Unproven, which names the tile; and what `read` raises.
    """

    def __init__(self, size: int, root: bytes, read: Read) -> None:
        """Reads the last tile of each level. Raises Unproven if these do not lead to the root."""
        self.size = size
        self.edge = {tile.level: tile for tile in edge_of(size)}
        self._read = read
        self._last = {level: hashes_in(tile, read) for level, tile in self.edge.items()}
        self._kept: OrderedDict[tuple[int, int], list[Hash]] = OrderedDict()
        if proofs.root(size, self._at_the_edge) != root:
            paths = ", ".join(tile.path for tile in self.edge.values())
            raise Unproven(f"{paths or 'no tile'} should lead to the signed root of {size} entries, and does not")

    def __call__(self, level: int, start: int, stop: int, /) -> list[Hash]:
        """Hashes [start, stop) of one tile of a level."""
        number = start // WIDTH
        if level in self.edge and number == self.edge[level].number:
            return self._at_the_edge(level, start, stop)
        return self._full(level, number)[start - number * WIDTH : stop - number * WIDTH]

    def root(self, size: int) -> Hash:
        """The root that the first `size` entries had, of as many as there are or fewer."""
        return proofs.root(size, self)

    def _at_the_edge(self, level: int, start: int, stop: int, /) -> list[Hash]:
        first = self.edge[level].start
        return self._last[level][start - first : stop - first]

    def _full(self, level: int, number: int) -> list[Hash]:
        kept = self._kept.get((level, number))
        if kept is None:
            tile = Tile(level, number)
            if tile.stop > self.size >> HEIGHT * level:
                raise IndexError(f"{tile.path} lies beyond {self.size} entries")
            (above,) = self(level + 1, number, number + 1)
            kept = hashes_in(tile, self._read)
            if root_over(list(kept)) != above:
                raise Unproven(f"{tile.path} does not hold the hashes that lie under the signed root")
            self._kept[level, number] = kept
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end((level, number))
        return kept


def edge_of(size: int) -> list[Tile]:
    """The partial tiles of a log of `size` entries, at most one a level, lowest first: its root follows from them alone."""
    tiles = []
    level, hashes = 0, size
    while hashes:
        number, width = divmod(hashes, WIDTH)
        if width:
            tiles.append(Tile(level, number, width))
        level, hashes = level + 1, number
    return tiles


def hashes_in(tile: Tile, read: Read) -> list[Hash]:
    """The hashes of a tile as they were read. Raises Malformed, which names the tile."""
    data = read(tile)
    try:
        return decode_hashes(data, tile.width)
    except Malformed as error:
        raise Malformed(f"{tile.path}: {error.detail}") from None


def misfit(size: int, read: Read, leaves: Callable[[Tile], list[Hash]]) -> str:
    """Which of the last tiles of a log is not what lies below it; empty if all fit each other, and so another root than the signed one.

    `leaves` gives what the entries of a tile of level 0 hash to. Reads at most 255 tiles a level.
    """
    for tile in edge_of(size):
        hashes = hashes_in(tile, read)
        for place, hash in enumerate(hashes):
            if tile.level == 0:
                if leaves(tile)[place] != hash:
                    return f"{tile.path}: its hash {place} is not that of entry {tile.start + place}"
                continue
            below = Tile(tile.level - 1, tile.start + place)
            if root_over(list(hashes_in(below, read))) != hash:
                return f"{tile.path}: its hash {place} is not that over {below.path}"
    return ""
