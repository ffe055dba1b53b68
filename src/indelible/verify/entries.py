"""One entry against the event that it stands for: the header is made again from the event's bytes, and has to come out the same."""

from __future__ import annotations

from hashlib import sha256

from msgspec import UNSET, MsgspecError, Raw, Struct, UnsetType
from msgspec.json import decode

from indelible.errors import Malformed, Unproven
from indelible.formats import split
from indelible.model import strict, times
from indelible.model.conflict import CONFLICT
from indelible.model.entry import SALT, Origin, body_digests, headers
from indelible.model.event import Limits
from indelible.tree.text import shown

_LIMITS = Limits(255 << 20, 255 << 20, 1_000_000, 4000, 1_000_000, 1_000_000)


class Header(Struct, frozen=True):
    """What an entry says (docs/format.md, "The header")."""

    v: int
    id: str
    type: str
    source: str
    recorded: str
    writer: str
    dialect: str
    body: str
    time: str | UnsetType = UNSET
    outcome: str | UnsetType = UNSET

    @property
    def is_conflict(self) -> bool:
        return self.type == CONFLICT


class _Conflict(Struct):
    data: _Refused


class _Refused(Struct):
    refused: Raw


class _Kept(Struct):
    record: Raw


def header(entry: bytes) -> Header:
    """Raises Malformed for what is no entry of a log of this service."""
    try:
        return decode(entry, type=Header)
    except (MsgspecError, ValueError, RecursionError):
        raise Malformed(f"{shown(entry)} is no header of an entry") from None


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


def hold(entry: bytes, salt: bytes, body: bytes) -> None:
    """Return if the entry is that of the event with this body. Raises Malformed or Unproven, which says what is another."""
    said = header(entry)
    if len(salt) != SALT:
        raise Malformed(f"a salt has {SALT} bytes, this has {len(salt)}")
    digest = sha256(salt + body).hexdigest()
    if digest != said.body:
        raise Unproven(f"the event's bytes are not those that were logged: with the salt they hash to {digest}, the entry has {said.body}")
    try:
        (event,) = strict.outlined(body)
        name = event.id if isinstance(event.id, str) else said.id
        origin = Origin(times.micros(said.recorded), said.writer, said.dialect)
        (made,) = headers([event], [name], body_digests([body], salt), origin)
    except (MsgspecError, ValueError, RecursionError):
        raise Malformed("the event's bytes are no event") from None
    if made != entry:
        again = header(made)
        which = [member for member in Header.__struct_fields__ if getattr(again, member) != getattr(said, member)]
        raise Unproven(f"the entry says another {' and '.join(which) or 'spelling'} than the event's bytes")


def refused_in(body: bytes) -> bytes:
    """The bytes of the event that a conflict entry keeps. Raises Malformed."""
    try:
        return bytes(decode(body, type=_Conflict).data.refused)
    except (MsgspecError, ValueError, RecursionError):
        raise Malformed("this is no conflict entry's body") from None
