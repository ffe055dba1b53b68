"""Proofs and tiles of the recorder's trees: hashes of closed tiles come from memory, leaves and headers from the journal's frames."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

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
BUNDLES = 32  # closed tiles of entries that are kept, some 100 KiB each: a proof needs a tile's leaves, then one entry of it

_Key = tuple[str, int, int]  # log, generation, number of the tile


class _Asked(NamedTuple):
    """Entries to read, of the open tile or all of a closed one, and what they must hash to: the leaves, or that tile's one hash above."""

    key: _Key
    span: range
    held: Held
    hashes: list[Hash]


class Proofs:
    """Belongs to the recorder's event loop; what reads the journal does so in a thread. Sizes and indices count from a tree's first leaf.

    Nothing here asks what was published: that is the caller's affair.
    """

    def __init__(self, recorder: Recorder, reader: Reader) -> None:
        self._recorder = recorder
        self._reader = reader
        self._tiles: OrderedDict[_Key, bytes] = OrderedDict()
        self._bundles: OrderedDict[_Key, list[Entry]] = OrderedDict()

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
        """These entries of one tile, whose headers hash to what the tree has. Raises Damaged."""
        asked = self._asked(log, generation, span)
        found = self._bundles.get(asked.key) if len(asked.span) == WIDTH else None
        if found is None:
            found = await asyncio.to_thread(headers_of, self._reader, asked.held)
            self._confirm(asked, found)
        return found[span.start - asked.span.start : span.stop - asked.span.start]

    async def _with_leaves(self, log: str, generation: Generation, path: Iterable[range]) -> proofs.Hashes:
        have = {span: await self._fetched(log, generation, span) for span in proofs.leaf_ranges(path)}
        return proofs.with_leaves(generation.tree.hashes, have)

    async def _fetched(self, log: str, generation: Generation, span: range) -> list[Hash]:
        """Leaves of one tile."""
        if _is_closed(generation, span) and (log, generation.number, span.start // WIDTH) not in self._tiles:
            await self.entries(log, generation, span)
        return self._leaves(log, generation, span)

    def _leaves(self, log: str, generation: Generation, span: range) -> list[Hash]:
        """The same, in this thread."""
        if not _is_closed(generation, span):
            return generation.tree.hashes(0, span.start, span.stop)
        key = (log, generation.number, span.start // WIDTH)
        if key not in self._tiles:
            asked = self._asked(log, generation, span)
            self._confirm(asked, headers_of(self._reader, asked.held))
        self._tiles.move_to_end(key)
        tile = self._tiles[key]
        return [Hash(tile[at : at + 32]) for at in range(32 * (span.start % WIDTH), 32 * (span.start % WIDTH + len(span)), 32)]

    def _asked(self, log: str, generation: Generation, span: range) -> _Asked:
        tree, number = generation.tree, span.start // WIDTH
        if _is_closed(generation, span):
            span = range(number * WIDTH, (number + 1) * WIDTH)
            hashes = tree.hashes(1, number, number + 1)
        else:
            hashes = tree.hashes(0, span.start, span.stop)
        held = self._recorder.held(log, generation.start + span.start, generation.start + span.stop)
        return _Asked((log, generation.number, number), span, held, hashes)

    def _confirm(self, asked: _Asked, entries: list[Entry]) -> None:
        """Hold entries against the tree, and keep the leaves of a closed tile. Raises Damaged."""
        leaves: list[bytes] = [leaf_hash(entry.header) for entry in entries]
        closed = len(asked.span) == WIDTH
        if len(leaves) != len(asked.span) or ([root_over(leaves)] if closed else leaves) != asked.hashes:
            what = f"{len(asked.span)} entries of log {asked.held.log!r} between positions {asked.held.start} and {asked.held.stop}"
            raise Damaged(f"{what} are not those that stood there when they were folded")
        if closed:
            self._tiles[asked.key] = b"".join(leaves)
            self._bundles[asked.key] = entries
            while len(self._tiles) > TILES:
                self._tiles.popitem(last=False)
            while len(self._bundles) > BUNDLES:
                self._bundles.popitem(last=False)


def _is_closed(generation: Generation, span: range) -> bool:
    """Whether the tree has the whole tile in which these lie, and keeps its leaves no longer."""
    return span.start // WIDTH < generation.tree.size // WIDTH
