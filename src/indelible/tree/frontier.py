"""A tree's right edge while leaves come one by one: shows that all entries of a range are in a log, with two proofs for any number."""

from __future__ import annotations

from collections.abc import Sequence

from indelible.errors import Unproven
from indelible.tree.merkle import Hash, node_hash
from indelible.tree.proofs import inclusion_path, verify_inclusion


class Frontier:
    """The roots of the full subtrees that the first `size` leaves fall into, largest first: one for each bit of `size`.

    Begins behind leaves that nobody shows: `left`, of a proof of the next leaf, stands for them.
    """

    def __init__(self, size: int, left: Sequence[Hash]) -> None:
        self.size = size
        self._roots: list[bytes] = list(left)

    def add(self, leaf: bytes) -> None:
        node, bits = leaf, self.size
        while bits & 1:
            node = node_hash(self._roots.pop(), node)
            bits >>= 1
        self._roots.append(node)
        self.size += 1

    def close(self, leaf: bytes, size: int, proof: Sequence[Hash], root: Hash) -> None:
        """Return if what was added, with `leaf` as the last, is what the tree of `size` leaves has there. Raises Unproven.

        `proof` is the last leaf's. Only its hashes prove anything of the others: the first leaf's is then proven too.
        """
        verify_inclusion(leaf, self.size, size, proof, root)
        if left_of(self.size, size, proof) != self._roots:
            raise Unproven(f"the entries before entry {self.size} are not those of the tree of {size}")


def left_of(index: int, size: int, proof: Sequence[Hash]) -> list[Hash]:
    """Of an inclusion proof the hashes that stand for what is left of the leaf, largest subtree first.

    Raises Unproven for a proof of the wrong length.
    """
    if not 0 <= index < size:
        raise Unproven(f"there is no entry {index} in a log of {size} entries")
    path = inclusion_path(index, size)
    if len(path) != len(proof):
        raise Unproven(f"a proof of {len(proof)} hashes for entry {index} of {size}: it has {len(path)}")
    return [hash for leaves, hash in zip(path, proof, strict=True) if leaves.stop <= index][::-1]
