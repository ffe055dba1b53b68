"""Numbers, base64 and hashes as the texts around a log write them, read so strictly that each value has one spelling."""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable

from indelible.errors import Malformed
from indelible.tree.merkle import Hash

LARGEST = 2**63 - 1  # of a size, an index, a time: what a signed 64-bit integer of another language holds
_DECIMAL = re.compile("0|[1-9][0-9]{0,18}")
_SHOWN = 80  # characters of a bad value


def decimal(text: str, what: str) -> int:
    """An ASCII decimal without sign, space, underscore or leading zero, at most LARGEST. Raises Malformed, which names `what`."""
    if not _DECIMAL.fullmatch(text) or int(text) > LARGEST:
        raise Malformed(f"{what} is {shown(text)}: a decimal from 0 to {LARGEST} without leading zeros belongs there")
    return int(text)


def base64(data: bytes) -> str:
    """RFC 4648, section 4, with padding."""
    return b2a_base64(data, newline=False).decode()


def unbase64(text: str, what: str) -> bytes:
    """The bytes whose base64 is exactly `text`: padded, unused bits zero. Raises Malformed, which names `what`."""
    try:
        data = a2b_base64(text)
    except ValueError:
        data = b""
    if base64(data) != text:
        raise Malformed(f"{what} is {shown(text)}: canonical base64 with padding belongs there")
    return data


def unhash(text: str, what: str) -> Hash:
    """The hash whose base64 is `text`. Raises Malformed unless it has 32 bytes."""
    data = unbase64(text, what)
    if len(data) != 32:
        raise Malformed(f"{what} has {len(data)} bytes: a hash has 32")
    return Hash(data)


def lines_of(hashes: Iterable[bytes]) -> str:
    """Base64 of each hash, a line each with its LF."""
    return "".join(f"{base64(hash)}\n" for hash in hashes)


def shown(value: str | bytes) -> str:
    """A value from outside, as a message may quote it: printable and short."""
    return repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}…"
