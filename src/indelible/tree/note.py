"""Signed notes: a text, and below it one line for each signature (c2sp.org/signed-note)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple, Protocol

from indelible.errors import Malformed, Unproven
from indelible.tree.text import base64, shown, unbase64

MOST_BYTES = 1 << 20  # of a note
MOST_SIGNATURES = 100
_NO_TEXT = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]")
_NO_NAME = re.compile(r"[\s+\x00-\x1f\x7f\ud800-\udfff]")


class Signature(NamedTuple):
    """A signature line. What `payload` holds depends on the key's kind: only the key can tell."""

    name: str
    id: bytes  # 4 bytes
    payload: bytes

    @property
    def line(self) -> str:
        return f"— {self.name} {base64(self.id + self.payload)}\n"


class Key(Protocol):
    """What checks one signer's lines: those with its name and its id."""

    @property
    def name(self) -> str: ...

    @property
    def id(self) -> bytes: ...

    def verify(self, text: str, payload: bytes) -> int | None:
        """POSIX seconds that the signer put his name to; None where this kind of signature has no time. Raises Unproven."""
        ...


class Signer(Protocol):
    """What adds one line to a text."""

    def sign(self, text: str) -> Signature: ...


class Signed(NamedTuple):
    """A key that signed a text, and when; the latest time if it signed more than once."""

    key: Key
    time: int | None


class Note(NamedTuple):
    """A text and its signatures, of which nothing is verified yet. `text` ends with LF; that LF is signed too."""

    text: str
    signatures: tuple[Signature, ...]

    def __bytes__(self) -> bytes:
        return f"{self.text}\n{''.join(by.line for by in self.signatures)}".encode()

    def joined(self, more: Iterable[Signature]) -> Note:
        """The same text under all these signatures, each line once."""
        return Note(self.text, tuple(dict.fromkeys([*self.signatures, *more])))


def parse_note(data: bytes) -> Note:
    """The note in `data`: exactly those bytes, and none of its signatures verified.

    Raises Malformed, also for control characters, more than MOST_BYTES or MOST_SIGNATURES, and for a bad line of a signer nobody knows.
    """
    if len(data) > MOST_BYTES:
        raise Malformed(f"a note of {len(data)} bytes: at most {MOST_BYTES} are read")
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise Malformed("a note is UTF-8, this is not") from None
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise Malformed("a note is a text, an empty line and signature lines, each ended by LF; this is none")
    signatures = lines.removesuffix("\n").split("\n")
    if len(signatures) > MOST_SIGNATURES:
        raise Malformed(f"a note with {len(signatures)} signatures: at most {MOST_SIGNATURES} are read")
    return Note(checked_text(f"{text}\n"), tuple(parse_signature(line) for line in signatures))


def parse_signature(line: str) -> Signature:
    """A signature line, without its LF: em dash, name, base64 of key id and payload, one space between. Raises Malformed."""
    match line.split(" "):
        case ["—", name, encoded] if is_name(name):
            signature = unbase64(encoded, "a signature")
            if len(signature) > 4:
                return Signature(name, signature[:4], signature[4:])
    raise Malformed(f"{shown(line)} is no signature line: — <key name> <base64>")


def verify_note(note: Note, keys: Collection[Key]) -> tuple[Signed, ...]:
    """Who of `keys` signed the text, in the order of the lines. Lines of unknown keys are ignored.

    Raises Unproven if a line of a known key does not verify, though others do; and if no line is of a known key.
    """
    known = {(key.name, key.id): key for key in keys}
    times: dict[Key, int | None] = {}
    for line in note.signatures:
        key = known.get((line.name, line.id))
        if key is None:
            continue
        time, before = _verified(key, note.text, line.payload), times.get(key)
        times[key] = time if before is None or time is None else max(before, time)
    if not times:
        raise Unproven(f"not signed by {' or '.join(sorted({shown(key.name) for key in keys})) or 'anyone, as no key is known'}")
    return tuple(Signed(key, time) for key, time in times.items())


def sign_note(text: str, signers: Iterable[Signer]) -> Note:
    """`text` signed by each. Raises Malformed for a text that no note can hold."""
    checked_text(text)
    return Note(text, tuple(signer.sign(text) for signer in signers))


def checked_text(text: str) -> str:
    """`text`, if a note can hold it: it ends with LF and has no other control character. Raises Malformed."""
    if not text.endswith("\n") or _NO_TEXT.search(text):
        raise Malformed("the text of a note ends with LF and has no other control character")
    return text


def is_name(text: str) -> bool:
    """Whether a key can have this name: not empty, no space of any kind, no plus, no control character."""
    return bool(text) and not _NO_NAME.search(text)


def _verified(key: Key, text: str, payload: bytes) -> int | None:
    try:
        return key.verify(text, payload)
    except Unproven as error:
        raise Unproven(f"the signature of {shown(key.name)} does not hold: {error.detail}") from None
