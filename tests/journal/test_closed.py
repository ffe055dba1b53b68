"""The end mark of a clean stop: with it a damaged or missing last frame is damage, and it never says what is not so."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from journal_disk import PowerCut, Watched, frame, killed
from trails import Quick

from indelible.errors import Damaged, JournalFull
from indelible.journal.file import FileJournal, open_file_journal
from indelible.journal.files import Files
from indelible.journal.port import Frame, Placed, Position
from indelible.journal.snapshot import open_snapshot
from indelible.journal.survey import survey
from indelible.journal.whole import open_whole

SIZE = 2048


def opened(data: Path, files: Files | None = None) -> FileJournal:
    return open_file_journal(data, file_size=SIZE, files=files or Quick())


def appended(data: Path, *groups: list[Frame], files: Files | None = None) -> list[Placed]:
    """Append each group with one sync, and stop cleanly."""

    async def go() -> list[Placed]:
        journal = opened(data, files)
        placed = [each for group in groups for each in await journal.append_all(group)]
        await journal.close()
        return placed

    return asyncio.run(go())


def found(data: Path) -> list[Frame]:
    journal = opened(data)
    try:
        return [placed.frame for placed in journal.reader().frames(journal.first, journal.end.position)]
    finally:
        asyncio.run(journal.close())


def mark(data: Path) -> Path:
    return data / "journal" / "closed"


def file(data: Path, number: int) -> Path:
    return data / "journal" / f"{number:08d}.journal"


def overwrite(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as opened:
        opened.seek(offset)
        opened.write(content)


def refused_by_all(data: Path, name: str, offset: int) -> None:
    """A start, a check and a repair name the same place, and nothing is changed."""
    before = {path: path.read_bytes() for path in (data / "journal").iterdir()}
    for look in (lambda: found(data), lambda: list(open_whole(data).frames())):
        with pytest.raises(Damaged, match=f"{name} is damaged at byte {offset}: ") as told:
            look()
        assert "`indelible repair --data" in told.value.detail
    gaps = survey(Files(), data / "journal").gaps
    assert [(gap.file, gap.start, gap.lost) for gap in gaps] == [(name, offset, True)]
    assert {path: path.read_bytes() for path in (data / "journal").iterdir()} == before


def test_a_clean_stop_names_the_last_file_its_length_and_its_last_checksum(tmp_path: Path) -> None:
    placed = appended(tmp_path, [frame(1)], [frame(2), frame(3)])
    told = json.loads(mark(tmp_path).read_bytes())
    line = file(tmp_path, 1).read_bytes()[placed[-1].place.offset : placed[-1].text]
    assert told == {"file": "00000001.journal", "length": placed[-1].next.offset, "checksum": json.loads(line)["checksum"]}
    assert mark(tmp_path).stat().st_mode & 0o077 == 0


def flipped(data: Path, placed: list[Placed]) -> None:
    overwrite(file(data, placed[-1].place.unit), placed[-1].text + 9, b"?")


def zeroed(data: Path, placed: list[Placed]) -> None:
    overwrite(file(data, placed[-1].place.unit), placed[-1].place.offset, bytes(placed[-1].next.offset - placed[-1].place.offset))


def cut_off(data: Path, placed: list[Placed]) -> None:
    os.truncate(file(data, placed[-1].place.unit), placed[-1].place.offset)


@pytest.mark.parametrize("harm", [flipped, zeroed, cut_off])
@pytest.mark.parametrize("groups", [[1, 1, 1], [3], [1, 2], [1]], ids=str)
def test_after_a_clean_stop_a_last_frame_that_does_not_hold_is_damage(
    harm: Callable[[Path, list[Placed]], None], groups: list[int], tmp_path: Path
) -> None:
    placed = appended(tmp_path, *([frame(10 * at + each) for each in range(many)] for at, many in enumerate(groups)))
    harm(tmp_path, placed)
    refused_by_all(tmp_path, "00000001.journal", placed[-1].place.offset)


def test_a_last_file_that_is_missing_after_a_clean_stop_is_damage(tmp_path: Path) -> None:
    appended(tmp_path, *([frame(seed, size=300)] for seed in range(3)))
    file(tmp_path, 2).unlink()
    refused_by_all(tmp_path, "00000002.journal", 0)


def test_a_first_frame_that_does_not_hold_after_a_clean_stop_is_damage(tmp_path: Path) -> None:
    placed = appended(tmp_path, *([frame(seed, size=300)] for seed in range(3)))
    assert (placed[-1].place.unit, placed[-1].place.offset) == (2, 0)
    overwrite(file(tmp_path, 2), 40, b"????")
    refused_by_all(tmp_path, "00000002.journal", 0)


def test_another_last_frame_of_the_same_length_is_damage_though_its_own_checksum_holds(tmp_path: Path) -> None:
    placed = appended(tmp_path / "one", [frame(1)], [frame(2)])
    appended(tmp_path / "other", [frame(1)], [frame(3)])
    shutil.copy(file(tmp_path / "other", 1), file(tmp_path / "one", 1))
    refused_by_all(tmp_path / "one", "00000001.journal", placed[-1].next.offset)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"file":"../lock","length":1,"checksum":""}', b'{"file":"00000001.journal"'])
def test_a_mark_that_cannot_be_read_stops_the_start_and_a_repair_finds_it(content: bytes, tmp_path: Path) -> None:
    appended(tmp_path, [frame(1)])
    mark(tmp_path).write_bytes(content)
    with pytest.raises(Damaged, match="closed is damaged at byte 0"):
        found(tmp_path)
    [gap] = survey(Files(), tmp_path / "journal").gaps
    assert (gap.file, gap.lost) == ("closed", False)


def test_a_journal_that_is_gone_but_for_its_mark_is_not_begun_anew(tmp_path: Path) -> None:
    appended(tmp_path, [frame(1)])
    for path in (file(tmp_path, 1), tmp_path / "journal" / "journal.json"):
        path.unlink()
    with pytest.raises(Damaged, match=r"journal\.json is damaged at byte 0: it is missing, though closed is there"):
        found(tmp_path)
    assert [gap.file for gap in survey(Files(), tmp_path / "journal").gaps] == ["00000001.journal", "journal.json"]


def test_the_mark_is_gone_durably_before_there_is_a_frame_behind_it_and_stays_until_then(tmp_path: Path) -> None:
    appended(tmp_path, [frame(1)])
    before = mark(tmp_path).read_bytes()
    done: list[tuple[str, str]] = []

    async def go() -> None:
        journal = opened(tmp_path, Watched(lambda operation, path: done.append((operation, path.name))))
        assert mark(tmp_path).read_bytes() == before
        done.clear()
        await journal.append(frame(2))
        steps = [step for step in done if step[1] != "spare.new"]
        assert steps[:3] == [("unlink", "closed"), ("fsync", "journal"), ("pwrite", "00000002.journal")]
        assert not mark(tmp_path).exists()
        await journal.close()

    asyncio.run(go())
    assert mark(tmp_path).exists() and mark(tmp_path).read_bytes() != before


def test_a_start_and_a_stop_without_a_frame_leave_the_journal_as_it_was(tmp_path: Path) -> None:
    appended(tmp_path, [frame(1)], [frame(2)])
    assert found(tmp_path) == [frame(1), frame(2)]
    before = {path.name: path.read_bytes() for path in (tmp_path / "journal").iterdir()}
    assert found(tmp_path) == [frame(1), frame(2)]
    assert {path.name: path.read_bytes() for path in (tmp_path / "journal").iterdir()} == before


def test_after_a_clean_stop_nothing_is_written_anew_and_a_reader_sees_all(tmp_path: Path) -> None:
    placed = appended(tmp_path, [frame(1)], [frame(2), frame(3)])
    snapshot = open_snapshot(tmp_path)
    assert (snapshot.end, snapshot.complete, snapshot.damage) == (placed[-1].next, True, None)
    journal = opened(tmp_path)
    assert (journal.end.unit, journal.end.offset, journal.end.position) == (2, 0, 3)
    assert list(journal.reader().frames(journal.first, journal.end.position))[-1].place == placed[-1].place
    asyncio.run(journal.close())
    killed(tmp_path)
    snapshot = open_snapshot(tmp_path)
    assert (snapshot.end.position, snapshot.complete) == (1, False)


def test_a_process_whose_last_write_is_unknown_leaves_no_mark(tmp_path: Path) -> None:
    class NoSync(Files):
        def fdatasync(self, fd: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    async def go() -> None:
        journal = opened(tmp_path, NoSync())
        with pytest.raises(Exception, match="could not be written"):
            await journal.append(frame(1))
        await journal.close()

    asyncio.run(go())
    assert not mark(tmp_path).exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("operation", ["create", "pwrite", "fsync", "rename"])
def test_a_mark_that_cannot_be_written_is_no_error_and_no_mark(operation: str, number: int, tmp_path: Path) -> None:
    def refuse(done: str, path: Path) -> None:
        if done == operation and path.name.startswith("closed"):
            raise OSError(number, os.strerror(number))

    appended(tmp_path, [frame(1)], files=Watched(refuse))
    assert not mark(tmp_path).exists()
    assert found(tmp_path) == [frame(1)]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_without_room_to_remove_the_mark_a_frame_is_refused_and_tried_again(number: int, tmp_path: Path) -> None:
    appended(tmp_path, [frame(1)])
    full = True

    def refuse(done: str, path: Path) -> None:
        if full and done == "unlink" and path.name == "closed":
            raise OSError(number, os.strerror(number))

    async def go() -> None:
        nonlocal full
        journal = opened(tmp_path, Watched(refuse))
        with pytest.raises(JournalFull):
            await journal.append(frame(2))
        full = False
        await journal.append(frame(2))
        await journal.close()

    asyncio.run(go())
    assert found(tmp_path) == [frame(1), frame(2)]


def stale(data: Path, *later: list[Frame]) -> bytes:
    """The mark of an earlier stop under a journal that has gone on since."""
    old = mark(data).read_bytes()
    appended(data, *later)
    killed(data)
    mark(data).write_bytes(old)
    return old


@pytest.mark.parametrize("first", [[[1], [2]], [[1, 2]]], ids=["a group each", "one group"])
def test_a_stale_mark_makes_no_alarm_and_claims_nothing(first: list[list[int]], tmp_path: Path) -> None:
    """The frames behind it were never known to be durable: the last one may be torn, and a reader is not shown it."""
    appended(tmp_path, *([frame(each) for each in group] for group in first))
    stale(tmp_path, [frame(3)], [frame(4)])
    assert open_snapshot(tmp_path).end.position == 3
    path = file(tmp_path, 2)
    overwrite(path, len(path.read_bytes().rstrip(b"\0")) - 9, b"?")
    assert survey(Files(), tmp_path / "journal").gaps == []
    assert [placed.frame for placed, _ in open_whole(tmp_path).frames()] == [frame(1), frame(2), frame(3)]
    assert found(tmp_path) == [frame(1), frame(2), frame(3)]


@pytest.mark.parametrize("more", [0, 9])
def test_a_mark_of_another_history_that_is_shorter_is_put_away(more: int, tmp_path: Path) -> None:
    """It may name a place where a frame ends here too, or one inside a frame."""
    placed = appended(tmp_path, [frame(1)], [frame(2), frame(3)])
    told = json.loads(mark(tmp_path).read_bytes()) | {"length": placed[1].next.offset + more}
    mark(tmp_path).write_text(json.dumps(told))
    assert survey(Files(), tmp_path / "journal").gaps == []
    assert open_snapshot(tmp_path).end.position == 1
    journal = opened(tmp_path)
    assert not mark(tmp_path).exists()
    assert [each.frame for each in journal.reader().frames(journal.first, journal.end.position)] == [frame(1), frame(2), frame(3)]
    asyncio.run(journal.close())


def test_a_trim_keeps_the_file_that_the_mark_names(tmp_path: Path) -> None:
    appended(tmp_path, *([frame(seed, size=300)] for seed in range(6)))
    journal = opened(tmp_path)
    journal.trim(Position(5))
    first = journal.first
    assert first.position > 0 and mark(tmp_path).exists()
    asyncio.run(journal.close())
    assert found(tmp_path) == [frame(seed, size=300) for seed in range(first.position, 6)]
    assert json.loads(mark(tmp_path).read_bytes())["file"] == "00000003.journal"


def test_whenever_the_power_goes_in_several_lives_there_is_no_alarm_and_nothing_is_missing(tmp_path: Path) -> None:
    """Each life starts, appends and stops cleanly; what the disk keeps of it, and in which order, is drawn."""
    cuts: list[tuple[Path, int]] = []
    acknowledged = 0

    def cut(operation: str, path: Path) -> None:
        for luck in (None, random.Random(len(cuts)), random.Random(-len(cuts))):
            if path.name != "spare.new" and path.name != "reserve":
                cuts.append((tmp_path / f"cut-{len(cuts)}", acknowledged))
                disk.cut(cuts[-1][0], luck)

    async def live(frames: list[Frame]) -> None:
        nonlocal acknowledged
        journal = opened(tmp_path / "data", disk)
        for at in range(0, len(frames), 2):
            await journal.append_all(frames[at : at + 2])
            acknowledged += len(frames[at : at + 2])
        await journal.close()

    (tmp_path / "data" / "journal").mkdir(parents=True)
    disk = PowerCut(tmp_path / "data" / "journal", before=cut)
    given = [frame(seed) for seed in range(9)]
    for lives in ([], given[:3], [], given[3:4], given[4:]):
        asyncio.run(live(lives))
    disk.release()
    assert len(cuts) > 150
    for data, known in cuts:
        there = found(data)
        assert there == given[: len(there)] and len(there) >= known, data
        shutil.rmtree(data)
