"""From entries to Arrow columns: one for each path that can be filtered on, and what it takes to give an entry back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import accumulate
from operator import attrgetter
from typing import Any
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import UNSET, Struct

from indelible.model import event as model
from indelible.model import times
from indelible.model.event import Event, Target
from indelible.model.query import FIELDS
from indelible.store.local.entries import Slice

LABELS = "labels"
SEPARATOR = "\0"  # between a label's name and its value; no searchable member holds it

REPEATED = frozenset({LABELS, "outcome", "outcome.code", "targets.type", "targets.changes.path", "actor.type", "context.user_agent"})
REPEATED |= frozenset({"log", "writer", "type", "source", "schema", *(path for path in FIELDS if path.startswith("where."))})
"""Columns with few different values: each is kept once and referred to, in a filter it is compared once."""

_PARTS: dict[str, Struct] = {  # what stands in for a part that an event lacks
    "outcome": model.Outcome(),
    "where": model.Where(),
    "actor": model.Actor(),
    "context": model.Context(),
    "trace": model.Trace(),
    "producer": model.Producer(),
}
_MEMBERS = {part: [path for path in FIELDS if path.startswith(f"{part}.")] for part in _PARTS}
_TARGET_MEMBERS = ("targets.type", "targets.id", "targets.name")

Columns = dict[str, Any]  # name → array; a column that a slice has nothing for is left out


def batch(slices: Iterable[Slice]) -> pa.RecordBatch:
    """The entries of `slices` as one record batch. A column in which nothing stands has Arrow's null type and takes no room.

    Strings have 32-bit offsets: a column is at most about as long as the journal text it comes from, which loader.py keeps far below 2 GiB.
    """
    rows: list[int] = []
    parts: list[Columns] = []
    for slice in slices:
        rows.append(len(slice.ids))
        parts.append(columns(slice))
    names = dict.fromkeys(name for part in parts for name in part)
    return pa.RecordBatch.from_pydict({name: _joined(name, parts, rows) for name in names})


def columns(slice: Slice) -> Columns:
    events = slice.events
    found: Columns = {
        "log": pa.array(slice.logs, pa.string()),
        "index": pa.array(slice.indices, pa.int64()),
        "unit": pa.array(slice.units, pa.int64()),
        "offset": pa.array(slice.offsets, pa.int64()),
        "length": pa.array(slice.lengths, pa.int32()),
        "writer": pa.array(slice.writers, pa.string()),
        "id": pa.array(slice.ids, pa.string()),
        "crc": pa.array(map(crc32, map(str.encode, slice.ids)), pa.uint32(), size=len(slice.ids)),  # a look-up by id compares it first
        "type": pa.array([event.type for event in events], pa.string()),
        "source": pa.array([event.source for event in events], pa.string()),
    }
    _add(found, "schema", [event.schema for event in events])
    given = [event.id for event in events]
    if given != slice.ids:
        found["id.assigned"] = pa.array([not isinstance(id, str) for id in given], pa.bool_())
    _add_times(found, slice)
    _add_parts(found, events)
    _add_targets(found, events)
    _add_labels(found, events)
    if slice.conflicts:
        taken = [slice.conflicts.get(row) for row in range(len(events))]
        found["conflict"] = pa.array([each and each.first for each in taken], pa.int64())
        found["conflict.source"] = pa.array([each and each.source for each in taken], pa.string())
        found["conflict.id"] = pa.array([each and each.id for each in taken], pa.string())
    return found


def _add_times(found: Columns, slice: Slice) -> None:
    """`time` is the event's own, cut to microseconds, else `recorded`."""
    claimed = [event.time for event in slice.events]
    canonical = times.accepted_batch([time for time in claimed if isinstance(time, str)])
    if canonical is None:
        raise ValueError("a time in the journal that the door should have refused")
    texts: list[str] | list[str | None] = canonical
    if len(canonical) < len(claimed):
        each = iter(canonical)
        texts = [next(each) if isinstance(time, str) else None for time in claimed]
    own = pa.array(texts, pa.string()).cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    found["recorded"] = pa.array(slice.recorded, pa.int64())
    found["time"] = pc.coalesce(own, found["recorded"])
    if own.null_count:
        found["time.assigned"] = own.is_null()


def _add_parts(found: Columns, events: list[Event]) -> None:
    for part, nothing in _PARTS.items():
        values: list[Any] = list(map(attrgetter(part), events))
        if not any(values):
            continue
        values = [value or nothing for value in values]
        for path in _MEMBERS[part]:
            _add(found, path, list(map(_member(path), values)))
        if part == "outcome":
            found[part] = pa.array([value.result._value_ if value.result else None for value in values], pa.string())


def _add_targets(found: Columns, events: list[Event]) -> None:
    lists = [event.targets or () for event in events]
    if not any(lists):
        return
    targets: list[Target] = [target for each in lists for target in each]
    offsets = list(accumulate(map(len, lists), initial=0))
    for path in _TARGET_MEMBERS:
        found[path] = _lists(offsets, _texts(list(map(_member(path), targets))))
    changes = [target.changes or () for target in targets]
    if any(changes):
        ends = list(accumulate(map(len, changes), initial=0))
        paths = _texts([change.path for each in changes for change in each])
        found["targets.changes.path"] = _lists([ends[offset] for offset in offsets], paths)


def _add_labels(found: Columns, events: list[Event]) -> None:
    lists = [event.labels or {} for event in events]
    if any(lists):
        texts = [f"{name}{SEPARATOR}{value}" for labels in lists for name, value in labels.items()]
        found[LABELS] = _lists(list(accumulate(map(len, lists), initial=0)), pa.array(texts, pa.string()))


def _member(path: str) -> Callable[[Any], Any]:
    return attrgetter(path.rpartition(".")[2])


def _add(found: Columns, path: str, values: list[Any]) -> None:
    """Null and missing are the same; nearly always all have a member or none."""
    if values[:1] == [UNSET] and values.count(UNSET) == len(values):
        return
    found[path] = _texts(values)


def _texts(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except pa.ArrowTypeError:  # UNSET stands among them
        return pa.array([None if value is UNSET else value for value in values], pa.string())


def _lists(offsets: list[int], values: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)


def _joined(name: str, parts: list[Columns], rows: list[int]) -> pa.Array:
    """The column over all slices, its repeated values kept once."""
    kind = next(part[name].type for part in parts if name in part)
    column = pa.concat_arrays([part[name] if name in part else pa.nulls(count, kind) for part, count in zip(parts, rows, strict=True)])
    if pa.types.is_list(kind):
        if column.values.null_count == len(column.values):
            return pa.nulls(sum(rows))
        return pa.ListArray.from_arrays(column.offsets, column.values.dictionary_encode()) if name in REPEATED else column
    if column.null_count == len(column):
        return pa.nulls(len(column))
    return column.dictionary_encode() if name in REPEATED else column
