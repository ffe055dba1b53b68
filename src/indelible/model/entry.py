"""What the log commits to: an event's salt, body digest, header and leaf, a whole batch at a time (docs/format.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from msgspec import Struct
from msgspec.json import encode

from indelible.model import times
from indelible.model.event import Event

SALT = 16  # bytes of randomness an event
_LOW_62 = (1 << 62) - 1


class Origin(Struct, frozen=True, gc=False):
    """What a whole frame shares and its headers repeat. `recorded` is in microseconds since 1970."""

    recorded: int
    writer: str
    dialect: str


class Entries(Struct, frozen=True, gc=False):
    """A batch's entries in order: `ids` as given, derived or assigned, and the leaves that the tree grows by."""

    ids: list[str]
    leaves: list[bytes]


def entries(events: Sequence[Event], lines: Sequence[bytes], salts: bytes, origin: Origin, ids: Mapping[int, str] | None = None) -> Entries:
    """The entries of `events`, whose bodies are `lines`. A pure function: a replay makes the same.

    `salts` are 16 bytes an event; `ids` names events by place whose id came from an Idempotency-Key.
    """
    names = names_of(events, salts, origin.recorded, ids or {})
    return Entries(names, leaves(headers(events, names, body_digests(lines, salts), origin)))


def names_of(events: Sequence[Event], salts: bytes, recorded: int, derived: Mapping[int, str]) -> list[str]:
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
    each = (salts[at : at + SALT] for at in range(0, len(salts), SALT))
    return [sha256(salt + line).hexdigest() for salt, line in zip(each, lines, strict=True)]


def headers(events: Sequence[Event], ids: Sequence[str], digests: Iterable[str], origin: Origin) -> list[bytes]:
    """The header texts, in the member order and with the escapes of docs/format.md."""
    names = escaped(ids)
    types = escaped([event.type for event in events])
    sources = escaped([event.source for event in events])
    recorded = f'"recorded":"{times.text(origin.recorded)}"'
    end = f',"writer":{_quoted(origin.writer)},"dialect":{_quoted(origin.dialect)},"body":"'
    return [
        f'{{"v":1,"id":"{name}","type":"{type_}","source":"{source}",{time}{recorded}{outcome}{end}{digest}"}}'.encode()
        for name, type_, source, time, outcome, digest in zip(
            names, types, sources, _times(events), map(_outcome, events), digests, strict=True
        )
    ]


def leaves(headers: Iterable[bytes]) -> list[bytes]:
    """Leaf hashes of header texts (RFC 6962, 2.1)."""
    return [sha256(b"\0" + header).digest() for header in headers]


def _times(events: Sequence[Event]) -> list[str]:
    """The `time` members, canonical; nothing for an event that claims no time."""
    claimed = [event.time for event in events]
    canonical = times.canonical_batch([time for time in claimed if isinstance(time, str)])
    if canonical is None:
        raise ValueError("a time that the door should have refused")
    if len(canonical) == len(claimed):
        return [f'"time":"{time}",' for time in canonical]
    each = iter(canonical)
    return [f'"time":"{next(each)}",' if isinstance(time, str) else "" for time in claimed]


def _outcome(event: Event) -> str:
    outcome = event.outcome
    if not outcome or not outcome.result:
        return ""
    return _OUTCOMES[outcome.result._value_]


_OUTCOMES = {result: f',"outcome":"{result}"' for result in ("success", "failure", "denied", "unknown", "pending")}


def escaped(texts: Sequence[str]) -> Sequence[str]:
    """The texts as they stand between quotes in a header; a clean batch, the usual one, is seen at one glance."""
    joined = "".join(texts)
    if joined.isprintable() and '"' not in joined and "\\" not in joined:
        return texts
    return [_quoted(text)[1:-1] for text in texts]


def _quoted(text: str) -> str:
    return encode(text).decode()
