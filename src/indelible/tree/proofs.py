"""Proofs that an entry is in a tree, and that one tree is the beginning of another (RFC 9162, 2.1.3 and 2.1.4).

Checking needs the proof alone. Making needs stored hashes: where they come from is the caller's affair (`Hashes`), and `leaf_ranges` tells
beforehand which leaves to fetch, never more than two tiles of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from indelible.errors import Unproven
from indelible.tree.merkle import EMPTY_ROOT, WIDTH, Hash, node_hash, root_over


class Hashes(Protocol):
    """Stored hashes [start, stop) of a tile level: of one tile, never of two. `Tree.hashes` is one, without closed tiles of leaves."""

    def __call__(self, level: int, start: int, stop: int, /) -> Sequence[bytes]: ...


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> Hash:
    """Root of the tree of `size` leaves that `proof` claims `leaf` is in, at `index` (RFC 9162, 2.1.3.2).

    Raises Unproven if index >= size or the proof has the wrong length: a short proof is no proof.
    """
    if not 0 <= index < size:
        raise Unproven(f"there is no entry {index} in a log of {size} entries")
    _are_hashes(leaf, *proof)
    node = leaf
    for sibling, is_left in _climb(index, size - 1, proof):
        node = node_hash(sibling, node) if is_left else node_hash(node, sibling)
    return Hash(node)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Return if `leaf` is at `index` of the tree of `size` leaves with that `root`. Raises Unproven."""
    if root_from_inclusion(leaf, index, size, proof) != root:
        raise Unproven(f"the proof does not lead from this entry at index {index} to the root of the {size} entries")


def verify_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Return if the tree of `old_size` leaves is the beginning of that of `new_size` (RFC 9162, 2.1.4.2).

    Equal sizes need equal roots and no proof; an old size of 0 needs the empty tree's root and no proof. Raises Unproven.
    """
    if not 0 <= old_size <= new_size:
        raise Unproven(f"a log of {old_size} entries cannot be the beginning of one of {new_size}")
    _are_hashes(old_root, new_root, *proof)
    if old_size in (0, new_size):
        expected = new_root if old_size else EMPTY_ROOT
        if proof or old_root != expected or (not new_size and new_root != EMPTY_ROOT):
            raise Unproven(f"from size {old_size} to {new_size} there is nothing to prove, but the roots or the proof say otherwise")
        return
    below = (old_size & -old_size).bit_length() - 1  # the old tree's last full subtree has 2^below leaves
    at, last = old_size - 1 >> below, new_size - 1 >> below
    if not at:  # then that subtree is the whole old tree, and its root is known
        proof = [old_root, *proof]
    if not proof:
        raise Unproven(f"nothing was shown for the growth from {old_size} to {new_size} entries")
    old = new = proof[0]
    for sibling, is_left in _climb(at, last, proof[1:]):
        if is_left:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
        else:
            new = node_hash(new, sibling)
    if (old, new) != (old_root, new_root):
        raise Unproven(f"the log of {new_size} entries does not continue the one of {old_size}: their roots belong to different histories")


def inclusion_path(index: int, size: int) -> list[range]:
    """The leaves below each hash of an inclusion proof, the leaf's sibling first. Raises ValueError unless 0 <= index < size."""
    if not 0 <= index < size:
        raise ValueError(f"no entry {index} among {size}")
    path, start, stop = [], 0, size
    while stop - start > 1:
        middle = _middle(start, stop)
        if index < middle:
            path.append(range(middle, stop))
            stop = middle
        else:
            path.append(range(start, middle))
            start = middle
    return path[::-1]


def consistency_path(old: int, new: int) -> list[range]:
    """The leaves below each hash of a consistency proof, in its order. Raises ValueError unless 0 <= old <= new."""
    if not 0 <= old <= new:
        raise ValueError(f"{old} entries are not the beginning of {new}")
    path, start, stop = [], 0, new
    while 0 < old < stop:
        middle = _middle(start, stop)
        if old <= middle:
            path.append(range(middle, stop))
            stop = middle
        else:
            path.append(range(start, middle))
            start = middle
    if start:
        path.append(range(start, old))
    return path[::-1]


