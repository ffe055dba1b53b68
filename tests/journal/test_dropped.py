"""A start destroys nothing: what it cannot take for a frame lies, byte for byte, in damaged/ before it is gone from the journal."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from journal_disk import Crash, PowerCut, Watched, frame, killed
from trails import Quick

from indelible.errors import Damaged, JournalFull
from indelible.journal.file import open_file_journal
from indelible.journal.files import Files
from indelible.journal.port import Dropped, Frame, Placed

SIZE = 2048


class Left(NamedTuple):
    """A directory as a killed process left it, the frames that a start takes, and where bytes stand that it drops."""

    data: Path
    kept: list[Frame]
    torn: list[tuple[str, int, bytes]]


def appended(data: Path, *groups: list[Frame]) -> list[Placed]:
    async def go() -> list[Placed]:
        journal = open_file_journal(data, file_size=SIZE)
        placed = [each for group in groups for each in await journal.append_all(group)]
        await journal.close()
        return placed

    placed = asyncio.run(go())
    killed(data)
    return placed


def overwrite(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as opened:
        opened.seek(offset)
        opened.write(content)


def torn(data: Path, *places: tuple[str, int]) -> list[tuple[str, int, bytes]]:
    """What stands from each place on, up to the zeros."""
    return [(name, start, (data / "journal" / name).read_bytes()[start:].rstrip(b"\0")) for name, start in places]


def a_torn_tail(data: Path) -> Left:
    placed = appended(data, [frame(1)], [frame(2)], [frame(3, 4)])
    overwrite(data / "journal" / "00000001.journal", placed[2].next.offset - 50, bytes(50))
    return Left(data, [frame(1), frame(2)], torn(data, ("00000001.journal", placed[2].place.offset)))


def a_flipped_bit_in_the_last_frame(data: Path) -> Left:
    placed = appended(data, [frame(1)], [frame(2)], [frame(3)])
    overwrite(data / "journal" / "00000001.journal", placed[2].text + 30, b"?")
    return Left(data, [frame(1), frame(2)], torn(data, ("00000001.journal", placed[2].place.offset)))


def stale_frames_behind_the_first_bad_one(data: Path) -> Left:
    placed = appended(data, [frame(1)], [frame(2), frame(3), frame(4)])
    overwrite(data / "journal" / "00000001.journal", placed[1].text + 30, b"?")
    return Left(data, [frame(1)], torn(data, ("00000001.journal", placed[1].place.offset)))


def nothing_proven(data: Path) -> Left:
    """The new file takes the old one's name."""
    placed = appended(data, [frame(1), frame(2)])
    overwrite(data / "journal" / "00000001.journal", placed[1].text + 30, b"?")
    return Left(data, [frame(1)], torn(data, ("00000001.journal", placed[1].place.offset)))


def the_very_first_frame(data: Path) -> Left:
    placed = appended(data, [frame(1)])
    overwrite(data / "journal" / "00000001.journal", placed[0].text + 30, b"?")
    return Left(data, [], torn(data, ("00000001.journal", 0)))


def the_first_frame_of_the_next_file(data: Path) -> Left:
    placed = appended(data, *([frame(seed, size=300)] for seed in range(3)))
    assert (placed[-1].place.unit, placed[-1].place.offset) == (2, 0)
    overwrite(data / "journal" / "00000002.journal", placed[-1].text + 30, b"?")
    return Left(data, [frame(seed, size=300) for seed in range(2)], torn(data, ("00000002.journal", 0)))


def both(data: Path) -> Left:
    kept = the_first_frame_of_the_next_file(data).kept
    path = data / "journal" / "00000001.journal"
    end = path.stat().st_size
    path.write_bytes(path.read_bytes() + b"junk\n")
    return Left(data, kept, torn(data, ("00000001.journal", end), ("00000002.journal", 0)))


HARMS = (
    *(a_torn_tail, a_flipped_bit_in_the_last_frame, stale_frames_behind_the_first_bad_one, nothing_proven, the_very_first_frame),
    *(the_first_frame_of_the_next_file, both),
)


def start(data: Path, files: Files | None = None, reserve: int = 0) -> tuple[list[Frame], list[Dropped]]:
    journal = open_file_journal(data, file_size=SIZE, files=files or Quick(), reserve=reserve)
    try:
        return [placed.frame for placed in journal.reader().frames(journal.first, journal.end.position)], list(journal.dropped)
    finally:
        asyncio.run(journal.close())


def copies(data: Path) -> list[bytes]:
    return [path.read_bytes() for path in data.glob("damaged/*/*.journal.*")]


@pytest.mark.parametrize("harm", HARMS)
def test_what_a_start_drops_is_in_damaged_with_a_note_and_is_told(harm: Callable[[Path], Left], tmp_path: Path) -> None:
    _, kept, dropped = harm(tmp_path)
    assert all(content for _, _, content in dropped)
    frames, told = start(tmp_path)
    assert frames == kept
    assert [(each.file, each.start, each.kept.read_bytes()) for each in told] == dropped
    for each in told:
        assert each.kept.name == f"{each.file}.{each.start}-{each.stop}" and each.kept.parent.parent == tmp_path / "damaged"
        note = json.loads((each.kept.parent / "note.json").read_bytes())
        assert [(found["file"], found["from"], found["to"]) for found in note["dropped"]] == [(each.file, each.start, each.stop)]
        assert (each.kept.stat().st_mode | each.kept.parent.stat().st_mode) & 0o077 == 0
    assert start(tmp_path) == (kept, [])


