"""Events as a table for people: when, what, where, who, how it went, on what."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import east_asian_width

from msgspec import Raw, Struct
from msgspec.json import Decoder

from indelible.client.answers import plain

HEAD = ("TIME", "TYPE", "SOURCE", "ACTOR", "OUTCOME", "TARGETS")
_MOST = (24, 32, 24, 28, 28)  # cells of a column; the last takes what is left


class _Thing(Struct):
    type: str | None = None
    id: str | None = None
    name: str | None = None


class _Outcome(Struct):
    result: str | None = None
    code: str | None = None


class _Record(Struct):
    time: str


class _Shown(Struct):
    """What the table needs of an event; whatever else it has may be anything."""

    record: _Record
    type: str
    source: str
    actor: _Thing | None = None
    outcome: _Outcome | None = None
    targets: list[_Thing] | None = None


_EVENT = Decoder(_Shown)


class Table:
    """The first page decides how wide the columns are; a line has at most `width` cells."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._columns: tuple[int, ...] = ()

    def lines(self, events: Sequence[Raw]) -> list[str]:
        rows = [_row(_EVENT.decode(event)) for event in events]
        if rows and not self._columns:
            rows.insert(0, HEAD)
            self._columns = tuple(min(most, max(cells(row[at]) for row in rows)) for at, most in enumerate(_MOST))
        return [self._line(row) for row in rows]

    def _line(self, row: Sequence[str]) -> str:
        fitted = [_padded(cut(text, width), width) for text, width in zip(row, self._columns, strict=False)]
        return cut("  ".join([*fitted, row[-1]]).rstrip(), self._width)


def cells(text: str) -> int:
    """How many columns of a terminal a printable text takes."""
    return len(text) if text.isascii() else sum(2 if east_asian_width(one) in "WF" else 1 for one in text)


def cut(text: str, width: int) -> str:
    """At most `width` cells; what is left out shows as `…`."""
    if cells(text) <= width:
        return text
    kept = text[: max(width - 1, 0)]
    while kept and cells(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…"


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def _row(event: _Shown) -> tuple[str, ...]:
    outcome = event.outcome or _Outcome()
    how = " ".join(filter(None, (outcome.result, outcome.code)))
    when = event.record.time[:23] + "Z"  # milliseconds; the rest is in the NDJSON
    who = _thing(event.actor) if event.actor else ""
    texts = (when, event.type, event.source, who, how, ", ".join(map(_thing, event.targets or ())))
    return tuple(plain(text) for text in texts)


def _thing(thing: _Thing) -> str:
    """`customer:42`, or what there is of it."""
    return ":".join(filter(None, (thing.type, thing.id or thing.name)))
