"""Public keys of every kind from their texts: a new kind of signature is a line in the table."""

from __future__ import annotations

from collections.abc import Callable

from indelible.errors import Malformed
from indelible.tree.cosignature import COSIGNATURE, ML_DSA_44, CosignatureKey, MLDSA44Key
from indelible.tree.keys import NOTE_KEY, NoteKey
from indelible.tree.note import is_name
from indelible.tree.signatures import ED25519_KEY, ML_DSA_44_KEY
from indelible.tree.text import shown, unbase64

AnyKey = NoteKey | CosignatureKey | MLDSA44Key

# The type byte, the length of the key behind it, and what verifies its lines.
_KINDS: dict[int, tuple[int, Callable[[str, bytes], AnyKey]]] = {
    NOTE_KEY: (ED25519_KEY, NoteKey),
    COSIGNATURE: (ED25519_KEY, CosignatureKey),
    ML_DSA_44: (ML_DSA_44_KEY, MLDSA44Key),
}


def parse_vkey(text: str) -> AnyKey:
    """The key in name+id+base64. Raises Malformed, also if the id belongs to another key or the kind is unknown."""
    match text.split("+", 2):
        case [name, id, encoded] if is_name(name):
            material = unbase64(encoded, "a key")
            length, kind = _KINDS.get(material[0], (0, None)) if material else (0, None)
            if kind is None:
                raise Malformed(f"{shown(text)} is a key of an unknown kind: known are {', '.join(f'{byte:#04x}' for byte in _KINDS)}")
            if len(material) != 1 + length:
                raise Malformed(f"{shown(text)} holds a key of {len(material) - 1} bytes: {length} belong there")
            key = kind(name, material[1:])
            if key.id.hex() != id:
                raise Malformed(
                    f"{shown(text)} says key id {shown(id)}, but name and key have {key.id.hex()}: one of the three was changed"
                )
            return key
    raise Malformed(f"{shown(text)} is no public key: <name>+<8 lower-case hex digits>+<base64>")
