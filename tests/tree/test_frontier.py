"""A range of leaves is proven by two proofs, whatever its length."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import mth, path

from indelible.errors import Unproven
from indelible.tree.frontier import Frontier, left_of
from indelible.tree.merkle import Hash

LEAVES = [sha256(b"\0%d" % at).digest() for at in range(300)]
SPANS = st.tuples(st.integers(1, 300), st.integers(0, 299), st.integers(0, 299)).map(
    lambda three: (three[0], min(three[1] % three[0], three[2] % three[0]), max(three[1] % three[0], three[2] % three[0]))
)


def shown(leaves: list[bytes], size: int, first: int, last: int) -> None:
    """Raises Unproven unless `leaves` are those from `first` to `last` of the first `size`."""
    whole = LEAVES[:size]
    before = [Hash(each) for each in path(first, whole)]
    edge = Frontier(first, left_of(first, size, before))
    for leaf in leaves[:-1]:
        edge.add(leaf)
    edge.close(leaves[-1], size, [Hash(each) for each in path(last, whole)], Hash(mth(whole)))


@given(SPANS)
def test_every_range_of_every_tree_is_proven(span: tuple[int, int, int]) -> None:
    size, first, last = span
    shown(LEAVES[first : last + 1], size, first, last)


@given(SPANS, st.data())
def test_a_leaf_that_was_changed_dropped_or_doubled_is_not(span: tuple[int, int, int], data: st.DataObject) -> None:
    size, first, last = span
    leaves = LEAVES[first : last + 1]
    at = data.draw(st.integers(0, len(leaves) - 1))
    wrong = [[*leaves[:at], sha256(b"other").digest(), *leaves[at + 1 :]], [*leaves[: at + 1], *leaves[at:]]]
    if len(leaves) > 1:
        wrong.append([*leaves[:at], *leaves[at + 1 :]])
    for each in wrong:
        with pytest.raises(Unproven):
            shown(each, size, first, last)


@pytest.mark.parametrize(("index", "size"), [(3, 3), (0, 0), (-1, 4)])
def test_a_proof_of_an_entry_that_is_not_there_is_none(index: int, size: int) -> None:
    with pytest.raises(Unproven, match="there is no entry"):
        left_of(index, size, [])


def test_a_proof_of_another_length_is_none() -> None:
    with pytest.raises(Unproven, match="it has 2"):
        left_of(1, 4, [Hash(LEAVES[0])])
