"""A disk of so many bytes: what is refused on it, what goes on, what the reserve is for, and that writing resumes by itself."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from journal_disk import Watched, frame, killed

from indelible.errors import JournalFull
from indelible.journal.file import FileJournal, open_file_journal
from indelible.journal.port import Frame, Position

SIZE = 4096
RESERVE = 3000
BLOCK = 64


class Small(Watched):
    """Holds `capacity` bytes in blocks; a write that does not fit is cut short, and the next one is told so."""

    def __init__(self, data: Path, capacity: int) -> None:
        super().__init__()
        self.directory, self.capacity = data / "journal", capacity

    @property
    def left(self) -> int:
        return self.capacity - sum(path.stat().st_size // BLOCK + 1 for path in self.directory.iterdir()) * BLOCK

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        with self.lock:
            room = os.fstat(fd).st_size + max(0, self.left) - offset
            if data and room <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().pwrite(fd, data[: max(0, room)], offset)

    def open(self, path: Path, flags: int) -> int:
        with self.lock:
            if flags & os.O_CREAT and not path.exists() and self.left < BLOCK:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().open(path, flags)


def opened(data: Path, disk: Small, reserve: int = RESERVE) -> FileJournal:
    return open_file_journal(data, file_size=SIZE, reserve=reserve, files=disk)


def held(journal: FileJournal) -> list[Frame]:
    return [placed.frame for placed in journal.reader().frames(journal.first, journal.end.position)]


async def filled(journal: FileJournal) -> list[Frame]:
    """What it took before it was full."""
    kept: list[Frame] = []
    with pytest.raises(JournalFull):
        for seed in range(1000):
            await journal.append(frame(seed, size=300))
            kept.append(frame(seed, size=300))
    return kept


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def go() -> None:
        await work()

    asyncio.run(go())


def test_a_full_disk_refuses_reads_on_and_resumes_by_itself_once_there_is_room(tmp_path: Path) -> None:
    disk = Small(tmp_path, 5 * SIZE)

    async def go() -> None:
        journal = opened(tmp_path, disk)
        kept = await filled(journal)
        assert len(kept) > 10
        for _ in range(3):
            with pytest.raises(JournalFull):
                await journal.append(frame(2000, size=300))
        assert held(journal) == kept
        assert (tmp_path / "journal" / "reserve").stat().st_size == RESERVE
        disk.capacity += 2 * SIZE
        await journal.append(frame(3000, size=300))
        assert held(journal) == [*kept, frame(3000, size=300)]
        await journal.close()
        journal = opened(tmp_path, disk)
        assert held(journal) == [*kept, frame(3000, size=300)]
        await journal.close()

    run(go)


def test_on_a_full_disk_trimming_uses_the_reserve_which_is_filled_again(tmp_path: Path) -> None:
    disk = Small(tmp_path, 6 * SIZE)

    async def go() -> None:
        journal = opened(tmp_path, disk)
        kept = await filled(journal)
        disk.capacity -= disk.left  # someone else takes the rest
        given_back: list[str] = []
        disk.before = lambda operation, path: given_back.append(path.name) if operation == "unlink" else None
        journal.trim(Position(len(kept) - 1))
        assert given_back[0] == "reserve"
        assert journal.first.position > 0
        await journal.close()
        assert (tmp_path / "journal" / "reserve").stat().st_size == RESERVE
        journal = opened(tmp_path, disk)
        await journal.append(frame(2000, size=300))
        assert held(journal) == [*kept, frame(2000, size=300)][-len(held(journal)) :]
        assert 0 < journal.first.position <= len(kept) - 1
        await journal.close()

    run(go)


def test_without_a_reserve_trimming_a_full_disk_is_refused_and_deletes_nothing(tmp_path: Path) -> None:
    disk = Small(tmp_path, 6 * SIZE)

    async def go() -> None:
        journal = opened(tmp_path, disk, reserve=0)
        kept = await filled(journal)
        disk.capacity -= disk.left
        with pytest.raises(JournalFull):
            journal.trim(Position(len(kept) - 1))
        assert held(journal) == kept
        assert journal.first.position == 0
        await journal.close()

    run(go)


def test_what_the_reserve_gave_back_is_not_taken_for_the_next_file(tmp_path: Path) -> None:
    """Else the next one who has to make space finds none."""
    disk = Small(tmp_path, 8 * SIZE)

    async def go() -> None:
        journal = opened(tmp_path, disk, reserve=2 * SIZE)
        kept = await filled(journal)
        disk.capacity -= disk.left
        with journal._reserve.given_back():
            assert disk.left > 2 * SIZE - BLOCK
        disk.capacity -= 2 * BLOCK  # it cannot be filled again, and a file of SIZE would fit twice
        with pytest.raises(JournalFull):
            await journal.append(frame(2000, size=300))
        assert disk.left > SIZE
        assert journal.usage().step == SIZE + 2 * SIZE  # what it takes before events are stored again
        disk.capacity += 2 * SIZE
        await journal.append(frame(2000, size=300))
        assert (tmp_path / "journal" / "reserve").stat().st_size == 2 * SIZE
        assert held(journal) == [*kept, frame(2000, size=300)]
        await journal.close()

    run(go)


@pytest.mark.parametrize("left", [1000, 0])
def test_a_start_on_a_full_disk_shows_all_refuses_and_resumes_by_itself(tmp_path: Path, left: int) -> None:
    """There is no room for the zeros of a new file; with nothing left at all the frames are written with the reserve's space."""
    reserve = tmp_path / "journal" / "reserve"
    disk = Small(tmp_path, 7 * SIZE)

    async def go() -> None:
        journal = opened(tmp_path, disk, 2 * SIZE)
        kept = await filled(journal)
        await journal.close()
        for _ in range(3):
            killed(tmp_path)
            disk.capacity -= disk.left - left
            journal = opened(tmp_path, disk, 2 * SIZE)
            assert held(journal) == kept
            journal._writer.spare._thread.submit(int).result()  # it has tried, and found no room
            room = disk.left
            with pytest.raises(JournalFull):
                await journal.append(frame(2000, size=300))
            assert held(journal) == kept
            assert disk.left == room
            await journal.close()
        journal = opened(tmp_path, disk, 2 * SIZE)
        with journal._reserve.given_back():
            disk.capacity -= disk.left - 2 * SIZE + BLOCK  # not enough for the reserve, and more than the zeros need
        with pytest.raises(JournalFull):
            await journal.append(frame(2000, size=300))
        disk.capacity += 8 * SIZE
        await journal.append(frame(3000, size=300))
        await journal.close()
        assert reserve.stat().st_size == 2 * SIZE
        journal = opened(tmp_path, Small(tmp_path, 1 << 20))
        assert held(journal) == [*kept, frame(3000, size=300)]
        await journal.close()

    run(go)