def inclusion_proof(index: int, size: int, hashes: Hashes) -> list[Hash]:
    """That entry `index` is among the first `size`: at most 63 hashes. Costs some hundred hashes, whatever the size.

    Raises ValueError unless 0 <= index < size, and what `hashes` raises.
    """
    return [subtree(leaves, hashes) for leaves in inclusion_path(index, size)]


def consistency_proof(old: int, new: int, hashes: Hashes) -> list[Hash]:
    """That the first `old` entries are the beginning of the first `new`; none if old is 0 or new.

    Raises ValueError unless 0 <= old <= new, and what `hashes` raises.
    """
    return [subtree(leaves, hashes) for leaves in consistency_path(old, new)]


def root(size: int, hashes: Hashes) -> Hash:
    """The root of the first `size` leaves."""
    return subtree(range(size), hashes)


def subtree(leaves: range, hashes: Hashes) -> Hash:
    """The root over `leaves`, which are a subtree of a log's tree, as paths give them, or its beginning."""
    edge: list[bytes] = []
    for span in _spans(leaves):
        stored = hashes(*span)
        if len(stored) != span.stop - span.start:
            raise IndexError(f"asked for {span}, got {len(stored)} hashes")
        edge = [root_over([*stored, *edge])]
    return Hash(edge[0]) if edge else EMPTY_ROOT


def leaf_ranges(path: Iterable[range]) -> list[range]:
    """The leaves to have at hand for the subtrees of `path`: a range per tile, ascending, at most two for a proof of any size."""
    tiles: dict[int, range] = {}
    for span in (span for leaves in path for span in _spans(leaves) if span.level == 0):
        tile = span.start // WIDTH
        known = tiles.get(tile, range(span.start, span.stop))
        tiles[tile] = range(min(known.start, span.start), max(known.stop, span.stop))
    return [tiles[tile] for tile in sorted(tiles)]


def with_leaves(hashes: Hashes, leaves: Mapping[range, Sequence[bytes]]) -> Hashes:
    """`hashes`, but leaves come from those that were fetched for `leaf_ranges`; what is in none of them is asked of `hashes`."""

    def read(level: int, start: int, stop: int, /) -> Sequence[bytes]:
        for have, found in leaves.items() if level == 0 else ():
            if have.start <= start and stop <= have.stop:
                return found[start - have.start : stop - have.start]
        return hashes(level, start, stop)

    return read


class _Span(NamedTuple):
    level: int
    start: int
    stop: int


def _spans(leaves: range) -> Iterator[_Span]:
    """The stored hashes that the root over `leaves` follows from, lowest level first: at most one run in one tile of each level."""
    level, start, stop = 0, leaves.start, leaves.stop
    while start < stop:
        first = start if start % WIDTH else max(start, stop // WIDTH * WIDTH)
        if first < stop:
            yield _Span(level, first, stop)
        level, start, stop = level + 1, start // WIDTH, first // WIDTH


def _climb(at: int, last: int, proof: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each sibling on the way up from node `at` of a level that ends with node `last`, and whether it is the left one.

    Raises Unproven if the proof goes on beyond the root or ends below it.
    """
    for sibling in proof:
        if not last:
            raise Unproven(f"a proof of {len(proof)} hashes is too long for this tree")
        is_left = bool(at & 1) or at == last
        yield sibling, is_left
        while is_left and at and not at & 1:  # a last node without a partner rises as it is
            at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    if last:
        raise Unproven(f"a proof of {len(proof)} hashes is too short for this tree")


def _middle(start: int, stop: int) -> int:
    """Where RFC 6962 splits [start, stop): after the largest power of two below its length."""
    return start + (1 << (stop - start - 1).bit_length() - 1)


def _are_hashes(*values: bytes) -> None:
    if any(len(value) != 32 for value in values):
        raise Unproven("a hash has 32 bytes")
