"""Proofs against vectors that other implementations agree on, against RFC 6962's own definitions, and against liars."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import mth, path, proof, vectors

from indelible.errors import Unproven
from indelible.tree.merkle import EMPTY_ROOT, WIDTH, Tree, leaf_hash
from indelible.tree.proofs import (
    Hashes,
    consistency_path,
    consistency_proof,
    inclusion_path,
    inclusion_proof,
    leaf_ranges,
    root,
    root_from_inclusion,
    subtree,
    verify_consistency,
    verify_inclusion,
    with_leaves,
)

RFC6962: dict[str, Any] = vectors("rfc6962")
ROOTS: dict[int, bytes] = {each["size"]: bytes.fromhex(each["root_hex"]) for each in RFC6962["roots"]}
LEAVES = [leaf_hash(b"entry-%d" % i) for i in range(max(ROOTS))]
TREE = Tree()
TREE.extend(LEAVES)
FLIPPED = sha256(b"another").digest()


def unhex(hashes: Sequence[str] | None) -> list[bytes]:
    return [bytes.fromhex(hash) for hash in hashes or ()]


def stored(level: int, start: int, stop: int) -> Sequence[bytes]:
    """What a log that keeps everything reads, and a check of what it is asked: one tile at most, and something of it."""
    assert start < stop
    assert start // WIDTH == (stop - 1) // WIDTH
    return LEAVES[start:stop] if level == 0 else TREE.hashes(level, start, stop)


def fetched(ranges: Sequence[range]) -> Hashes:
    """A log that has the levels above the leaves in memory, and of the leaves only those of `ranges`."""
    levels = Tree()
    levels.extend(LEAVES[: len(LEAVES) // WIDTH * WIDTH])
    return with_leaves(levels.hashes, {leaves: LEAVES[leaves.start : leaves.stop] for leaves in ranges})


@pytest.mark.parametrize("vector", RFC6962["inclusion"], ids=lambda vector: f"{vector['index']} of {vector['size']}")
def test_an_inclusion_proof_is_the_one_that_others_make_and_holds(vector: dict[str, Any]) -> None:
    index, size = vector["index"], vector["size"]
    made = inclusion_proof(index, size, stored)
    assert made == unhex(vector["proof_hex"])
    assert root_from_inclusion(LEAVES[index], index, size, made) == root(size, stored)
    if size in ROOTS:
        verify_inclusion(LEAVES[index], index, size, made, ROOTS[size])


@pytest.mark.parametrize("vector", RFC6962["consistency"], ids=lambda vector: f"{vector['old']} to {vector['new']}")
def test_a_consistency_proof_is_the_one_that_others_make_and_holds(vector: dict[str, Any]) -> None:
    old, new = vector["old"], vector["new"]
    made = consistency_proof(old, new, stored)
    assert made == unhex(vector["proof_hex"])
    verify_consistency(old, root(old, stored), new, root(new, stored), made)


@pytest.mark.parametrize("size", ROOTS)
def test_the_root_of_any_size_that_the_log_passed_through_can_be_made_again(size: int) -> None:
    assert root(size, stored) == ROOTS[size]


@pytest.mark.parametrize("vector", RFC6962["must_reject"], ids=lambda vector: f"{vector['kind']}: {vector['why']}")
def test_what_others_refuse_is_refused(vector: dict[str, Any]) -> None:
    shown = unhex(vector["proof_hex"])
    with pytest.raises(Unproven):
        if vector["kind"] == "inclusion":
            leaf = leaf_hash(vector["leaf"].encode())
            verify_inclusion(leaf, vector["index"], vector["size"], shown, bytes.fromhex(vector["root_hex"]))
        else:
            old, new = bytes.fromhex(vector["old_root_hex"]), bytes.fromhex(vector["new_root_hex"])
            verify_consistency(vector["old"], old, vector["new"], new, shown)


PAIRS = st.integers(1, 300).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size)))


@given(PAIRS)
def test_at_any_size_the_proofs_are_those_of_the_definition_and_hold(pair: tuple[int, int]) -> None:
    index, size = pair
    leaves = LEAVES[:size]
    assert inclusion_proof(index, size, stored) == path(index, leaves)
    assert consistency_proof(index, size, stored) == proof(index, leaves)
    verify_inclusion(LEAVES[index], index, size, path(index, leaves), mth(leaves))
    verify_consistency(index, mth(leaves[:index]), size, mth(leaves), proof(index, leaves))
    verify_consistency(size, mth(leaves), size, mth(leaves), [])


@given(PAIRS, st.data())
def test_an_inclusion_proof_holds_for_nothing_else(pair: tuple[int, int], data: st.DataObject) -> None:
    index, size = pair
    leaf, shown, top = LEAVES[index], path(index, LEAVES[:size]), mth(LEAVES[:size])
    other = data.draw(st.integers(0, 300))
    lies: list[tuple[bytes, int, int, list[bytes], bytes]] = [
        (FLIPPED, index, size, shown, top),
        (leaf, index, size, shown, FLIPPED),
        (leaf, index, size, [*shown, FLIPPED], top),
        (leaf, index, size, [FLIPPED, *shown], top),
        *((leaf, index, size, shown[:at] + shown[at + 1 :], top) for at in range(len(shown))),
        *((leaf, index, size, [*shown[:at], FLIPPED, *shown[at + 1 :]], top) for at in range(len(shown))),
        *((leaf, index, size, [*shown[:at], shown[at][1:], *shown[at + 1 :]], top) for at in range(len(shown))),
    ]
    if other != index:
        lies.append((leaf, other, size, shown, top))
    for lie in lies:
        with pytest.raises(Unproven):
            verify_inclusion(*lie)


@given(st.integers(1, 299).flatmap(lambda old: st.tuples(st.just(old), st.integers(old + 1, 300))), st.integers(0, 300))
def test_a_consistency_proof_holds_for_nothing_else(pair: tuple[int, int], other: int) -> None:
    old, new = pair
    before, after, shown = mth(LEAVES[:old]), mth(LEAVES[:new]), proof(old, LEAVES[:new])
    lies: list[tuple[int, bytes, int, bytes, list[bytes]]] = [
        (old, FLIPPED, new, after, shown),
        (old, before, new, FLIPPED, shown),
        (new, after, old, before, shown),
        (old, before, new, after, [*shown, FLIPPED]),
        (old, before, new, after, [before, *shown]),
        (old, before, new, after, []),
        *((old, before, new, after, shown[:at] + shown[at + 1 :]) for at in range(len(shown))),
        *((old, before, new, after, [*shown[:at], FLIPPED, *shown[at + 1 :]]) for at in range(len(shown))),
    ]
    if other != old:
        lies.append((other, before, new, after, shown))
    for lie in lies:
        with pytest.raises(Unproven):
            verify_consistency(*lie)


@pytest.mark.parametrize("size", [0, 1, 300])
def test_everything_continues_the_empty_log_and_needs_no_proof(size: int) -> None:
    top = root(size, stored)
    verify_consistency(0, EMPTY_ROOT, size, top, [])
    for lie in [(0, FLIPPED, size, top, []), (0, EMPTY_ROOT, size, top, [FLIPPED]), (0, top, size, FLIPPED, [])]:
        if size or lie[3] == FLIPPED:
            with pytest.raises(Unproven):
                verify_consistency(*lie)


def test_two_short_hashes_do_not_pass_for_one_node() -> None:
    """31 and 33 bytes side by side hash like 32 and 32: lengths have to be looked at."""
    left, right = LEAVES[:2]
    both = left + right
    top = root(2, stored)
    verify_inclusion(left, 0, 2, [right], top)
    with pytest.raises(Unproven):
        verify_inclusion(both[:31], 0, 2, [both[31:]], top)
    with pytest.raises(Unproven):
        verify_inclusion(both[:33], 0, 2, [both[33:]], top)


def test_two_short_hashes_do_not_pass_for_the_growth_of_a_log() -> None:
    both = LEAVES[0] + LEAVES[1]
    verify_consistency(1, both[:32], 2, root(2, stored), [both[32:]])
    for cut in (31, 33):
        with pytest.raises(Unproven):
            verify_consistency(1, both[:cut], 2, root(2, stored), [both[cut:]])


@pytest.mark.parametrize("size", [1, 256, 257, 65_536, 65_537, 69_999, 70_000])
def test_a_proof_needs_the_leaves_of_at_most_two_tiles_and_says_which(size: int) -> None:
    for at in {0, size // 2, size - 1}:
        paths = [inclusion_path(at, size), consistency_path(at, size)]
        for way in paths:
            ranges = leaf_ranges(way)
            assert len(ranges) <= 2
            assert all(leaves.start // WIDTH == (leaves.stop - 1) // WIDTH for leaves in ranges)
            assert all(before.stop <= after.start for before, after in pairwise(ranges))
        if leaf_ranges(paths[0]):
            assert inclusion_proof(at, size, fetched(leaf_ranges(paths[0]))) == inclusion_proof(at, size, stored)
        assert consistency_proof(at, size, fetched(leaf_ranges(paths[1]))) == consistency_proof(at, size, stored)


def test_a_tree_alone_is_enough_where_no_closed_tile_of_leaves_is_needed() -> None:
    assert root(70_000, TREE.hashes) == ROOTS[70_000]
    assert inclusion_proof(69_999, 70_000, TREE.hashes) == inclusion_proof(69_999, 70_000, stored)
    assert consistency_proof(65_536, 70_000, TREE.hashes) == consistency_proof(65_536, 70_000, stored)
    with pytest.raises(IndexError, match="level 0"):
        inclusion_proof(5, 70_000, TREE.hashes)


def test_a_proof_at_a_million_entries_reads_few_tiles() -> None:
    """Each hash of it is read from at most one tile of each level, and all together lie in six."""
    read: list[tuple[int, int]] = []

    def any_log(level: int, start: int, stop: int, /) -> Sequence[bytes]:
        read.append((level, start // WIDTH))
        return [FLIPPED] * (stop - start)

    assert len(inclusion_proof(123_456, 1_000_000, any_log)) == 20
    assert len(read) <= 30
    assert len(set(read)) <= 6


def test_a_source_that_gives_too_little_makes_no_proof() -> None:
    with pytest.raises(IndexError, match="asked for"):
        subtree(range(200), lambda level, start, stop: LEAVES[start : stop - 1])


@pytest.mark.parametrize("question", [(-1, 3), (3, 3), (0, 0)])
def test_a_proof_for_an_entry_that_is_not_there_is_not_begun(question: tuple[int, int]) -> None:
    with pytest.raises(ValueError):
        inclusion_proof(*question, stored)


@pytest.mark.parametrize("question", [(-1, 3), (4, 3)])
def test_a_proof_from_a_size_beyond_is_not_begun(question: tuple[int, int]) -> None:
    with pytest.raises(ValueError):
        consistency_proof(*question, stored)
