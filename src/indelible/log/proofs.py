"""Proofs and tiles of the recorder's trees: hashes of closed tiles come from memory, leaves and headers from the journal's frames."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

from indelible.errors import Damaged
from indelible.journal.port import Reader
from indelible.log.generations import Generation
from indelible.log.headers import Entry, headers_of
from indelible.log.places import Held
from indelible.log.recorder import Recorder
from indelible.tree import proofs
from indelible.tree.merkle import WIDTH, Hash, leaf_hash, root_over
from indelible.tree.tiles import ENTRIES, Tile, encode_bundle

TILES = 1024  # closed tiles of leaves that are kept: 8 KiB each

_Key = tuple[str, int, int]


class Proofs:
    """Belongs to the recorder's event loop; what reads the journal does so in a thread. Sizes and indices count from a tree's first leaf.

    Nothing here asks what was published: that is the caller's affair.
    """

    def __init__(self, recorder: Recorder, reader: Reader) -> None:
        self._recorder = recorder
        self._reader = reader
        self._tiles: OrderedDict[_Key, bytes] = OrderedDict()

    def generations(self, log: str) -> tuple[Generation, ...]:
        """The trees of `log`, oldest first."""
        return self._recorder.generations(log)

    async def inclusion(self, log: str, generation: Generation, index: int, size: int) -> list[Hash]:
        """That entry `index` is among the first `size` of the tree, which has as many (tree/proofs.py). Raises Damaged."""
        path = proofs.inclusion_path(index, size)
        return proofs.inclusion_proof(index, size, await self._with_leaves(log, generation, path))

    async def consistency(self, log: str, generation: Generation, old: int, new: int) -> list[Hash]:
        """That the first `old` entries of the tree are the beginning of the first `new`, of which it has as many. Raises Damaged."""
        path = proofs.consistency_path(old, new)
        return proofs.consistency_proof(old, new, await self._with_leaves(log, generation, path))

    def root(self, log: str, generation: Generation, size: int) -> Hash:
        """The root of the first `size` leaves. Blocks. Raises Damaged."""
        have = {span: self._leaves(log, generation, span) for span in proofs.leaf_ranges([range(size)])}
        return proofs.root(size, proofs.with_leaves(generation.tree.hashes, have))

    async def tile(self, log: str, generation: Generation, tile: Tile) -> bytes:
        """The bytes of a tile or bundle that lies in the tree (c2sp.org/tlog-tiles). Raises Damaged."""
        span = range(tile.start, tile.stop)
        if tile.level == ENTRIES:
            return encode_bundle([entry.header for entry in await self.entries(log, generation, span)])
        if tile.level == 0:
            return b"".join(await self._fetched(log, generation, span))
        return b"".join(generation.tree.hashes(tile.level, tile.start, tile.stop))

    async def entries(self, log: str, generation: Generation, span: range) -> list[Entry]:
        """These entries of one tile, whose headers hash to the leaves in the tree. Raises Damaged."""
        whole = _whole_tile(span) if self._is_closed(generation, span) else span
        found = await asyncio.to_thread(headers_of, self._reader, self._held(log, generation, whole))
        self._confirm(log, generation, whole, found)
        return found[span.start - whole.start : span.stop - whole.start]

    async def _with_leaves(self, log: str, generation: Generation, path: Iterable[range]) -> proofs.Hashes:
        have = {span: await self._fetched(log, generation, span) for span in proofs.leaf_ranges(path)}
        return proofs.with_leaves(generation.tree.hashes, have)

    async def _fetched(self, log: str, generation: Generation, span: range) -> list[Hash]:
        """Leaves of one tile."""
        if self._is_closed(generation, span) and (log, generation.number, span.start // WIDTH) not in self._tiles:
            await self.entries(log, generation, span)
        return self._leaves(log, generation, span)

    def _leaves(self, log: str, generation: Generation, span: range) -> list[Hash]:
        """The same, in this thread."""
        if not self._is_closed(generation, span):
            return generation.tree.hashes(0, span.start, span.stop)
        whole, key = _whole_tile(span), (log, generation.number, span.start // WIDTH)
        if key not in self._tiles:
            self._confirm(log, generation, whole, headers_of(self._reader, self._held(log, generation, whole)))
        self._tiles.move_to_end(key)
        tile = self._tiles[key]
        return [Hash(tile[32 * at : 32 * (at + 1)]) for at in range(span.start - whole.start, span.stop - whole.start)]

    def _held(self, log: str, generation: Generation, span: range) -> Held:
        return self._recorder.held(log, generation.start + span.start, generation.start + span.stop)

    def _is_closed(self, generation: Generation, span: range) -> bool:
        """Whether the tree has the whole tile in which these lie, and keeps its leaves no longer."""
        return span.start // WIDTH < generation.tree.size // WIDTH

    def _confirm(self, log: str, generation: Generation, span: range, entries: list[Entry]) -> None:
        """Hold entries against the tree, a closed tile's or some of the open one's, and keep the former's leaves. Raises Damaged."""
        leaves: list[bytes] = [leaf_hash(entry.header) for entry in entries]
        key = (log, generation.number, span.start // WIDTH)
        if len(leaves) != len(span) or not self._is_the_trees(generation, span, leaves):
            first = generation.start + span.start
            raise Damaged(f"entries {first} to {first + len(span) - 1} of log {log!r} are not those that stood there when they were folded")
        if len(span) == WIDTH:
            self._tiles[key] = b"".join(leaves)
            while len(self._tiles) > TILES:
                self._tiles.popitem(last=False)

    def _is_the_trees(self, generation: Generation, span: range, leaves: list[bytes]) -> bool:
        if len(span) == WIDTH:
            return [root_over(leaves)] == generation.tree.hashes(1, span.start // WIDTH, span.start // WIDTH + 1)
        if self._is_closed(generation, span):  # it was open when they were asked for
            return True
        return leaves == generation.tree.hashes(0, span.start, span.stop)


def _whole_tile(span: range) -> range:
    first = span.start // WIDTH * WIDTH
    return range(first, first + WIDTH)
