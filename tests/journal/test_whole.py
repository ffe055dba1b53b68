"""A journal that is checked while others use it: what it was at the beginning, or that nobody can say; never damage that is none."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from journal_disk import frame, killed

from indelible.errors import Damaged, Replaced
from indelible.journal.file import open_file_journal
from indelible.journal.whole import Whole, open_whole

SIZE = 2048


def appended(data: Path, *seeds: int) -> None:
    """A start, some frames, and a clean end."""

    async def go() -> None:
        journal = open_file_journal(data, file_size=SIZE)
        for seed in seeds:
            await journal.append(frame(seed))
        await journal.close()

    asyncio.run(go())


def read(whole: Whole) -> list[int]:
    """The seeds of its frames."""
    return [placed.frame.recorded - frame(0).recorded for placed, _ in whole.frames()]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_service_that_was_started_meanwhile_is_no_damage(tmp_path: Path, count: int) -> None:
    appended(tmp_path, *range(count))
    killed(tmp_path)
    whole = open_whole(tmp_path)
    appended(tmp_path, count)
    with pytest.raises(Replaced, match="try again"):
        read(whole)
        whole.unchanged()
    assert read(open_whole(tmp_path)) == list(range(count + 1))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_service_that_was_started_meanwhile_after_a_clean_end_changes_nothing(tmp_path: Path, count: int) -> None:
    appended(tmp_path, *range(count))
    whole = open_whole(tmp_path)
    appended(tmp_path, count)
    assert read(whole) == list(range(count))
    whole.unchanged()


def test_a_service_that_goes_on_meanwhile_changes_nothing(tmp_path: Path) -> None:
    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=SIZE)
        for seed in range(3):
            await journal.append(frame(seed))
        whole = open_whole(tmp_path)
        for seed in range(3, 15):
            await journal.append(frame(seed))
        assert journal.end.unit > 2
        assert read(whole) == [0, 1, 2]
        whole.unchanged()
        await journal.close()

    asyncio.run(go())


def test_damage_is_named_though_others_go_on(tmp_path: Path) -> None:
    appended(tmp_path, *range(12))
    whole = open_whole(tmp_path)
    first = tmp_path / "journal" / "00000001.journal"
    first.write_bytes(first.read_bytes().replace(b"0.0.xxx", b"0.0.yyy"))
    (tmp_path / "journal" / "00000099.journal").touch()
    with pytest.raises(Damaged, match=r"00000001\.journal is damaged at byte 0"):
        read(whole)
