"""Which rows of a chunk a question means: one pass over a column for each of its filters."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc

from indelible.model.query import LABEL, Query
from indelible.store.local.chunk import Chunk
from indelible.store.local.columns import LABELS, SEPARATOR


def matching(chunk: Chunk, query: Query, indices: range) -> pa.BooleanArray | None:
    """True for each row that `query` means and whose index is in `indices`; None if there is none."""
    here = chunk.range(query.log)
    if not here or here.start >= indices.stop or indices.start >= here.stop:  # none where all were duplicates
        return None
    masks = [_of_log(chunk, query.log), _between(chunk, "time", query.since, query.until)]
    low = indices.start if indices.start > here.start else None
    high = indices.stop if indices.stop < here.stop else None
    masks.append(_between(chunk, "index", low, high))
    found: pa.BooleanArray | None = None
    for mask in masks:
        found = _both(found, mask)
    for path, values in query.filters:
        mask = _filtered(chunk, path, values)
        found = None if mask is None else _both(found, mask)
        if found is None or not found.true_count:
            return None
    if found is None:
        return pa.repeat(True, chunk.entries.num_rows)
    return found if found.true_count else None


def _both(one: pa.BooleanArray | None, other: pa.BooleanArray | None) -> pa.BooleanArray | None:
    if one is None or other is None:
        return other if one is None else one
    return pc.and_(one, other)


def _of_log(chunk: Chunk, log: str) -> pa.BooleanArray | None:
    """None if all are."""
    column = chunk.entries.column("log")
    return None if len(column.dictionary) == 1 else _equal(column, [log])


def _between(chunk: Chunk, name: str, low: int | None, high: int | None) -> pa.BooleanArray | None:
    """low ≤ value < high; None stands for no bound, as bound and as answer."""
    column = chunk.entries.column(name)
    above = None if low is None else pc.greater_equal(column, low)
    below = None if high is None else pc.less(column, high)
    return _both(above, below)


def _filtered(chunk: Chunk, path: str, values: Sequence[str]) -> pa.BooleanArray | None:
    """True where one of `values` holds for `path`; None if nowhere."""
    if path == "id":
        return _named(chunk, values)
    if path.startswith(LABEL):
        values = [f"{path[len(LABEL) :]}{SEPARATOR}{value}" for value in values]
        path = LABELS
    column = chunk.column(path)
    if column is None:
        return None
    if path == "type":
        exact = [value for value in values if not value.endswith("*")]
        return _equal(column, exact, [value[:-1] for value in values if value.endswith("*")])
    if not pa.types.is_list(column.type):
        return _equal(column, values)
    found = _equal(column.values, values)
    return None if found is None else _holding(column, found)


def _named(chunk: Chunk, ids: Sequence[str]) -> pa.BooleanArray | None:
    """By CRC first: a fifth of the time that comparing texts takes, and nearly always the answer."""
    likely = _equal(chunk.entries.column("crc"), [crc32(id.encode()) for id in ids])
    return pc.and_(likely, _equal(chunk.entries.column("id"), ids)) if likely is not None else None


def _equal(column: pa.Array, values: Sequence[str] | Sequence[int], prefixes: Sequence[str] = ()) -> pa.BooleanArray | None:
    """True where the value is one of `values` or begins with one of `prefixes`; None if nowhere."""
    if pa.types.is_dictionary(column.type):
        found = _equal(column.dictionary, values, prefixes)
        return None if found is None else _equal(column.indices, pc.indices_nonzero(found).to_pylist())
    masks = [pc.starts_with(column, pattern=prefix) for prefix in prefixes]
    if len(values) == 1:
        masks.append(pc.equal(column, pa.scalar(values[0], column.type)))
    elif values:
        masks.append(pc.is_in(column, value_set=pa.array(values, column.type)))
    found = masks[0]
    for mask in masks[1:]:
        found = pc.or_(found, mask)
    return found if found.true_count else None


def _holding(lists: pa.ListArray, found: pa.BooleanArray) -> pa.BooleanArray:
    """True for each list that holds one of the `found` values: it grows the running count of them."""
    counts = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(pc.fill_null(found, False).cast(pa.int64()))])
    ends = counts.take(lists.offsets)
    return pc.not_equal(ends[1:], ends[:-1])
