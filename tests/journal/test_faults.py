"""Operations that fail while the journal is written: a full disk passes, an unknown outcome does not."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from journal_disk import Watched, frame, killed

from indelible.errors import Damaged, JournalFailed, JournalFull
from indelible.journal.file import open_file_journal
from indelible.journal.port import Frame

SIZE = 2048


class Fault:
    """Fails one operation on paths that end in `suffix`, for as long as `on`."""

    def __init__(self, operation: str, number: int, suffix: str = "") -> None:
        self.operation, self.number, self.suffix = operation, number, suffix
        self.on = False

    def __call__(self, operation: str, path: Path) -> None:
        if self.on and operation == self.operation and path.name.endswith(self.suffix):
            raise OSError(self.number, os.strerror(self.number))


async def found(data: Path) -> list[Frame]:
    journal = open_file_journal(data, file_size=SIZE)
    try:
        return [placed.frame for placed in journal.reader().frames(journal.first, journal.end.position)]
    finally:
        await journal.close()


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


@pytest.mark.parametrize(("operation", "number"), [("fdatasync", errno.EIO), ("fdatasync", errno.ENOSPC), ("pwrite", errno.EIO)])
def test_an_unknown_outcome_fails_all_in_flight_and_all_that_come_later(tmp_path: Path, operation: str, number: int) -> None:
    fault = Fault(operation, number, ".journal")

    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=SIZE, files=Watched(fault))
        await journal.append(frame(1))
        end = journal.end
        fault.on = True
        outcomes = await asyncio.gather(*(journal.append(frame(seed)) for seed in (2, 3)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [JournalFailed] * 2
        fault.on = False
        with pytest.raises(JournalFailed):
            await journal.append(frame(4))
        assert journal.end == end
        await journal.close()

    run(go)
    assert asyncio.run(found(tmp_path))[:1] == [frame(1)]
    assert frame(4) not in asyncio.run(found(tmp_path))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_too_full_for_the_next_file_refuses_until_there_is_space(tmp_path: Path, number: int) -> None:
    fault = Fault("pwrite", number, "spare.new")

    async def go() -> None:
        fault.on = True
        journal = open_file_journal(tmp_path, file_size=SIZE, files=Watched(fault))
        kept = []
        for seed in range(20):
            try:
                await journal.append(frame(seed, size=300))
            except JournalFull:
                break
            kept.append(frame(seed, size=300))
        assert 0 < len(kept) < 20
        with pytest.raises(JournalFull):
            await journal.append(frame(50, size=300))
        assert [placed.frame for placed in journal.reader().frames(journal.first, journal.end.position)] == kept
        fault.on = False
        placed = await journal.append(frame(60, size=300))
        assert (placed.place.position, placed.place.unit) == (len(kept), 2)
        await journal.close()
        assert await found(tmp_path) == [*kept, frame(60, size=300)]

    run(go)


@pytest.mark.parametrize("fresh", [False, True])
def test_a_refused_frame_never_comes_alive_though_part_of_it_was_written(tmp_path: Path, fresh: bool) -> None:
    """The disk fills up after the first frame of the group was written; the same bytes come again once there is space."""

    class Fills(Watched):
        full = False
        writes = 0

        def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
            if not self.full or self.paths[fd].suffix != ".journal":
                return super().pwrite(fd, data, offset)
            self.writes += 1
            if self.writes > 1:
                self.full = False
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().pwrite(fd, data[:-20], offset)

    files = Fills()

    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=SIZE, files=files)
        kept = [] if fresh else [frame(1)]
        for each in kept:
            await journal.append(each)
        files.full = True
        outcomes = await asyncio.gather(*(journal.append(frame(seed)) for seed in (2, 3, 4)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [JournalFull] * 3
        await journal.append(frame(2))
        await journal.close()
        assert await found(tmp_path) == [*kept, frame(2)]

    run(go)


def test_a_refused_group_that_cannot_be_undone_is_an_unknown_outcome(tmp_path: Path) -> None:
    fault = Fault("pwrite", errno.ENOSPC, ".journal")

    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=SIZE, files=Watched(fault))
        fault.on = True
        with pytest.raises(JournalFailed):
            await journal.append(frame(1))
        await journal.close()

    run(go)


@pytest.mark.parametrize("operation", ["rename", "fsync"])
def test_a_rotation_that_fails_half_way_is_an_unknown_outcome(tmp_path: Path, operation: str) -> None:
    fault = Fault(operation, errno.EIO, {"rename": "2.journal", "fsync": "journal"}[operation])

    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=SIZE, files=Watched(fault))
        fault.on = True
        kept = []
        with pytest.raises(JournalFailed):
            for seed in range(20):
                await journal.append(frame(seed, size=300))
                kept.append(frame(seed, size=300))
        await journal.close()
        assert 0 < len(kept) < 20
        assert await found(tmp_path) == kept

    run(go)


def test_a_frame_larger_than_a_file_extends_it(tmp_path: Path) -> None:
    big = frame(2, count=3, size=3 * SIZE)

    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=SIZE)
        placed = [await journal.append(each) for each in (frame(1), big, frame(3))]
        assert [each.place.unit for each in placed] == [1, 2, 3]
        await journal.close()

    run(go)
    assert asyncio.run(found(tmp_path)) == [frame(1), big, frame(3)]


def test_the_files_are_their_owners_alone_and_a_closed_one_gives_its_padding_back(tmp_path: Path) -> None:
    data = tmp_path / "data"

    async def go() -> None:
        journal = open_file_journal(data, file_size=SIZE)
        placed = [await journal.append(frame(seed, size=300)) for seed in range(5)]
        last = [each for each in placed if each.place.unit == 1][-1]
        assert (data / "journal" / "00000001.journal").stat().st_size == last.next.offset
        assert (data / "journal" / f"{placed[-1].place.unit:08d}.journal").stat().st_size == SIZE
        assert (data.stat().st_mode | (data / "journal").stat().st_mode) & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in (data / "journal").iterdir()} == {0o600}
        await journal.close()

    run(go)


def test_a_start_that_could_not_free_the_padding_does_not_show_a_frame_twice(tmp_path: Path) -> None:
    """The frames that were written anew still stand in the old file, whole, behind its end."""

    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=SIZE)
        for seed in range(2):
            await journal.append(frame(seed))
        _, stale = await asyncio.gather(journal.append(frame(2)), journal.append(frame(3)))
        await journal.close()
        killed(tmp_path)
        fault = Fault("truncate", errno.EIO)
        fault.on = True
        journal = open_file_journal(tmp_path, file_size=SIZE, files=Watched(fault))
        await journal.append(frame(4))
        placed = list(journal.reader().frames(journal.first, journal.end.position))
        assert [(each.frame, each.place.unit) for each in placed] == [(frame(seed), 1 + (seed > 1)) for seed in range(5)]
        with pytest.raises(Damaged):
            list(journal.reader().frames(stale.place, stale.next.position))
        await journal.close()
        assert await found(tmp_path) == [frame(seed) for seed in range(5)]

    run(go)


def test_trimming_keeps_a_frame_while_the_newest_file_has_none(tmp_path: Path) -> None:
    """A file without frames tells no position: alone it would make the journal begin anew at 0."""
    fault = Fault("pwrite", errno.ENOSPC, "2.journal")

    class FullOnce(Watched):
        def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
            try:
                return super().pwrite(fd, data, offset)
            finally:
                fault.on = fault.on and self.paths[fd].name != "00000002.journal"

    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=SIZE, files=FullOnce(fault))
        for seed in range(2):
            await journal.append(frame(seed, size=300))
        fault.on = True
        with pytest.raises(JournalFull):
            for seed in range(2, 9):
                await journal.append(frame(seed, size=300))
        assert (tmp_path / "journal" / "00000002.journal").exists()
        end = journal.end.position
        journal.trim(end)
        await journal.close()
        journal = open_file_journal(tmp_path, file_size=SIZE)
        assert (journal.first.position, journal.end.position) == (0, end)
        await journal.close()

    run(go)


def test_a_full_disk_at_the_start_is_said_as_such_and_changes_nothing(tmp_path: Path) -> None:
    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=SIZE)
        await journal.append(frame(1))
        await journal.close()

    run(go)
    fault = Fault("pwrite", errno.ENOSPC)
    fault.on = True
    with pytest.raises(JournalFull):
        open_file_journal(tmp_path, file_size=SIZE, files=Watched(fault))
    assert asyncio.run(found(tmp_path)) == [frame(1)]


def test_what_is_no_frame_is_refused_before_it_is_queued(tmp_path: Path) -> None:
    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=SIZE)
        whole = frame(1)
        for wrong in (Frame("default", 0, b"", 0, "-", "native", b"", b""), Frame("default", 1, whole.text, 0, "-", "native", b"", b"")):
            with pytest.raises(ValueError):
                await journal.append(wrong)
        await journal.close()

    run(go)
