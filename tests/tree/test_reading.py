"""Tiles that nobody vouches for: what is given out follows from the signed root, or the tile is named that does not."""

from __future__ import annotations

from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import mth

from indelible.errors import Malformed, Unproven
from indelible.tree.merkle import Tree
from indelible.tree.reading import SignedTree, edge_of, misfit
from indelible.tree.tiles import Tile, tiles_of

MOST = 70_000
LEAVES = [sha256(str(number).encode()).digest() for number in range(MOST)]
SIZES = st.one_of(st.integers(0, 1500), st.sampled_from([65_535, 65_536, 65_537, MOST]))


def tiles(size: int) -> dict[str, bytes]:
    """By path, made of the leaves alone."""
    return dict(_tiles(size))


@cache
def _tiles(size: int) -> dict[str, bytes]:
    levels = [LEAVES[:size]]
    while len(levels[-1]) >= 256:
        below = levels[-1]
        levels.append([mth(below[at : at + 256]) for at in range(0, len(below) // 256 * 256, 256)])
    return {tile.path: b"".join(levels[tile.level][tile.start : tile.stop]) for tile in tiles_of(size)}


@cache
def root(size: int) -> bytes:
    tree = Tree()
    tree.extend(LEAVES[:size])
    return tree.root()


@settings(deadline=None)  # the first example of a size makes its tree
@given(SIZES, st.data())
def test_hashes_and_earlier_roots_are_those_of_the_tree(size: int, data: st.DataObject) -> None:
    shown = tiles(size)
    tree = SignedTree(size, root(size), lambda tile: shown[tile.path])
    for earlier in data.draw(st.lists(st.integers(0, size), max_size=4)):
        assert tree.root(earlier) == root(earlier)
    if size:
        tile = data.draw(st.sampled_from(list(tiles_of(size))))
        start = data.draw(st.integers(tile.start, tile.stop - 1))
        assert b"".join(tree(tile.level, start, tile.stop)) == shown[tile.path][32 * (start - tile.start) :]


@settings(deadline=None)
@given(SIZES.filter(bool), st.data())
def test_a_false_tile_gives_no_hash_and_is_named(size: int, data: st.DataObject) -> None:
    shown = tiles(size)
    tile = data.draw(st.sampled_from(list(tiles_of(size))))
    false = bytearray(shown[tile.path])
    false[data.draw(st.integers(0, len(false) - 1))] ^= 1
    shown[tile.path] = bytes(false)
    with pytest.raises(Unproven) as caught:
        SignedTree(size, root(size), lambda tile: shown[tile.path])(tile.level, tile.start, tile.stop)
    assert tile.path in caught.value.detail


@given(SIZES.filter(bool), st.integers(-32, 1).filter(bool))
def test_a_tile_of_another_length_is_named(size: int, more: int) -> None:
    shown = tiles(size)
    edge = edge_of(size)[0]
    shown[edge.path] = (shown[edge.path] + b"x")[: len(shown[edge.path]) + more]
    with pytest.raises(Malformed, match=edge.path):
        SignedTree(size, root(size), lambda tile: shown[tile.path])


@given(SIZES)
def test_the_last_tiles_alone_give_the_root(size: int) -> None:
    shown, read = tiles(size), []

    def reading(tile: Tile) -> bytes:
        read.append(tile)
        return shown[tile.path]

    SignedTree(size, root(size), reading)
    assert read == edge_of(size) == [tile for tile in tiles_of(size) if tile.width < 256]
    with pytest.raises(Unproven):
        SignedTree(size, bytes(32), reading)


@given(st.sampled_from([700, 65_536 + 300, MOST]), st.data())
def test_of_last_tiles_that_miss_the_root_the_false_one_is_told(size: int, data: st.DataObject) -> None:
    shown = tiles(size)

    def read(tile: Tile) -> bytes:
        return shown[tile.path]

    def leaves(tile: Tile) -> list[bytes]:
        return LEAVES[tile.start : tile.stop]

    assert misfit(size, read, leaves) == ""  # type: ignore[arg-type]
    edge = data.draw(st.sampled_from(edge_of(size)))
    place = data.draw(st.integers(0, edge.width - 1))
    false = bytearray(shown[edge.path])
    false[32 * place + 7] ^= 1
    shown[edge.path] = bytes(false)
    assert misfit(size, read, leaves).startswith(f"{edge.path}: its hash {place} is not that ")  # type: ignore[arg-type]


def test_what_lies_beyond_the_tree_is_not_given() -> None:
    shown = tiles(300)
    tree = SignedTree(300, root(300), lambda tile: shown[tile.path])
    with pytest.raises(IndexError):
        tree(0, 512, 768)
