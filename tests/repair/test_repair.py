"""`indelible repair`: whatever happened to the files, all that is whole is kept, and each log says where something is lost."""

from __future__ import annotations

import errno
import json
import os
from base64 import b64decode
from pathlib import Path

import pytest
from journal_disk import killed
from trails import HARMLESS, LOSSES, SIZE, Harm, Quick, contents, files, harm_two, line, lines_in, mend, overwrite, root, started, trail
from trails import frames_of as spans

from indelible.errors import Damaged, InUse, JournalFailed, JournalFull, Misconfigured
from indelible.journal.directory import take_lock
from indelible.journal.files import Files
from indelible.journal.frame import encode
from indelible.journal.scan import Tape

NAMED = {"ids": lambda harm: harm.__name__}


@pytest.mark.parametrize("harm", [*LOSSES, *HARMLESS], **NAMED)
def test_a_look_finds_what_stops_the_start_and_changes_nothing(harm: Harm, tmp_path: Path) -> None:
    trail(tmp_path)
    harm(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(Damaged):
        started(tmp_path)
    found = mend(tmp_path, write=False)
    assert found.gaps and found.aside is None
    assert any(gap.lost for gap in found.gaps) == (harm in LOSSES)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("harm", [*LOSSES, *HARMLESS], **NAMED)
def test_all_that_is_whole_is_kept_in_its_order_and_the_old_files_are_set_aside_whole(harm: Harm, tmp_path: Path) -> None:
    receipts = trail(tmp_path)
    gone = harm(tmp_path)
    before = contents(tmp_path / "journal")
    done = mend(tmp_path)
    assert done.aside and contents(done.aside / "journal") == before
    assert (done.aside / "note.json").exists()
    now = started(tmp_path)
    kept = [(each.log, each.line) for each in receipts if each.line not in gone]
    assert [each for each in now.lines if b"indelible.damage" not in each[1]] == kept
    again = mend(tmp_path)
    assert (again.gaps, again.aside, again.events) == ([], None, len(now.lines))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("journal")] == ["journal"]


@pytest.mark.parametrize("harm", LOSSES, **NAMED)
def test_where_events_are_lost_each_log_begins_a_generation_and_the_receipts_before_it_hold(harm: Harm, tmp_path: Path) -> None:
    receipts = trail(tmp_path)
    id = json.loads((tmp_path / "journal" / "journal.json").read_bytes())["id"]
    harm(tmp_path)
    mend(tmp_path)
    now = started(tmp_path)
    assert now.id != id
    for log in {"default"} | {each for each, _ in now.lines}:
        given = [each for each in receipts if each.log == log]
        generations = now.recorder.generations(log)
        damages = now.damages(log)
        assert len(damages) == len(generations) - 1 > 0
        for (index, data), before, after in zip(damages, generations[:-1], generations[1:], strict=True):
            assert data["lost"] is True
            assert (after.number, after.start) == (data["generation"] + 1, index)
            assert (data["index"], data["size"]) == (index - 1 if index else None, before.tree.size)
            assert b64decode(data["root"]) == before.tree.root()
            assert data["file"].endswith(".journal") and data["from"] <= data["to"]
        first = generations[1].start
        assert generations[1].lost == first
        assert now.of(log)[:first] == [each.line for each in given[:first]]
        assert generations[0].tree.root() == root([each.leaf for each in given[:first]])
        assert [each.index for each in given[:first]] == list(range(first))
        assert sum(each.tree.size for each in generations) == now.recorder.size(log) == len(now.of(log))
        assert now.recorder.head(log).root == generations[-1].tree.root()


