"""Answers from chunks, oldest chunk first: pages newest first, counts, and single entries. Blocking; nothing here waits for a load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow.compute as pc

from indelible.journal.port import Reader
from indelible.model.query import Query
from indelible.store.local.chunk import Chunk, body, row
from indelible.store.local.match import matching
from indelible.store.port import Page, Row

_ALL = range(1 << 63)


def page(chunks: Sequence[Chunk], reader: Reader, query: Query, below: int | None, limit: int, size: int) -> Page:
    """The newest matching rows with an index below `below` (store/port.py). Bodies are read for the rows that are given."""
    rows: list[Row] = []
    for known in _newest(chunks, query, _ALL if below is None else range(below), limit + 1):
        if len(rows) == limit:
            return Page(rows, rows[-1].index, True)
        text = body(known, reader)
        size -= len(text)
        if rows and size < 0:
            return Page(rows, rows[-1].index, True)
        rows.append(row(known, text))
    return Page(rows, None, True)


def count(chunks: Sequence[Chunk], query: Query) -> int:
    masks = (matching(chunk, query, _ALL) for chunk in chunks)
    return sum(mask.true_count for mask in masks if mask is not None)


def named(chunks: Sequence[Chunk], reader: Reader, log: str, id: str) -> list[Row]:
    """The first entry of each source that used this id, by index."""
    query = Query(log, (("id", (id,)),))
    found: dict[str, Row] = {}
    for chunk in chunks:
        mask = matching(chunk, query, _ALL)
        if mask is None:
            continue
        rows = pc.indices_nonzero(mask)
        for number, source in zip(rows.to_pylist(), chunk.entries.column("source").take(rows).to_pylist(), strict=True):
            if source not in found:
                known = chunk.known([number])[0]
                found[source] = row(known, body(known, reader))
    return list(found.values())


def entry(chunks: Sequence[Chunk], reader: Reader, log: str, index: int) -> Row | None:
    for known in _newest(chunks, Query(log), range(index, index + 1), 1):
        return row(known, body(known, reader))
    return None


def _newest(chunks: Sequence[Chunk], query: Query, indices: range, most: int) -> Iterator[dict[str, Any]]:
    """What is known about matching rows, newest first, at most `most`. Looks no further back than it is asked for."""
    for chunk in reversed(chunks):
        mask = matching(chunk, query, indices)
        if mask is None:
            continue
        newest = pc.indices_nonzero(mask)[-most:].to_pylist()[::-1]
        yield from chunk.known(newest)
        most -= len(newest)
        if not most:
            return
