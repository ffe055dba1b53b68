"""The entry that a refused event leaves behind: an id was sent again with other bytes."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.json import encode

from indelible.model.entry import Origin, assigned_id, body_digests, entries, headers
from indelible.model.event import Event

CONFLICT = "indelible.conflict"
SOURCE = "indelible"


class ConflictEntry(NamedTuple):
    """The entry in the refused event's place: its assigned id, its leaf, its body."""

    id: str
    leaf: bytes
    body: bytes


def opening(type: str) -> bytes:
    """How the body of an event of the service's own begins. The door refuses its types, so no one else's does."""
    return b'{"type":"%b","source":"%b",' % (type.encode(), SOURCE.encode())


def conflict_body(source: str, id: str, first: int, refused: bytes) -> bytes:
    """The conflict event's bytes, from the frame and the fold alone (docs/format.md). `first` is the index that holds the id.

    `refused` is the other event verbatim, so this body may be larger than any limit at the door.
    """
    return b'%b"data":{"source":%b,"id":%b,"index":%d,"refused":%b}}' % (opening(CONFLICT), encode(source), encode(id), first, refused)


def is_conflict(body: bytes) -> bool:
    """Whether a body is a conflict event's."""
    return body.startswith(opening(CONFLICT))


def conflict_entry(source: str, id: str, first: int, refused: bytes, salt: bytes, origin: Origin) -> ConflictEntry:
    """The whole entry; salt, recorded and writer are the refused event's."""
    body = conflict_body(source, id, first, refused)
    made = entries([Event(CONFLICT, SOURCE)], [body], salt, Origin(origin.recorded, origin.writer, "native"))
    return ConflictEntry(made.ids[0], made.leaves[0], body)


def conflict_header(source: str, id: str, first: int, refused: bytes, salt: bytes, origin: Origin) -> bytes:
    """The text that the leaf of `conflict_entry` hashes."""
    digests = body_digests([conflict_body(source, id, first, refused)], salt)
    own = Origin(origin.recorded, origin.writer, "native")
    return headers([Event(CONFLICT, SOURCE)], [assigned_id(origin.recorded, salt)], digests, own)[0]
