"""The entry that begins a tree of a log anew because nobody can say whether more was signed than is there."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from indelible.model.conflict import opening

GENERATION = "indelible.generation"


class Begun(Struct, frozen=True):
    """What a generation event says (docs/format.md): the tree's number, the last index before it, and the last known checkpoint."""

    generation: int
    index: int | None
    checkpoint: str | None


class _Event(Struct):
    data: Begun


_START = opening(GENERATION)
_decode = msgspec.json.Decoder(_Event).decode
_encode = msgspec.json.encode


def generation_body(begun: Begun) -> bytes:
    """The event's bytes: one line, its members in this order."""
    return b'%b"data":%b}' % (_START, _encode(begun))


def begun_in(line: bytes) -> Begun | None:
    """What the event in `line` says, if it is a generation event."""
    return _decode(line).data if line.startswith(_START) else None
