"""The rows that were loaded for readers against the journal that they came from: made again, and compared column by column."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from indelible.journal.port import Placed
from indelible.store.local.columns import batch
from indelible.store.local.entries import slices
from indelible.store.port import Fold

COLUMNS = ("log", "index", "id", "type", "source", "unit", "offset", "length")  # what leads to an entry, and what it is found by


class Rows(NamedTuple):
    """A file of rows, its name and what is wrong with it; empty if nothing is. `rows` is 0 if it could not be read."""

    name: str
    rows: int
    problem: str


class _Span(NamedTuple):
    """The journaled events whose entries a file holds, as its name says."""

    start: int
    stop: int
    path: Path


def compared(directory: Path, frames: Iterable[Placed], fold: Fold) -> Iterator[Rows]:
    """Each file in a cache against `frames`, which are all that was folded. Files that a process replaces meanwhile are left out."""
    spans = sorted(span for path in directory.glob("*.arrow") if (span := _span(path)) and span.stop <= fold.folded)
    indices: dict[str, int] = {}
    waiting, gathered = iter(spans), list[Placed]()
    span = next(waiting, None)
    for placed in frames:
        if span is None:
            return
        gathered.append(placed)
        at = placed.next.position
        if at <= span.start or at >= span.stop:
            entries = slices(gathered, indices, fold.refusals(gathered[0].place.position, at))
            gathered = []
            if at <= span.start:
                deque(entries, 0)  # only the indices move on
                continue
            if found := _compared(span, batch(entries)):
                yield found
            while span and at >= span.stop:
                span = next(waiting, None)


def _compared(span: _Span, made: pa.RecordBatch) -> Rows | None:
    try:
        with pa.OSFile(str(span.path)) as file:
            stored = pa.ipc.open_file(file).get_batch(0)
            stored.validate(full=True)
    except FileNotFoundError:
        return None
    except (pa.ArrowException, OSError) as error:
        return Rows(span.path.name, 0, f"it cannot be read ({str(error)[:200]})")
    if stored.num_rows != made.num_rows:
        return Rows(span.path.name, stored.num_rows, f"it has {stored.num_rows} rows, the journal has {made.num_rows} entries there")
    for name in COLUMNS:
        here, there = _column(stored, name), _column(made, name)
        if here != there:
            row = next(row for row, (one, other) in enumerate(zip(here, there, strict=True)) if one != other)
            return Rows(span.path.name, stored.num_rows, f"row {row}: {name} is {here[row]!r}, the journal says {there[row]!r}")
    return Rows(span.path.name, stored.num_rows, "")


def _column(entries: pa.RecordBatch, name: str) -> list[object]:
    at = entries.schema.get_field_index(name)
    return entries.column(at).to_pylist() if at >= 0 else [None] * entries.num_rows


def _span(path: Path) -> _Span | None:
    start, _, stop = path.stem.partition("-")
    return _Span(int(start), int(stop), path) if start.isdecimal() and stop.isdecimal() else None
