"""The events' own bytes, out of what people have in their hands: a file as it was sent, an answer of a server, a conflict entry."""

from __future__ import annotations

from msgspec import MsgspecError, Raw, Struct
from msgspec.json import decode

from indelible.errors import Malformed
from indelible.formats import split
from indelible.model.event import Limits

_LIMITS = Limits(255 << 20, 255 << 20, 1_000_000, 4000, 1_000_000, 1_000_000)


class _Conflict(Struct):
    data: _Refused


class _Refused(Struct):
    refused: Raw


class _Kept(Struct):
    record: Raw


def bodies(text: bytes) -> list[bytes]:
    """The bodies of the events in a file as it was sent: one event, an array or a line each. Raises what a server would refuse."""
    try:
        decode(text)
    except (MsgspecError, ValueError, RecursionError):
        return split(text, "application/x-ndjson", _LIMITS).lines
    return split(text, "application/json", _LIMITS).lines


def unspliced(kept: bytes) -> bytes:
    """The body of an event that was read back: without the `record` in front. Raises Malformed."""
    try:
        record = decode(kept, type=_Kept).record
    except (MsgspecError, ValueError, RecursionError):
        raise Malformed("an event that is read back has its `record`, and this is none") from None
    start = b'{"record":' + bytes(record) + b","
    if not kept.startswith(start):
        raise Malformed("an event that is read back begins with its `record`, and this does not")
    return b"{" + kept[len(start) :]


def refused_in(body: bytes) -> bytes:
    """The bytes of the event that a conflict entry keeps. Raises Malformed."""
    try:
        return bytes(decode(body, type=_Conflict).data.refused)
    except (MsgspecError, ValueError, RecursionError):
        raise Malformed("this is no conflict entry's body") from None
