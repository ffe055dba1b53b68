"""Tiles against a log of 300 entries that other implementations made and checked, and paths and bundles that must not pass."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import VECTORS, vectors

from indelible.errors import Malformed
from indelible.tree.merkle import WIDTH, Tree, leaf_hash
from indelible.tree.tiles import ENTRIES, MOST_BYTES, Tile, decode_bundle, decode_hashes, encode_bundle, tile_at, tiles_of

TILES: dict[str, Any] = vectors("tiles")
LOG: dict[str, Any] = vectors("tiles-300")
FILES = VECTORS / "tiles-300"
LEAVES = [bytes.fromhex(leaf) for leaf in LOG["leaf_hashes_hex"]]
ANY_TILE = st.builds(Tile, st.integers(ENTRIES, 63), st.integers(0, 10**21 - 1), st.integers(1, WIDTH))


@pytest.mark.parametrize("vector", TILES["paths"], ids=lambda vector: vector["path"])
def test_a_path_and_its_tile_belong_to_each_other(vector: dict[str, Any]) -> None:
    tile = Tile(vector["level"], vector["n"], vector["width"])
    assert tile.path == vector["path"]
    assert tile_at(vector["path"]) == tile


@given(ANY_TILE)
def test_every_tile_has_one_path(tile: Tile) -> None:
    assert tile_at(tile.path) == tile


@pytest.mark.parametrize("path", [each["path"] for each in TILES["bad_paths"]])
def test_a_path_with_another_spelling_names_nothing(path: str) -> None:
    with pytest.raises(Malformed, match="no path of a tile"):
        tile_at(path)


HOSTILE_PATHS = [
    *("", "tile", "tile/0/", "/tile/0/000", "tile/0/../0/000", "tile/0/000\n", "tile/0/000\x00", "tile/0/\ud800"),
    *("tile/0/٠٠٠", "tile/٣/000", "tile/0/000.p/٣", "tile/0/000.p/1.p/1", "tile/0/" + "x999/" * 5000 + "999"),
]


@pytest.mark.parametrize("path", HOSTILE_PATHS, ids=lambda path: ascii(path[:20]))
def test_no_path_raises_anything_but_our_error(path: str) -> None:
    with pytest.raises(Malformed):
        tile_at(path)


@given(ANY_TILE.map(lambda tile: tile.path), st.data())
def test_a_path_that_was_changed_anywhere_names_another_tile_or_none(path: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(path)))
    piece = data.draw(st.sampled_from(["", "0", "x", "/", ".p/", "1", "000", "x000/"]))
    changed = path[:at] + piece + path[at + data.draw(st.integers(0, 2)) :]
    try:
        tile = tile_at(changed)
    except Malformed:
        return
    assert tile.path == changed


@pytest.mark.parametrize("vector", TILES["sizes"], ids=lambda vector: str(vector["size"]))
def test_a_log_of_some_size_has_these_tiles(vector: dict[str, Any]) -> None:
    tiles = list(tiles_of(vector["size"]))
    assert len(tiles) == vector["tiles"]
    rightmost = [list(level)[-1].path for _, level in groupby(tiles, key=lambda tile: tile.level)]
    assert rightmost == (vector["rightmost_tiles"] or [])


@given(st.integers(0, 200_000))
def test_a_log_keeps_its_tiles_as_it_grows_and_has_nothing_beyond_them(size: int) -> None:
    tiles = list(tiles_of(size))
    assert all(tile.is_in(size) and tile.is_in(size + 1) for tile in tiles)
    for last in {tile.level: tile for tile in tiles}.values():
        wider = last._replace(width=last.width + 1) if last.width < WIDTH else last._replace(number=last.number + 1, width=1)
        assert not wider.is_in(size)
    assert not Tile(len({tile.level for tile in tiles}), 0, 1).is_in(size)
    assert Tile(ENTRIES, 1, 1).is_in(size) == (size > WIDTH)


def test_the_tiles_of_a_log_are_those_that_others_made() -> None:
    tree = Tree()
    tree.extend(LEAVES)
    for tile in tiles_of(300):
        data = (FILES / tile.path).read_bytes()
        hashes = LEAVES[tile.start : tile.stop] if tile.level == 0 else tree.hashes(tile.level, tile.start, tile.stop)
        assert decode_hashes(data, tile.width) == hashes
        assert b"".join(hashes) == data


@pytest.mark.parametrize("tile", [Tile(ENTRIES, 0), Tile(ENTRIES, 1, 44)], ids=lambda tile: tile.path)
def test_the_bundles_of_a_log_are_those_that_others_made_and_hash_to_its_leaves(tile: Tile) -> None:
    data = (FILES / tile.path).read_bytes()
    entries = decode_bundle(data, tile.width)
    assert encode_bundle(entries) == data
    assert [leaf_hash(entry) for entry in entries] == LEAVES[tile.start : tile.stop]


@pytest.mark.parametrize("vector", TILES["bundles"], ids=lambda vector: vector["why"])
def test_a_bundle_is_read_whole_or_not_at_all(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["bundle_hex"] or "")
    if vector["must"] == "accept":
        assert decode_bundle(data, vector["width"]) == [bytes.fromhex(entry) for entry in vector["entries_hex"]]
    else:
        with pytest.raises(Malformed):
            decode_bundle(data, vector["width"])


@given(st.binary(max_size=40), st.integers(1, 5))
def test_any_bytes_are_the_bundle_of_their_entries_or_none(data: bytes, width: int) -> None:
    try:
        entries = decode_bundle(data, width)
    except Malformed:
        return
    assert len(entries) == width
    assert encode_bundle(entries) == data


def test_an_entry_of_65_535_bytes_fits_and_one_more_does_not() -> None:
    entries = [b"x" * MOST_BYTES, b""]
    assert decode_bundle(encode_bundle(entries), 2) == entries
    with pytest.raises(ValueError, match="65535"):
        encode_bundle([b"x" * (MOST_BYTES + 1)])


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_tile_has_exactly_its_hashes(length: int) -> None:
    with pytest.raises(Malformed, match="a tile of 1 hashes has 32 bytes"):
        decode_hashes(b"x" * length, 1)
