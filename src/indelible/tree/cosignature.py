"""A witness's word on a checkpoint: as of this time, this was the largest tree it had seen (c2sp.org/tlog-cosignature)."""

from __future__ import annotations

from dataclasses import dataclass

from indelible.errors import Malformed
from indelible.tree.checkpoint import parse_checkpoint
from indelible.tree.keys import SigningKey, key_id, vkey_of
from indelible.tree.note import Signature
from indelible.tree.signatures import ED25519_SIGNATURE, ML_DSA_44_SIGNATURE, verify_ed25519, verify_ml_dsa_44
from indelible.tree.text import LARGEST

COSIGNATURE = 4  # the type byte of an Ed25519 key that cosigns
ML_DSA_44 = 6  # the type byte of an ML-DSA-44 key, a witness's or a log's


@dataclass(frozen=True)  # unlike a tuple it is not equal to a key of another kind with the same bytes
class CosignatureKey:
    """What verifies the lines of a witness with an Ed25519 key."""

    name: str
    public: bytes  # 32 bytes

    @property
    def id(self) -> bytes:
        return key_id(self.name, COSIGNATURE, self.public)

    @property
    def vkey(self) -> str:
        return vkey_of(self.name, COSIGNATURE, self.public)

    def verify(self, text: str, payload: bytes) -> int:
        """The time, in POSIX seconds, at which the whole of `text` was cosigned. Raises Unproven."""
        time, signature = _parts(payload, ED25519_SIGNATURE)
        verify_ed25519(self.public, _cosigned(text, time), signature)
        return time


@dataclass(frozen=True)  # unlike a tuple it is not equal to a key of another kind with the same bytes
class MLDSA44Key:
    """What verifies the lines of a witness or a log with an ML-DSA-44 key. They hold for checkpoints only."""

    name: str
    public: bytes  # 1312 bytes

    @property
    def id(self) -> bytes:
        return key_id(self.name, ML_DSA_44, self.public)

    @property
    def vkey(self) -> str:
        return vkey_of(self.name, ML_DSA_44, self.public)

    def verify(self, text: str, payload: bytes) -> int:
        """The time, in POSIX seconds, at which origin, size and root in `text` were signed; its extension lines were not.

        0 where the signer does not say that it had seen no larger tree. Raises Unproven.
        """
        time, signature = _parts(payload, ML_DSA_44_SIGNATURE)
        verify_ml_dsa_44(self.public, subtree_message(self.name, text, time), signature)
        return time


class Witness:
    """Signs as a witness does, with the Ed25519 key of `signing`, at a given time."""

    def __init__(self, signing: SigningKey, time: int) -> None:
        self._signing = signing
        self._time = time
        self.public = CosignatureKey(signing.public.name, signing.public.public)

    def sign(self, text: str) -> Signature:
        signature = self._signing.signature(_cosigned(text, self._time))
        return Signature(self.public.name, self.public.id, self._time.to_bytes(8, "big") + signature)


def subtree_message(name: str, text: str, time: int) -> bytes:
    """What `name` signs with ML-DSA-44 for the checkpoint in `text`: the subtree from 0 to its size. Raises Malformed."""
    checkpoint = parse_checkpoint(text)
    start, end = bytes(8), checkpoint.size.to_bytes(8, "big")
    return b"subtree/v1\n\0" + _short(name) + time.to_bytes(8, "big") + _short(checkpoint.origin) + start + end + checkpoint.root


def _cosigned(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _parts(payload: bytes, signature: int) -> tuple[int, bytes]:
    time = int.from_bytes(payload[:8], "big")
    if len(payload) != 8 + signature or time > LARGEST:
        raise Malformed(f"a cosignature is a time below 2^63 and a signature: {8 + signature} bytes, this has {len(payload)}")
    return time, payload[8:]


def _short(text: str) -> bytes:
    data = text.encode()
    if len(data) > 255:
        raise Malformed("a name or an origin above 255 bytes cannot be signed with ML-DSA-44")
    return bytes([len(data)]) + data
