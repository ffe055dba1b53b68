"""What a log puts its name to: that it has so many entries, under this root (c2sp.org/tlog-checkpoint)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from indelible.errors import Malformed, Unproven
from indelible.tree.merkle import EMPTY_ROOT, Hash
from indelible.tree.note import Key, Note, Signed, Signer, checked_text, parse_note, sign_note, verify_note
from indelible.tree.strangers import unsigned
from indelible.tree.text import base64, decimal, shown, unhash


class Checkpoint(NamedTuple):
    """The log `origin` has `size` entries, and this is their root. There is no time in it: that is a witness's to say."""

    origin: str
    size: int
    root: Hash
    extensions: tuple[str, ...] = ()  # further lines, signed too, that mean nothing to us

    @property
    def text(self) -> str:
        """The text that is signed."""
        lines = (self.origin, str(self.size), base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


class Told(NamedTuple):
    """That a tree had this root at this size. `where` goes on after "the root …": a file and its line, or when it was shown."""

    size: int
    root: bytes
    where: str


class Opened(NamedTuple):
    """A checkpoint that was verified: `logs` signed it as its log, `witnesses` cosigned it. `note` holds all lines, known or not."""

    checkpoint: Checkpoint
    logs: tuple[Signed, ...]
    witnesses: tuple[Signed, ...]
    note: Note


def parse_checkpoint(text: str) -> Checkpoint:
    """The checkpoint in a note's text: for each text at most one, and the same text again from it. Raises Malformed."""
    match checked_text(text).removesuffix("\n").split("\n"):
        case [origin, size, root, *extensions] if origin and all(extensions):
            checkpoint = Checkpoint(origin, decimal(size, "a checkpoint's size"), unhash(root, "a checkpoint's root"), tuple(extensions))
            if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
                raise Malformed(f"a checkpoint of size 0 whose root is not that of no entries: {shown(root)}")
            return checkpoint
    raise Malformed("a checkpoint is an origin, a size and a root, a line each, and perhaps more lines that are not empty")


def sign_checkpoint(checkpoint: Checkpoint, signers: Iterable[Signer]) -> bytes:
    """The signed note. Raises Malformed for a checkpoint that could not be read back.

    Never call this for two histories: what was signed before must be known for certain, also after a crash.
    """
    if parse_checkpoint(checkpoint.text) != checkpoint:
        raise Malformed(f"a checkpoint cannot hold {shown(checkpoint.text)}")
    return bytes(sign_note(checkpoint.text, signers))


def open_checkpoint(data: bytes, origin: str, keys: Collection[Key], witnesses: Collection[Key] = ()) -> Opened:
    """The checkpoint in a signed note, if it is of the log `origin` and one of `keys` signed it; and which of `witnesses` cosigned it.

    Raises Malformed for what is no checkpoint; Unproven for another origin, without a signature by `keys`, and if any line of a
    known key, a witness's too, does not verify.
    """
    note = parse_note(data)
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != origin:
        raise Unproven(f"a checkpoint of the log {shown(checkpoint.origin)}, not of {shown(origin)}")
    known = {(key.name, key.id) for key in keys}
    if not any((line.name, line.id) in known for line in note.signatures):
        raise Unproven(unsigned(note, origin, keys))
    signed = verify_note(note, [*keys, *witnesses])
    logs = tuple(by for by in signed if by.key in keys)
    return Opened(checkpoint, logs, tuple(by for by in signed if by.key in witnesses), note)
