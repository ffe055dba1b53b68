"""What the log commits to: an event's salt, body digest, header and leaf, a whole batch at a time (docs/format.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import repeat

from msgspec import UNSET, Struct, UnsetType
from msgspec.json import Encoder, encode

from indelible.model import times
from indelible.model.event import Event, Outline

Known = Event | Outline

SALT = 16  # bytes of randomness an event
_LOW_62 = (1 << 62) - 1
_encode = Encoder().encode


class Origin(Struct, frozen=True, gc=False):
    """What a whole frame shares and its headers repeat. `recorded` is in microseconds since 1970."""

    recorded: int
    writer: str
    dialect: str


class Header(Struct, frozen=True, gc=False):
    """The text that a leaf hashes, member by member in its order; `body` is the body digest. Its JSON is docs/format.md's to the byte."""

    v: int
    id: str
    type: str
    source: str
    time: str | UnsetType
    recorded: str
    outcome: str | UnsetType
    writer: str
    dialect: str
    body: str


class Entries(Struct, frozen=True, gc=False):
    """A batch's entries in order: `ids` as given, derived or assigned, and the leaves that the tree grows by."""

    ids: list[str]
    leaves: list[bytes]


def entries(events: Sequence[Known], lines: Sequence[bytes], salts: bytes, origin: Origin, ids: Mapping[int, str] | None = None) -> Entries:
    """The entries of `events`, whose bodies are `lines`. A pure function: a replay makes the same.

    `salts` are 16 bytes an event; `ids` names events by place whose id came from an Idempotency-Key.
    """
    names = names_of(events, salts, origin.recorded, ids or {})
    return Entries(names, leaves(headers(events, names, body_digests(lines, salts), origin)))


def names_of(events: Sequence[Known], salts: bytes, recorded: int, derived: Mapping[int, str]) -> list[str]:
    """Each event's id: its own, or the one derived from the request's key, or one assigned from its salt."""
    given = [event.id for event in events]
    if not derived and all(map(isinstance, given, (str,) * len(given))):
        return given  # type: ignore[return-value]
    return [
        name if isinstance(name, str) else derived.get(place) or assigned_id(recorded, salts[SALT * place : SALT * (place + 1)])
        for place, name in enumerate(given)
    ]


def assigned_id(recorded: int, salt: bytes) -> str:
    """UUIDv7 of `recorded` (µs) with the first 74 bits of SHA-256("indelible id" ‖ salt): the salt stays secret."""
    random = int.from_bytes(sha256(b"indelible id" + salt).digest()[:10], "big") >> 6
    return _uuid((recorded // 1000) << 80 | 7 << 76 | (random >> 62) << 64 | 2 << 62 | random & _LOW_62)


def derived_id(log: str, source: str, key: str, position: int) -> str:
    """UUIDv8 for the event at `position` of a request with this Idempotency-Key: the same request names it the same."""
    digest = sha256(b"indelible key" + encode([log, source, key, position])).digest()
    random = int.from_bytes(digest[:16], "big")
    return _uuid(random & ~(0xF << 76) & ~(3 << 62) | 8 << 76 | 2 << 62)


def _uuid(number: int) -> str:
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def body_digests(lines: Iterable[bytes], salts: bytes) -> list[str]:
    """SHA-256(salt ‖ body) in lower-case hex."""
    return [sha256(salts[at : at + SALT] + line).hexdigest() for at, line in zip(range(0, len(salts), SALT), lines, strict=True)]


def headers(events: Sequence[Known], ids: Sequence[str], digests: Sequence[str], origin: Origin) -> list[bytes]:
    """The header texts, in the member order and with the escapes of docs/format.md."""
    if not len(events) == len(ids) == len(digests):
        raise ValueError(f"{len(events)} events, {len(ids)} ids, {len(digests)} digests")
    made = map(
        Header,
        repeat(1),
        ids,
        [event.type for event in events],
        [event.source for event in events],
        _times(events),
        repeat(times.text(origin.recorded)),
        [outcome.result._value_ if (outcome := event.outcome) and outcome.result else UNSET for event in events],
        repeat(origin.writer),
        repeat(origin.dialect),
        digests,
    )
    return list(map(_encode, made))


def leaves(headers: Iterable[bytes]) -> list[bytes]:
    """Leaf hashes of header texts (RFC 6962, 2.1)."""
    return [sha256(b"\0" + header).digest() for header in headers]


def _times(events: Sequence[Known]) -> Sequence[str | UnsetType]:
    """Each `time`, canonical; UNSET for an event that claims none."""
    claimed = [event.time for event in events]
    canonical = times.accepted_batch([time for time in claimed if isinstance(time, str)])
    if canonical is None:
        raise ValueError("a time that the door should have refused")
    if len(canonical) == len(claimed):
        return canonical
    each = iter(canonical)
    return [next(each) if isinstance(time, str) else UNSET for time in claimed]
