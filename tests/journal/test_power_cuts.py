"""The power goes before each operation that changes the disk: nothing that was acknowledged or folded is ever missing."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from journal_disk import Crash, PowerCut, frame

from indelible.errors import JournalFailed
from indelible.journal.file import open_file_journal
from indelible.journal.files import Files
from indelible.journal.port import Frame, Position

SIZE = 1024  # of a file: a rotation every few frames
GIVEN = [frame(seed, 1 + seed % 2, size=20 + 13 * (seed % 5)) for seed in range(14)]


def frames_after_a_start(data: Path, files: Files | None = None) -> tuple[int, list[Frame]]:
    """The first position and the frames from it on that a start finds in `data`."""
    journal = open_file_journal(data, file_size=SIZE, files=files)
    try:
        return journal.first.position, [placed.frame for placed in journal.reader().frames(journal.first, journal.end.position)]
    finally:
        asyncio.run(journal.close())


def test_what_was_acknowledged_is_there_whenever_the_power_goes(tmp_path: Path) -> None:
    cuts: list[tuple[Path, int]] = []
    acknowledged = 0

    def cut(operation: str, path: Path) -> None:
        for luck in (None, random.Random(len(cuts)), random.Random(-len(cuts))):
            cuts.append((tmp_path / f"cut-{len(cuts)}", acknowledged))
            disk.cut(cuts[-1][0], luck)

    async def work() -> None:
        nonlocal acknowledged
        journal = open_file_journal(tmp_path / "data", file_size=SIZE, files=disk)
        at = 0
        while at < len(GIVEN):
            group = GIVEN[at : at + 1 + at % 3]
            await asyncio.gather(*(journal.append(each) for each in group))
            at = acknowledged = at + len(group)
        await journal.close()

    disk = PowerCut(tmp_path / "data" / "journal", before=cut)
    (tmp_path / "data" / "journal").mkdir(parents=True)
    asyncio.run(work())
    disk.release()
    assert len(cuts) > 150
    for data, known in cuts:
        _, found = frames_after_a_start(data)
        assert found == GIVEN[: len(found)], data
        assert len(found) >= known, data
        shutil.rmtree(data)


@pytest.mark.parametrize("kind", ["killed while appending", "killed just after a rotation", "one group only", "twice started"])
def test_a_crash_at_each_step_of_the_start_loses_nothing(tmp_path: Path, kind: str) -> None:
    given = prepare(tmp_path / "before", kind)
    for step in range(100):
        for luck in (None, random.Random(step), random.Random(-step - 1)):
            data, after = tmp_path / f"{step}", tmp_path / f"{step}-after"
            shutil.copytree(tmp_path / "before", data)
            if crashed_start(data, after, step, luck):
                _, found = frames_after_a_start(after)
                assert found == given, (step, luck)
            elif luck:
                assert step > 5  # the start has come to its end, so every step of it has been tried
                return
            shutil.rmtree(data)
            shutil.rmtree(after, ignore_errors=True)
    raise AssertionError("the start never came to its end")


def prepare(data: Path, kind: str) -> list[Frame]:
    """A directory as a killed process leaves it. Everything in it is on the disk, though its own marks cannot prove all of that."""
    groups = {"one group only": [3], "killed just after a rotation": [3, 3, 5]}.get(kind, [3, 3, 3])

    async def work() -> int:
        journal = open_file_journal(data, file_size=SIZE)
        at = 0
        for many in groups:
            await asyncio.gather(*(journal.append(each) for each in GIVEN[at : at + many]))
            at += many
        await journal.close()
        return at

    many = asyncio.run(work())
    if kind == "twice started":
        frames_after_a_start(data)
    return GIVEN[:many]


def crashed_start(data: Path, after: Path, step: int, luck: random.Random | None) -> bool:
    """Start in `data`, crash before operation `step`, and put what the disk then holds into `after`. False if the start needs fewer."""
    steps = 0

    def crash(operation: str, path: Path) -> None:
        nonlocal steps
        if path.name != "spare.new":
            steps += 1
            if steps > step:
                raise Crash

    disk = PowerCut(data / "journal", before=crash)
    try:
        journal = open_file_journal(data, file_size=SIZE, files=disk)
    except Crash:
        disk.cut(after, luck)
        return True
    finally:
        disk.release()
    disk.before = lambda operation, path: None
    asyncio.run(journal.close())
    return False


def test_what_a_start_has_folded_survives_a_power_cut_right_after_it(tmp_path: Path) -> None:
    """The last frames were only in the page cache: reading them back proved nothing, so the start had to write them again."""
    asyncio.run(_append_without_the_last_sync(tmp_path / "data"))
    disk = PowerCut(tmp_path / "data" / "journal")
    for name, inode in disk.names_held.items():
        if name == "00000001.journal":
            disk.contents[inode] = bytes(SIZE)  # the disk holds nothing of the file that the page cache shows
    _, folded = frames_after_a_start(tmp_path / "data", files=disk)
    assert folded == GIVEN[:2]
    disk.cut(tmp_path / "cut", None)
    disk.release()
    assert frames_after_a_start(tmp_path / "cut") == (0, folded)


async def _append_without_the_last_sync(data: Path) -> None:
    class NoSync(Files):
        def fdatasync(self, fd: int) -> None:
            raise OSError(5, "Input/output error")

    journal = open_file_journal(data, file_size=SIZE, files=NoSync())
    outcomes = await asyncio.gather(*(journal.append(each) for each in GIVEN[:2]), return_exceptions=True)
    assert [type(each) for each in outcomes] == [JournalFailed] * 2
    await journal.close()


def test_trimming_loses_nothing_above_it_whenever_the_power_goes(tmp_path: Path) -> None:
    cuts: list[Path] = []
    journal = open_file_journal(tmp_path / "data", file_size=SIZE)

    async def fill() -> None:
        for each in GIVEN:
            await journal.append(each)

    asyncio.run(fill())
    disk = PowerCut(tmp_path / "data" / "journal")
    journal._files = disk

    def cut(operation: str, path: Path) -> None:
        for luck in (None, random.Random(len(cuts)), random.Random(-len(cuts))):
            cuts.append(tmp_path / f"cut-{len(cuts)}")
            disk.cut(cuts[-1], luck)

    disk.before = cut
    below = sum(each.count for each in GIVEN[:9])
    journal.trim(Position(below))
    disk.before = lambda operation, path: None
    asyncio.run(journal.close())
    disk.release()
    assert len(cuts) > 12
    for data in cuts:
        first, found = frames_after_a_start(data)
        assert first <= below
        assert found == GIVEN[-len(found) :] and len(found) >= len(GIVEN) - 9, data


def test_a_trim_that_was_killed_before_its_sync_loses_nothing_when_the_power_goes_in_the_next_start(tmp_path: Path) -> None:
    """journal.json is new in the page cache and old on the disk: older files may go only once it is on the disk."""
    journal = open_file_journal(tmp_path / "before", file_size=SIZE)

    async def fill() -> None:
        for each in GIVEN:
            await journal.append(each)
        await journal.close()

    asyncio.run(fill())
    position, unit, _ = journal.resume(Position(sum(each.count for each in GIVEN[:9])), GIVEN[9].leaves)
    for step in range(8):
        for name in (None, "00000001.journal"):
            data = tmp_path / f"{step}-{name}"
            shutil.copytree(tmp_path / "before", data)
            disk = start_after_a_killed_trim(data, unit, step)
            disk.cut(data / "after", None)
            if name and name not in [path.name for path in disk.directory.iterdir()]:
                (data / "after" / "journal" / name).unlink(missing_ok=True)  # this one name's removal was kept, no other change
                disk.names_held.pop(name, None)
            disk.release()
            first, found = frames_after_a_start(data / "after")
            assert first <= position
            assert found == GIVEN[-len(found) :] and len(found) >= len(GIVEN) - 9


def start_after_a_killed_trim(data: Path, unit: int, step: int) -> PowerCut:
    """journal.json names `unit`, which the disk does not know yet; the start then crashes before its operation `step`."""
    steps = 0

    def crash(operation: str, path: Path) -> None:
        nonlocal steps
        steps += path.name != "spare.new"
        if steps > step:
            raise Crash

    manifest, new = data / "journal" / "journal.json", data / "journal" / "journal.json.new"
    new.write_bytes(manifest.read_bytes().replace(b"00000001", b"%08d" % unit))
    disk = PowerCut(data / "journal", before=crash)
    disk.unlinked.append(os.open(manifest, os.O_RDONLY))
    new.replace(manifest)
    with suppress(Crash):
        asyncio.run(open_file_journal(data, file_size=SIZE, files=disk).close())
    return disk
