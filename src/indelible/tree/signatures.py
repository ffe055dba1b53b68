"""The two signature algorithms that logs and witnesses use, from `cryptography`, which is loaded when the first key is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from indelible.errors import Malformed, Unproven

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519_KEY, ED25519_SIGNATURE = 32, 64  # bytes
ML_DSA_44_KEY, ML_DSA_44_SIGNATURE = 1312, 2420


def ed25519_private(seed: bytes) -> Ed25519PrivateKey:
    """The key that a seed of 32 bytes stands for. Raises Malformed for another length."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if len(seed) != ED25519_KEY:
        raise Malformed(f"the seed of an Ed25519 key has {ED25519_KEY} bytes, this has {len(seed)}")
    return Ed25519PrivateKey.from_private_bytes(seed)


def verify_ed25519(public: bytes, message: bytes, signature: bytes) -> None:
    """Return if this is the signature of `message` (RFC 8032). Raises Unproven."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise Unproven("the Ed25519 signature does not fit the text and the key") from None


def verify_ml_dsa_44(public: bytes, message: bytes, signature: bytes) -> None:
    """Return if this is the signature of `message` with an empty context (FIPS 204). Raises Unproven, also where it cannot be checked."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

    try:
        MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise Unproven("the ML-DSA-44 signature does not fit the text and the key") from None
    except UnsupportedAlgorithm:
        raise Unproven("this installation of cryptography cannot check ML-DSA-44 signatures: install its own wheel") from None
