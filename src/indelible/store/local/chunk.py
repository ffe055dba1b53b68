"""A piece of the tail: an Arrow file that is mapped, so that it costs address space and page cache but no heap, unless the disk is full."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa

from indelible.journal.port import Place, Reader
from indelible.model.conflict import conflict_body
from indelible.store.local.loader import Loaded
from indelible.store.local.mapped import Mapped
from indelible.store.port import Row

SMALL = 4096  # journaled events
SMALL_BYTES = 2 << 20  # of event lines

_KNOWN = ("log", "index", "unit", "offset", "length", "id", "time", "recorded", "writer")
_SOME_HAVE = ("id.assigned", "time.assigned", "conflict", "conflict.source", "conflict.id")


class Chunk:
    """The entries between two places of the journal, oldest first. Immutable; readable for as long as someone holds it."""

    def __init__(self, loaded: Loaded, mapped: Mapped) -> None:
        self.path = loaded.path
        self.start: Place = loaded.start
        self.next: Place = loaded.next
        self.indices = loaded.indices  # each log's next index at `start`
        self.indices_next = loaded.indices_next
        self.small = loaded.next.position - loaded.start.position < SMALL and loaded.octets < SMALL_BYTES
        self._mapped = mapped
        self._kept: pa.RecordBatch | None = None  # what has no file, or will soon have none
        if loaded.content is not None:
            self._kept = pa.ipc.open_file(pa.BufferReader(loaded.content)).get_batch(0)

    @property
    def entries(self) -> pa.RecordBatch:
        """A column for each path (columns.py), a row for each entry."""
        if self._kept is None:
            try:
                return self._mapped.entries(self.path)
            except FileNotFoundError:
                if self._kept is None:  # not forgotten in this very moment
                    raise
        return self._kept

    def range(self, log: str) -> range:
        """The indices of this log that stand here."""
        return range(self.indices.get(log, 0), self.indices_next.get(log, 0))

    def column(self, name: str) -> pa.Array | None:
        """None if nothing stands in it."""
        at = self.entries.schema.get_field_index(name)
        if at < 0 or pa.types.is_null(self.entries.schema.field(at).type):
            return None
        return self.entries.column(at)

    def known(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """What stands in the chunk about these rows, in their order."""
        names = (*_KNOWN, *(name for name in _SOME_HAVE if self.column(name) is not None))
        return self.entries.select(names).take(pa.array(rows, pa.int64())).to_pylist()  # type: ignore[no-any-return]

    def forget(self) -> None:
        """Delete the file; those who still hold the chunk keep its pages."""
        self._kept = self.entries
        with suppress(OSError):  # it had none, or the disk has become read-only
            os.unlink(self.path)
        self._mapped.forget(self.path)


def body(known: dict[str, Any], reader: Reader) -> bytes:
    """The entry's body from the journal. Raises Damaged if it is gone."""
    line = reader.text(known["unit"], known["offset"], known["length"])
    if known.get("conflict") is None:
        return line
    return conflict_body(known["conflict.source"], known["conflict.id"], known["conflict"], line)


def row(known: dict[str, Any], body: bytes) -> Row:
    assigned = tuple(name for name in ("id", "time") if known.get(f"{name}.assigned"))
    return Row(known["log"], known["index"], known["id"], known["time"], known["recorded"], known["writer"], assigned, body)
