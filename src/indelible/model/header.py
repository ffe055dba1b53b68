"""An entry's header as somebody shows it, held against the event that it stands for: made again, it has to come out the same."""

from __future__ import annotations

from hashlib import sha256

from msgspec import UNSET, MsgspecError, Struct, UnsetType
from msgspec.json import Decoder

from indelible.errors import Malformed, Unproven
from indelible.model import strict, times
from indelible.model.conflict import CONFLICT
from indelible.model.entry import SALT, Origin, headers
from indelible.tree.text import shown


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


_decode = Decoder(Header).decode


def header(entry: bytes) -> Header:
    """Raises Malformed for what is no entry of a log of this service."""
    try:
        return _decode(entry)
    except (MsgspecError, ValueError, RecursionError):
        raise Malformed(f"{shown(entry)} is no header of an entry") from None


def hold(entry: bytes, salt: bytes, body: bytes) -> Header:
    """What the entry says, if it is that of the event with this body. Raises Malformed or Unproven, which says what is another."""
    said = header(entry)
    if len(salt) != SALT:
        raise Malformed(f"a salt has {SALT} bytes, this has {len(salt)}")
    digest = sha256(salt + body).hexdigest()
    if digest != said.body:
        raise Unproven(f"the event's bytes are not those that were logged: with the salt they hash to {digest}, the entry has {said.body}")
    try:
        (event,) = strict.outlined(body)
        name = event.id if isinstance(event.id, str) else said.id
        (made,) = headers([event], [name], [digest], Origin(times.micros(said.recorded), said.writer, said.dialect))
    except (MsgspecError, ValueError, RecursionError):
        raise Malformed("the event's bytes are no event") from None
    if made != entry:
        again = header(made)
        which = [member for member in Header.__struct_fields__ if getattr(again, member) != getattr(said, member)]
        raise Unproven(f"the entry says another {' and '.join(which) or 'spelling'} than the event's bytes")
    return said
