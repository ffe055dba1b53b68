"""A tree's stored hashes, fetched as tiles: proofs are made here, and no server computes one for each event."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from indelible.tree.merkle import HEIGHT, WIDTH, Hash
from indelible.tree.proofs import inclusion_proof
from indelible.tree.tiles import Tile, decode_hashes
from indelible.tree.tlogproof import make_proof

TILES = 512  # kept: 8 KiB each


class Prover:
    """Makes the proofs of one tree up to one checkpoint, a signed `note`. Nothing is checked: false tiles give false proofs."""

    def __init__(self, fetch: Callable[[str], bytes], size: int, note: bytes) -> None:
        """`fetch` gives a tile by its path. Raises nothing; `proof` raises what `fetch` does, and Malformed for no tile."""
        self._fetch = fetch
        self._size = size
        self._note = note
        self._tiles: OrderedDict[str, list[Hash]] = OrderedDict()

    def proof(self, place: int) -> bytes:
        """That leaf `place`, which is below the size, is in the tree: the bytes of a tlog-proof."""
        return make_proof(place, inclusion_proof(place, self._size, self._hashes), self._note)

    def _hashes(self, level: int, start: int, stop: int, /) -> Sequence[Hash]:
        number = start // WIDTH
        width = min(WIDTH, (self._size >> HEIGHT * level) - number * WIDTH)
        path = Tile(level, number, width).path
        if path not in self._tiles:
            self._tiles[path] = decode_hashes(self._fetch(path), width)
            if len(self._tiles) > TILES:
                self._tiles.popitem(last=False)
        self._tiles.move_to_end(path)
        return self._tiles[path][start - number * WIDTH : stop - number * WIDTH]
