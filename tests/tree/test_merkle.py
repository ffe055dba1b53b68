"""The tree against vectors that other implementations agree on, and against RFC 6962's own definition."""

from __future__ import annotations

import json
import tracemalloc
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indelible.tree import merkle
from indelible.tree.merkle import EMPTY_ROOT, WIDTH, Tree, leaf_hash, node_hash

VECTORS = Path(__file__).parents[1] / "vectors"
RFC6962: dict[str, Any] = json.loads((VECTORS / "rfc6962.json").read_text())
ROOTS: dict[int, str] = {root["size"]: root["root_hex"] for root in RFC6962["roots"]}
MANY = [sha256(b"\0" + b"entry-%d" % i).digest() for i in range(max(ROOTS))]


def by_definition(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1, over leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\1" + by_definition(leaves[:k]) + by_definition(leaves[k:])).digest()


@cache
def root_of_many(size: int) -> bytes:
    return by_definition(MANY[:size])


@cache
def root_of_many_at(tile: int) -> bytes:
    return by_definition(MANY[WIDTH * tile : WIDTH * (tile + 1)])


def grown(*batches: list[bytes]) -> Tree:
    tree = Tree()
    for batch in batches:
        tree.extend(batch)
    return tree


@pytest.mark.parametrize("vector", RFC6962["leaf_hashes"], ids=lambda vector: f"{vector['len']} bytes")
def test_a_leaf_hash_is_the_one_that_others_compute(vector: dict[str, str]) -> None:
    entry = bytes.fromhex(vector["data_hex"]) if "data_hex" in vector else b"\xff" * int(vector["len"])
    assert leaf_hash(entry).hex() == vector["leaf_hash_hex"]


@pytest.mark.parametrize("size", ROOTS)
def test_a_tree_made_at_once_has_the_root_that_others_compute(size: int) -> None:
    assert grown(MANY[:size]).root().hex() == ROOTS[size]


def test_a_tree_grown_batch_by_batch_passes_through_every_root_that_others_compute() -> None:
    tree = Tree()
    assert tree.root() == EMPTY_ROOT
    for size in sorted(ROOTS):
        tree.extend(MANY[tree.size : size])
        assert (tree.size, tree.root().hex()) == (size, ROOTS[size])


def test_the_eight_leaves_that_many_implementations_test_with_give_their_roots() -> None:
    tree = Tree()
    reference = RFC6962["ct_reference"]
    for leaf, root in zip(reference["leaves_hex"], reference["roots_hex_by_size_from_1"], strict=True):
        tree.extend([leaf_hash(bytes.fromhex(leaf))])
        assert tree.root().hex() == root


def test_a_node_is_not_a_leaf_of_the_same_bytes() -> None:
    left, right = MANY[:2]
    assert node_hash(left, right) == sha256(b"\1" + left + right).digest()
    assert node_hash(left, right) != leaf_hash(left + right)


@given(st.integers(0, 700).flatmap(lambda size: st.tuples(st.just(size), st.lists(st.integers(0, size), max_size=8).map(sorted))))
def test_however_leaves_are_split_into_batches_the_root_is_that_of_the_definition(split: tuple[int, list[int]]) -> None:
    size, cuts = split
    tree = grown(*(MANY[start:stop] for start, stop in zip([0, *cuts], [*cuts, size], strict=True)))
    assert (tree.size, tree.root()) == (size, root_of_many(size))


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 4), st.booleans()), max_size=8))
def test_hashing_that_was_put_off_changes_no_hash(steps: list[tuple[int, int, bool]]) -> None:
    tree = Tree()
    for more, tiles, ask in steps:
        tree.defer(MANY[tree.size : tree.size + more])
        full = tree.size // WIDTH
        tree.close(tiles)
        if ask:
            assert tree.hashes(1, 0, full) == [root_of_many_at(tile) for tile in range(full)]
            assert tree.hashes(0, full * WIDTH, tree.size) == MANY[full * WIDTH : tree.size]
        tree.defer(MANY[tree.size : tree.size + 300])
        assert tree.root() == grown(MANY[: tree.size]).root()
        assert not tree.close()


