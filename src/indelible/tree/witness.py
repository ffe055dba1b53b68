"""What a log and a witness say to each other: the texts of add-checkpoint (c2sp.org/tlog-witness)."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from indelible.errors import Malformed
from indelible.tree.merkle import Hash
from indelible.tree.note import Key, Note, Signature, parse_signature, verify_note
from indelible.tree.text import decimal, lines_of, shown, unhash

PATH = "add-checkpoint"  # under the witness's submission prefix
SIZE_TYPE = "text/x.tlog.size"  # of the answer 409
MOST_BYTES = 64 << 10  # of an answer
_MOST_HASHES = 63
_MOST_REQUEST = 2 << 20


class Addition(NamedTuple):
    """A request: from what the witness had last, the proof, and the signed checkpoint to cosign."""

    old: int
    proof: tuple[Hash, ...]
    checkpoint: bytes

    def __bytes__(self) -> bytes:
        return f"old {self.old}\n{lines_of(self.proof)}\n".encode() + self.checkpoint


def parse_addition(body: bytes) -> Addition:
    """The request in a body: exactly those bytes. Raises Malformed, which a witness answers with 400."""
    head, blank, checkpoint = body[: _MOST_REQUEST + 1].partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Malformed("the lines of a request are ASCII up to the checkpoint; these are not") from None
    if not blank or not first.startswith("old ") or len(lines) > _MOST_HASHES or len(body) > _MOST_REQUEST:
        raise Malformed(f"a request is `old <size>`, at most {_MOST_HASHES} hashes, an empty line and a checkpoint; this is none")
    old = decimal(first.removeprefix("old "), "the old size")
    return Addition(old, tuple(unhash(line, "a hash of the proof") for line in lines), checkpoint)


def parse_size(body: bytes) -> int:
    """The size that a witness has, from its answer 409. Raises Malformed."""
    text = body[:MOST_BYTES].decode("ascii", "replace")
    if not text.endswith("\n"):
        raise Malformed(f"a witness that knows another size answers with it and LF, not with {shown(text)}")
    return decimal(text.removesuffix("\n"), "the witness's size")


def parse_cosignatures(body: bytes) -> tuple[Signature, ...]:
    """The signature lines of an answer 200, of which nothing is verified yet. Raises Malformed; also for no line."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    if len(body) > MOST_BYTES or not text.endswith("\n"):
        raise Malformed("a witness answers with signature lines, each ended by LF; this is something else")
    return tuple(parse_signature(line) for line in text.removesuffix("\n").split("\n"))


def accepted(body: bytes, text: str, keys: Collection[Key]) -> tuple[Signature, ...]:
    """The lines of an answer 200 by which `keys` cosign `text`; those of unknown keys are left out.

    Raises Malformed for another kind of answer, and Unproven if a line of a known key does not verify or there is none.
    """
    note = Note(text, parse_cosignatures(body))
    ids = {(signed.key.name, signed.key.id) for signed in verify_note(note, keys)}
    return tuple(line for line in note.signatures if (line.name, line.id) in ids)