@pytest.mark.parametrize("harm", HARMLESS, **NAMED)
def test_where_nothing_acknowledged_is_lost_every_receipt_holds_and_no_generation_begins(harm: Harm, tmp_path: Path) -> None:
    receipts = trail(tmp_path)
    id = json.loads((tmp_path / "journal" / "journal.json").read_bytes())["id"]
    harm(tmp_path)
    mend(tmp_path)
    now = started(tmp_path)
    assert (now.id == id) == (harm.__name__ == "swap_two")  # otherwise nobody knows any more what it was
    for log in ("billing", "default"):
        given = [each for each in receipts if each.log == log]
        assert now.of(log)[: len(given)] == [each.line for each in given]
        damages = now.damages(log)
        assert damages and all(not data["lost"] and data["generation"] == 1 for _, data in damages)
        assert damages[0][1]["root"] and b64decode(damages[0][1]["root"]) == root([each.leaf for each in given])
        assert len(now.recorder.generations(log)) == 1


def test_a_trail_that_is_whole_is_left_alone(tmp_path: Path) -> None:
    receipts = trail(tmp_path)
    before = contents(tmp_path)
    done = mend(tmp_path)
    assert (done.gaps, done.aside, done.events) == ([], None, len(receipts))
    assert contents(tmp_path) == before


def test_a_torn_tail_is_no_damage_and_is_dropped_with_what_stands_behind_it_as_a_start_drops_it(tmp_path: Path) -> None:
    """The last two frames came in one group: without the end mark nothing says that they were durable."""
    trail(tmp_path)
    killed(tmp_path)
    path = files(tmp_path)[-1]
    (start, end), (_, last) = spans(path)[-2:]
    torn = lines_in(path, start, last)
    overwrite(path, end - 9, b"?")
    assert mend(tmp_path, write=False).gaps == []
    LOSSES[0](tmp_path)
    assert [gap.file for gap in mend(tmp_path).gaps] == ["00000002.journal"]
    lines = [line for _, line in started(tmp_path).lines]
    assert torn and not set(torn) & set(lines)


def test_what_a_rotation_left_behind_that_was_cut_short_changes_nothing_of_that(tmp_path: Path) -> None:
    trail(tmp_path)
    killed(tmp_path)
    path = files(tmp_path)[-1]
    start, last = spans(path)[-2][0], spans(path)[-1][1]
    overwrite(path, start, bytes(last - start - 20))
    path.with_name(f"{len(files(tmp_path)) + 1:08d}.journal").write_bytes(bytes(SIZE))
    assert mend(tmp_path).gaps == []


def test_frames_behind_the_end_of_a_closed_file_are_none_of_its_own(tmp_path: Path) -> None:
    """A start writes what it cannot know to be durable into the next file; the old one may keep it, whole, behind its end."""
    receipts = trail(tmp_path)
    path, follower = files(tmp_path)[:2]
    start, _ = spans(follower)[1]
    with Tape(Quick(), follower) as tape, path.open("ab") as closed:
        frame = tape.frame(start).frame
        with Tape(Quick(), path) as before:
            line, _ = encode(frame, before.frame(spans(path)[-1][0]).checksum, spans(path)[-1][1])
        closed.write(line + frame.text)
    assert mend(tmp_path, write=False).gaps == []
    overwrite(path, 40, b"????")
    mend(tmp_path)
    lines = [line for _, line in started(tmp_path).lines]
    assert [lines.count(line) for line in frame.text.splitlines()] == [1] * frame.count
    assert len(receipts) - 3 <= len([line for line in lines if b"indelible.damage" not in line]) < len(receipts)


def test_damage_between_the_repair_and_the_next_start_is_found(tmp_path: Path) -> None:
    """What was written anew was durable before it was the journal, and its frames say so."""
    trail(tmp_path)
    LOSSES[0](tmp_path)
    mend(tmp_path)
    path = files(tmp_path)[-1]
    start, _ = spans(path)[-2]
    overwrite(path, start + 40, b"????")
    with pytest.raises(Damaged):
        started(tmp_path)
    assert mend(tmp_path).aside


