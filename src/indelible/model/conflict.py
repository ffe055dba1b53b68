"""The entry that a refused event leaves behind: an id was sent again with other bytes."""

from __future__ import annotations

from msgspec.json import encode

CONFLICT = "indelible.conflict"
SOURCE = "indelible"


def conflict_body(source: str, id: str, first: int, refused: bytes) -> bytes:
    """The conflict event's bytes, from the frame and the fold alone (docs/format.md). `first` is the index that holds the id.

    `refused` is the other event verbatim, so this body may be larger than any limit at the door.
    """
    return b'{"type":"%b","source":"%b","data":{"source":%b,"id":%b,"index":%d,"refused":%b}}' % (
        CONFLICT.encode(),
        SOURCE.encode(),
        encode(source),
        encode(id),
        first,
        refused,
    )
