"""A question asked again of entries that lie at hand: what the server's answer is held against."""

from __future__ import annotations

from msgspec import UNSET, MsgspecError, Struct, UnsetType
from msgspec.json import Decoder

from indelible.errors import Unproven
from indelible.model import times
from indelible.model.entry import SALT, Origin, body_digests, headers
from indelible.model.event import Event
from indelible.model.query import LABEL, Query
from indelible.tree.text import shown, unbase64


class Head(Struct, kw_only=True):
    """A header that somebody shows (model/entry.py)."""

    v: int
    id: str
    type: str
    source: str
    time: str | UnsetType = UNSET
    recorded: str
    outcome: str | UnsetType = UNSET
    writer: str
    dialect: str
    body: str


_header = Decoder(Head).decode
_event = Decoder(Event).decode


def read(header: bytes, salt: str, event: bytes) -> tuple[Head, Event]:
    """An entry's header and event, if the header is what docs/format.md makes of the event and the salt. Raises Unproven."""
    try:
        head, body = _header(header), _event(event)
        random = unbase64(salt, "the salt")
        if len(random) != SALT:
            raise ValueError(f"a salt of {len(random)} bytes")
        digests = body_digests([event], random)
        made = headers([body], [head.id], digests, Origin(times.micros(head.recorded), head.writer, head.dialect))
    except (MsgspecError, ValueError, RecursionError) as error:
        raise Unproven(f"a header or an event that no log could hold: {error}") from None
    if head.body != digests[0]:
        raise Unproven("salt and event do not give the digest that the header names")
    if made[0] != header or (isinstance(body.id, str) and body.id != head.id):
        raise Unproven(f"the header does not say what the event says: {shown(header)}")
    return head, body


def matches(query: Query, header: Head, event: Event) -> bool:
    """Whether the question means this entry (model/query.py); of which log it is, is not looked at."""
    moment = times.micros(header.time if isinstance(header.time, str) else header.recorded)
    if (query.since is not None and moment < query.since) or (query.until is not None and moment >= query.until):
        return False
    return all(_holds(path, wanted, header, event) for path, wanted in query.filters)


def _holds(path: str, wanted: tuple[str, ...], header: Head, event: Event) -> bool:
    if path == "id":
        return header.id in wanted
    if path == "type":
        return any(header.type.startswith(each[:-1]) if each.endswith("*") else header.type == each for each in wanted)
    if path.startswith(LABEL):
        labels = event.labels if isinstance(event.labels, dict) else {}
        return labels.get(path[len(LABEL) :]) in wanted
    names = ["outcome", "result"] if path == "outcome" else path.split(".")
    return any(value in wanted for value in _values(event, names))


def _values(part: object, names: list[str]) -> list[str]:
    """The texts at a path; of a list those of each of its parts."""
    if isinstance(part, list):
        return [value for each in part for value in _values(each, names)]
    if not names:
        value = getattr(part, "value", part)  # an outcome's result is one of an enumeration
        return [value] if isinstance(value, str) else []
    return _values(getattr(part, names[0], None), names[1:])