def test_files_before_the_damage_are_not_written_again(tmp_path: Path) -> None:
    trail(tmp_path)
    overwrite(files(tmp_path)[2], 40, b"????")
    before = [path.stat().st_ino for path in files(tmp_path)]
    done = mend(tmp_path)
    after = [path.stat().st_ino for path in files(tmp_path)]
    assert after[:2] == before[:2] or after[:1] == before[:1]
    assert not set(after[2:]) & set(before)
    assert done.aside


def test_without_links_the_files_before_the_damage_are_copied(tmp_path: Path) -> None:
    class NoLinks(Quick):
        def link(self, old: Path, new: Path) -> None:
            raise PermissionError

    receipts = trail(tmp_path)
    gone = harm_two(tmp_path)
    mend(tmp_path, files=NoLinks())
    assert {each.line for each in receipts} - set(gone) <= {line for _, line in started(tmp_path).lines}


def test_a_page_that_the_disk_does_not_give_is_damage_and_the_rest_is_kept(tmp_path: Path) -> None:
    class Bad(Quick):
        """Bytes 256 to 512 of the second file cannot be read."""

        def __init__(self, path: Path) -> None:
            self.path = path

        def pread(self, fd: int, length: int, offset: int) -> bytes:
            if Path(f"/proc/self/fd/{fd}").resolve() == self.path and offset < 512 and offset + length > 256:
                raise OSError(5, "Input/output error")
            return super().pread(fd, length, offset)

    receipts = trail(tmp_path)
    path = files(tmp_path)[1]
    gone = {each for start, end in spans(path) if start < 4096 for each in path.read_bytes()[start:end].splitlines()[1:]}
    done = mend(tmp_path, files=Bad(path.resolve()))
    assert done.gaps[0].file == path.name
    assert {each.line for each in receipts} - gone <= {line for _, line in started(tmp_path).lines}


def test_the_same_event_sent_again_after_its_loss_is_stored_anew(tmp_path: Path) -> None:
    """What a producer still has can be sent again: the window knows only what is there."""
    trail(tmp_path)
    gone = LOSSES[0](tmp_path)
    mend(tmp_path)
    assert gone[0] not in [line for _, line in started(tmp_path).lines]
    assert line(0) in [line for _, line in started(tmp_path).lines]


def test_a_second_loss_begins_the_third_generation_and_old_receipts_stay_void_from_the_first_on(tmp_path: Path) -> None:
    trail(tmp_path)
    LOSSES[6](tmp_path)
    mend(tmp_path)
    started(tmp_path)
    first = started(tmp_path).recorder.generations("default")
    overwrite(files(tmp_path)[0], 40, b"????")
    mend(tmp_path)
    generations = started(tmp_path).recorder.generations("default")
    assert [each.number for each in generations] == [1, 2, 3]
    assert generations[1].lost < generations[2].lost == first[1].lost
    assert generations[1].since > generations[2].since == first[1].since


def test_a_directory_in_use_is_left_alone(tmp_path: Path) -> None:
    trail(tmp_path)
    lock = take_lock(tmp_path)
    with pytest.raises(InUse, match="kill"):
        mend(tmp_path)
    Files().close(lock)


def test_what_is_no_data_directory_is_not_made_one(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no data directory"):
        mend(tmp_path / "typo")
    (tmp_path / "empty").mkdir()
    with pytest.raises(Misconfigured, match="no journal"):
        mend(tmp_path / "empty")
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize(("number", "error"), [(errno.EIO, JournalFailed), (errno.ENOSPC, JournalFull), (errno.EDQUOT, JournalFull)])
def test_a_disk_that_fails_or_is_full_leaves_the_old_journal_and_nothing_half_made(
    number: int, error: type[JournalFailed | JournalFull], tmp_path: Path
) -> None:
    class Failing(Quick):
        def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
            raise OSError(number, os.strerror(number))

    trail(tmp_path)
    LOSSES[0](tmp_path)
    before = contents(tmp_path)
    with pytest.raises(error, match="repair again"):
        mend(tmp_path, files=Failing())
    assert contents(tmp_path) == before