def test_zeros_are_dropped_without_a_copy(tmp_path: Path) -> None:
    appended(tmp_path, [frame(1)], [frame(2)])
    assert start(tmp_path) == ([frame(1), frame(2)], [])
    assert not (tmp_path / "damaged").exists()


@pytest.mark.parametrize("harm", HARMS)
def test_a_crash_at_each_step_of_a_start_that_drops_something_destroys_nothing(harm: Callable[[Path], Left], tmp_path: Path) -> None:
    given = harm(tmp_path / "before")
    for step in range(100):
        for luck in (None, random.Random(step), random.Random(-step - 1)):
            data, after = tmp_path / f"{step}", tmp_path / f"{step}-after"
            shutil.copytree(given.data, data)
            if not crashed_start(data, after, step, luck):
                assert step > 12  # the start has come to its end, so every step of it has been tried
                return
            for _, offset, content in given.torn:
                still = [path.read_bytes() for path in (after / "journal").glob("*.journal")]
                assert content in copies(after) or any(each[offset : offset + len(content)] == content for each in still), (step, luck)
            frames, _ = start(after)
            assert frames == given.kept
            assert {content for _, _, content in given.torn} <= set(copies(after)), (step, luck)
            shutil.rmtree(data)
            shutil.rmtree(after)
    raise AssertionError("the start never came to its end")


def crashed_start(data: Path, after: Path, step: int, luck: random.Random | None) -> bool:
    """Start in `data`, lose the power before operation `step`, and put what the disk then holds into `after`. False if it needs fewer."""
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


def test_starts_that_are_killed_again_and_again_make_one_copy(tmp_path: Path) -> None:
    """A start that comes no further than its copy takes that of the one before it, and syncs it again."""
    given = a_torn_tail(tmp_path)

    def crash(operation: str, path: Path) -> None:
        if path.suffix == ".new":
            raise Crash

    for _ in range(5):
        with pytest.raises(Crash):
            open_file_journal(tmp_path, file_size=SIZE, files=Watched(crash))
    synced: list[str] = []
    _, [told] = start(tmp_path, Watched(lambda operation, path: synced.append(path.name) if operation == "fsync" else None))
    assert copies(tmp_path) == [given.torn[0][2]] == [told.kept.read_bytes()]
    assert {told.kept.name, "note.json", told.kept.parent.name, "damaged", tmp_path.name} <= set(synced)


def test_the_copy_of_other_bytes_at_the_same_place_is_another_one(tmp_path: Path) -> None:
    the_very_first_frame(tmp_path)
    start(tmp_path)
    shutil.rmtree(tmp_path / "journal")
    other = the_very_first_frame(tmp_path)
    overwrite(tmp_path / "journal" / "00000001.journal", 20, b"!")
    start(tmp_path)
    assert len(set(copies(tmp_path))) == 2 and len(other.torn[0][2]) == len(copies(tmp_path)[0])


class Full(Watched):
    """No room below damaged/, nor for a new file, while the reserve is there; with `never` also without it."""

    def __init__(self, data: Path, never: bool) -> None:
        super().__init__(self.refuse)
        self.reserve, self.never = data / "journal" / "reserve", never

    def refuse(self, operation: str, path: Path) -> None:
        if operation == "pwrite" and "damaged" in path.parts and (self.never or self.reserve.exists()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_on_a_full_disk_the_copy_takes_the_reserves_space(tmp_path: Path) -> None:
    given = a_torn_tail(tmp_path)
    (tmp_path / "journal" / "reserve").write_bytes(bytes(500))
    frames, [told] = start(tmp_path, Full(tmp_path, never=False), reserve=500)
    assert frames == given.kept
    assert told.kept.read_bytes() == given.torn[0][2]


def test_without_room_for_the_copy_the_start_is_refused_and_drops_nothing(tmp_path: Path) -> None:
    given = a_torn_tail(tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "journal").glob("*.journal")}
    with pytest.raises(JournalFull, match="make space and start again"):
        start(tmp_path, Full(tmp_path, never=True))
    assert {path.name: path.read_bytes() for path in (tmp_path / "journal").glob("*.journal")} == before
    assert not copies(tmp_path) and not list(tmp_path.glob("damaged/*"))
    assert start(tmp_path)[0] == given.kept


def test_a_first_file_that_was_written_is_not_begun_anew_without_journal_json(tmp_path: Path) -> None:
    the_very_first_frame(tmp_path)
    (tmp_path / "journal" / "journal.json").unlink()
    before = (tmp_path / "journal" / "00000001.journal").read_bytes()
    with pytest.raises(Damaged, match="it is missing, though 00000001"):
        start(tmp_path)
    assert (tmp_path / "journal" / "00000001.journal").read_bytes() == before
