"""A log's Ed25519 keys: the public half as others are given it (vkey), the private half as Go's tools keep it (c2sp.org/signed-note)."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from indelible.errors import Malformed
from indelible.tree.note import Signature, is_name
from indelible.tree.signatures import ed25519_private, verify_ed25519
from indelible.tree.text import base64, shown, unbase64

NOTE_KEY = 1  # the type byte of an Ed25519 key that signs notes as they are
_PRIVATE = "PRIVATE+KEY+"


@dataclass(frozen=True)  # unlike a tuple it is not equal to a key of another kind with the same bytes
class NoteKey:
    """What verifies a log's signatures: an Ed25519 public key under a name."""

    name: str
    public: bytes  # 32 bytes

    @property
    def id(self) -> bytes:
        return key_id(self.name, NOTE_KEY, self.public)

    @property
    def vkey(self) -> str:
        return vkey_of(self.name, NOTE_KEY, self.public)

    def verify(self, text: str, payload: bytes) -> None:
        """Return if `payload` is the signature of `text`. Raises Unproven."""
        verify_ed25519(self.public, text.encode(), payload)


class SigningKey:
    """What signs a log's notes. Signing is deterministic (RFC 8032): the same text gives the same line."""

    __slots__ = ("_private", "_seed", "id", "public")

    def __init__(self, name: str, seed: bytes) -> None:
        """Raises Malformed for a seed without 32 bytes, or a name that no key can have."""
        if not is_name(name):
            raise Malformed(f"{shown(name)} cannot be a key's name: no spaces, no plus, not empty")
        self._seed = seed
        self._private = ed25519_private(seed)
        self.public = NoteKey(name, self._private.public_key().public_bytes_raw())
        self.id = self.public.id

    def named(self, name: str) -> SigningKey:
        """The same key under another name, which gives it another id."""
        return SigningKey(name, self._seed)

    def sign(self, text: str) -> Signature:
        return Signature(self.public.name, self.id, self.signature(text.encode()))

    def signature(self, message: bytes) -> bytes:
        """64 bytes of Ed25519."""
        return self._private.sign(message)

    def secret(self) -> str:
        """The private key as text: PRIVATE+KEY+name+id+base64. Who has it can sign for the log."""
        return f"{_PRIVATE}{self.public.name}+{self.id.hex()}+{base64(bytes([NOTE_KEY]) + self._seed)}"

    def __repr__(self) -> str:
        return f"SigningKey({self.public.vkey!r})"


def parse_signing_key(text: str) -> SigningKey:
    """The key in PRIVATE+KEY+name+id+base64. Raises Malformed, without showing any of it, also if its id belongs to another key."""
    match text.removeprefix(_PRIVATE).split("+", 2):
        case [name, id, encoded] if text.startswith(_PRIVATE):
            try:
                material = unbase64(encoded, "a key")
                key = SigningKey(name, material[1:]) if material[:1] == bytes([NOTE_KEY]) else None
            except Malformed:
                key = None
            if key and key.id.hex() == id:
                return key
    raise Malformed("this is no signing key: PRIVATE+KEY+<name>+<key id>+<base64>, as Go's note tools write it, with nothing around it")


def key_id(name: str, kind: int, public: bytes) -> bytes:
    """The first 4 bytes of SHA-256(name, LF, type byte, public key)."""
    return sha256(b"%b\n%c%b" % (name.encode(), kind, public)).digest()[:4]


def vkey_of(name: str, kind: int, public: bytes) -> str:
    """A public key as one word: name+id+base64 of type byte and key."""
    return f"{name}+{key_id(name, kind, public).hex()}+{base64(bytes([kind]) + public)}"