def test_a_disk_with_room_for_nothing_at_all_stops_the_start_and_changes_nothing(tmp_path: Path) -> None:
    disk = Small(tmp_path, 5 * SIZE)

    async def go() -> None:
        journal = opened(tmp_path, disk, reserve=0)
        kept = await filled(journal)
        await journal.close()
        before = {path.name: path.read_bytes() for path in disk.directory.iterdir()}
        disk.capacity = 0
        with pytest.raises(JournalFull, match="make space and start again"):
            opened(tmp_path, disk, reserve=0)
        assert {path.name: path.read_bytes() for path in disk.directory.iterdir()} == before
        disk.capacity = 1 << 20
        journal = opened(tmp_path, disk)
        assert held(journal) == kept
        await journal.close()

    run(go)


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_the_reserve_follows_its_setting_at_the_next_start(tmp_path: Path, size: int) -> None:
    asyncio.run(opened(tmp_path, Small(tmp_path, 1 << 20)).close())
    assert (tmp_path / "journal" / "reserve").read_bytes() == bytes(RESERVE)
    asyncio.run(opened(tmp_path, Small(tmp_path, 1 << 20), reserve=size).close())
    path = tmp_path / "journal" / "reserve"
    assert (path.read_bytes() if path.exists() else b"") == bytes(size)
