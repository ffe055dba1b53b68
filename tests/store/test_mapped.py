"""How many files of the tail stay mapped: those longest unused go first, and whoever holds one reads on."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from indelible.store.local.mapped import Mapped


def file(path: Path, number: int) -> str:
    entries = pa.RecordBatch.from_pydict({"index": [number]})
    with pa.ipc.new_file(str(path), entries.schema) as writer:
        writer.write_batch(entries)
    return str(path)


def test_files_longest_unused_are_let_go_above_the_bound_and_no_other(tmp_path: Path) -> None:
    one, two, three = (file(tmp_path / f"{number}.arrow", number) for number in (1, 2, 3))
    mapped = Mapped(2 * Path(one).stat().st_size)
    held = mapped.entries(two)
    for path in (one, two, one, three):
        mapped.entries(path)
    for path in (one, two, three):
        Path(path).unlink()  # now only what is still mapped can be given
    assert [mapped.entries(path).column(0).to_pylist() for path in (one, three)] == [[1], [3]]
    with pytest.raises(FileNotFoundError):
        mapped.entries(two)
    assert held.column(0).to_pylist() == [2]