def test_two_threads_that_close_tiles_close_each_of_them_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tree, honest = Tree(), merkle._tops
    tree.defer(MANY[:600])
    other = Thread(target=tree.close)

    def meanwhile(nodes: list[bytes]) -> list[bytes]:
        if other.ident is None:
            other.start()
            other.join(0.2)  # it has to wait for this one
        return honest(nodes)

    monkeypatch.setattr(merkle, "_tops", meanwhile)
    tree.close()
    other.join()
    assert tree.hashes(1, 0, 2) == [root_of_many_at(0), root_of_many_at(1)]
    assert tree.root() == root_of_many(600)


def test_tiles_are_closed_as_many_as_were_asked_for() -> None:
    tree = Tree()
    tree.defer(MANY[:1100])
    assert [tree.close(0), tree.close(1), tree.close(2), tree.close(1), tree.close(1)] == [True, True, True, False, False]


def test_one_leaf_at_a_time_gives_the_root_of_the_definition_at_every_size() -> None:
    tree = Tree()
    for size in range(1, 700):
        tree.extend(MANY[size - 1 : size])
        assert tree.root() == root_of_many(size)


def test_a_root_that_was_asked_for_does_not_change_what_comes_after() -> None:
    asked = grown(MANY[:300])
    assert asked.root() == asked.root()
    asked.extend(MANY[300:1000])
    assert asked.root() == grown(MANY[:1000]).root()


def test_a_batch_is_left_as_it_was() -> None:
    batch = MANY[:600]
    tree = grown(batch)
    assert batch == MANY[:600]
    batch.clear()
    assert tree.root() == root_of_many(600)


def test_each_level_holds_one_hash_for_every_full_tile_below_it() -> None:
    tree = grown(MANY[:70_000])
    assert tree.hashes(1, 0, 273) == [by_definition(MANY[at : at + WIDTH]) for at in range(0, 69_888, WIDTH)]
    assert tree.hashes(2, 0, 1) == [by_definition(MANY[:65_536])]
    assert tree.hashes(1, 5, 5) == []


def test_levels_do_not_depend_on_how_the_leaves_came() -> None:
    in_pieces = Tree()
    for at in range(0, 70_000, 77):
        in_pieces.extend(MANY[at : min(at + 77, 70_000)])
    at_once = grown(MANY[:70_000])
    assert in_pieces.hashes(1, 0, 273) == at_once.hashes(1, 0, 273)
    assert in_pieces.hashes(2, 0, 1) == at_once.hashes(2, 0, 1)


def test_a_batch_that_fills_tiles_on_two_levels_at_once_fills_them_all() -> None:
    tree = grown(MANY[:255], MANY[255:65_536])
    assert tree.hashes(2, 0, 1) == [tree.root()]
    assert len(tree.hashes(1, 0, 256)) == 256


def test_a_level_is_that_of_a_log_whose_files_others_have_checked() -> None:
    log = json.loads((VECTORS / "tiles-300.json").read_text())
    tree = grown([bytes.fromhex(leaf) for leaf in log["leaf_hashes_hex"]])
    assert b"".join(tree.hashes(1, 0, 1)) == (VECTORS / "tiles-300/tile/1/000.p/1").read_bytes()
    assert tree.root().hex() == log["root_hex"]


def test_a_quarter_of_a_million_leaves_take_less_than_a_third_of_a_byte_each() -> None:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tree = Tree()
        for _ in range(4):
            tree.extend(MANY[:65_536])
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept < tree.size / 3


@pytest.mark.parametrize("asked", [(0, 0, 1), (1, 0, 3), (1, -1, 1), (1, 2, 1), (2, 0, 1), (-1, 0, 0)], ids=str)
def test_hashes_that_are_not_kept_or_not_there_are_refused(asked: tuple[int, int, int]) -> None:
    with pytest.raises(IndexError, match="no hashes"):
        grown(MANY[:600]).hashes(*asked)
