"""A question asked again of entries that lie at hand: what the server's answer is held against."""

from __future__ import annotations

from msgspec import MsgspecError
from msgspec.json import Decoder

from indelible.errors import Malformed
from indelible.model import times
from indelible.model.event import Event
from indelible.model.header import Header, hold
from indelible.model.query import LABEL, Query
from indelible.tree.text import unbase64

_event = Decoder(Event).decode


def read(header: bytes, salt: str, event: bytes) -> tuple[Header, Event]:
    """An entry's header and event, if the one stands for the other. Raises Malformed or Unproven."""
    said = hold(header, unbase64(salt, "the salt"), event)
    try:
        return said, _event(event)
    except (MsgspecError, ValueError, RecursionError) as error:
        raise Malformed(f"an event that no log could hold: {error}") from None


def matches(query: Query, header: Header, event: Event) -> bool:
    """Whether the question means this entry (model/query.py); of which log it is, is not looked at."""
    moment = times.micros(header.time if isinstance(header.time, str) else header.recorded)
    if (query.since is not None and moment < query.since) or (query.until is not None and moment >= query.until):
        return False
    return all(_holds(path, wanted, header, event) for path, wanted in query.filters)


def _holds(path: str, wanted: tuple[str, ...], header: Header, event: Event) -> bool:
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
