"""One entry's proof as a file that stands for itself: index, hashes and a signed checkpoint (c2sp.org/tlog-proof@v1)."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from indelible.errors import Malformed
from indelible.tree.checkpoint import Opened
from indelible.tree.merkle import Hash
from indelible.tree.policy import Policy, evaluate
from indelible.tree.proofs import verify_inclusion
from indelible.tree.text import base64, decimal, lines_of, shown, unbase64, unhash

HEADER = "c2sp.org/tlog-proof@v1"
SUFFIX = ".tlog-proof"  # of the file's name
MOST_BYTES = 2 << 20
_MOST_HASHES = 63


class Proof(Struct, frozen=True):
    """What the file holds; nothing of it is verified yet, and `extra` never is: nobody signs it."""

    index: int
    hashes: tuple[Hash, ...]
    checkpoint: bytes  # the signed note, verbatim
    extra: bytes | None = None

    def __bytes__(self) -> bytes:
        extra = "" if self.extra is None else f"extra {base64(self.extra)}\n"
        return f"{HEADER}\n{extra}index {self.index}\n{lines_of(self.hashes)}\n".encode() + self.checkpoint


def parse_proof(data: bytes) -> Proof:
    """The proof in a file: exactly those bytes. Raises Malformed; whether the checkpoint is one shows when it is verified."""
    if len(data) > MOST_BYTES:
        raise Malformed(f"a proof of {len(data)} bytes: at most {MOST_BYTES} are read")
    head, blank, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Malformed("the lines of a proof are ASCII up to the checkpoint; these are not") from None
    if not blank or lines.pop(0) != HEADER:
        raise Malformed(f"a proof begins with the line {HEADER}, and an empty line stands before its checkpoint; this is none")
    extra = unbase64(lines.pop(0).removeprefix("extra "), "the extra data") if lines and lines[0].startswith("extra ") else None
    if not lines or not lines[0].startswith("index "):
        raise Malformed(f"the index of the entry belongs where {shown(lines[0]) if lines else 'the empty line'} stands")
    index = decimal(lines.pop(0).removeprefix("index "), "the index")
    if len(lines) > _MOST_HASHES:
        raise Malformed(f"{len(lines)} hashes: no tree needs more than {_MOST_HASHES}")
    return Proof(index, tuple(unhash(line, "a hash of the proof") for line in lines), checkpoint, extra)


def verify_proof(proof: Proof, leaf: bytes, policy: Policy) -> Opened:
    """The checkpoint that the policy accepts and that has `leaf` at the proof's index. Raises Malformed or Unproven."""
    opened = evaluate(policy, proof.checkpoint)
    verify_inclusion(leaf, proof.index, opened.checkpoint.size, proof.hashes, opened.checkpoint.root)
    return opened


def make_proof(index: int, hashes: Sequence[Hash], checkpoint: bytes) -> bytes:
    """The file's bytes, for an inclusion proof up to the size of the signed checkpoint."""
    return bytes(Proof(index, tuple(hashes), checkpoint))
