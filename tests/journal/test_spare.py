"""The next file is made at leisure, and at once when somebody waits for it or the journal is closed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from indelible.journal import spare as module
from indelible.journal.files import Files, create
from indelible.journal.reserve import Reserve
from indelible.journal.spare import Spare


@pytest.fixture
def spare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spare:
    monkeypatch.setattr(module, "_PAUSE", 3600)
    return Spare(Files(), tmp_path, 5 << 20, Reserve(Files(), tmp_path, 0))


def test_what_nobody_waits_for_is_made_with_a_pause_after_each_mebibyte(tmp_path: Path) -> None:
    pauses: list[int] = []
    fd = create(Files(), tmp_path / "made", b"", 5 << 20, lambda: pauses.append((tmp_path / "made").stat().st_size >> 20))
    os.close(fd)
    assert pauses == [1, 2, 3, 4]


def test_who_waits_for_a_file_waits_for_no_pause(spare: Spare, tmp_path: Path) -> None:
    for name in ("one", "two"):
        fd = spare.take(tmp_path / name)
        assert os.pread(fd, 6 << 20, 0) == bytes(5 << 20)
        os.close(fd)
        spare.begin()
    spare.close()
    assert sorted(os.listdir(tmp_path)) == ["one", "two"]


def test_an_end_waits_for_no_pause_and_leaves_no_file(spare: Spare, tmp_path: Path) -> None:
    spare.close()
    assert os.listdir(tmp_path) == []
