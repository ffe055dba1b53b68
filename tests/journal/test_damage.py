"""What the disk may do to a file between two starts: torn ends are dropped, damage below the durable mark stops the start."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from journal_disk import frame, killed

from indelible.errors import Damaged, Misconfigured
from indelible.journal.file import FileJournal, open_file_journal
from indelible.journal.frame import After, encode, opening, seed
from indelible.journal.port import Frame, Place, Placed, Position

SIZE = 2048


def appended(data: Path, *groups: list[Frame]) -> list[Placed]:
    """Append each group with one sync, close, and say where the frames stand."""

    async def go() -> list[Placed]:
        journal = open_file_journal(data, file_size=SIZE)
        placed = [each for group in groups for each in await asyncio.gather(*(journal.append(one) for one in group))]
        await journal.close()
        return placed

    return asyncio.run(go())


def found(data: Path) -> list[Frame]:
    journal = open_file_journal(data, file_size=SIZE)
    try:
        return frames(journal)
    finally:
        asyncio.run(journal.close())


def frames(journal: FileJournal) -> list[Frame]:
    return [placed.frame for placed in journal.reader().frames(journal.first, journal.end.position)]


def file(data: Path, number: int) -> Path:
    return data / "journal" / f"{number:08d}.journal"


def overwrite(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as opened:
        opened.seek(offset)
        opened.write(content)


def refused(data: Path, name: str, offset: int | None = None) -> str:
    """The start names the damaged file, its byte and the command that helps, and leaves every journal file as it is."""
    before = {path: path.read_bytes() for path in (data / "journal").glob("*.journal")}
    with pytest.raises(Damaged, match=re.escape(f"indelible repair --data {data}")) as refusal:
        found(data)
    assert name in refusal.value.detail
    assert offset is None or f"at byte {offset}:" in refusal.value.detail
    assert {path: path.read_bytes() for path in (data / "journal").glob("*.journal")} == before
    return str(refusal.value)


@pytest.mark.parametrize("lost", [1, 60, 300])
def test_a_torn_last_frame_is_dropped_and_those_before_it_stay(tmp_path: Path, lost: int) -> None:
    placed = appended(tmp_path, [frame(1)], [frame(2)], [frame(3)])
    killed(tmp_path)
    overwrite(file(tmp_path, 1), placed[2].next.offset - lost, bytes(lost))
    assert found(tmp_path) == [frame(1), frame(2)]


def test_all_from_the_first_bad_frame_on_is_dropped_where_nothing_was_known_to_be_durable(tmp_path: Path) -> None:
    placed = appended(tmp_path, [frame(1)], [frame(2), frame(3), frame(4)])
    killed(tmp_path)
    overwrite(file(tmp_path, 1), placed[1].text, b"X")
    assert found(tmp_path) == [frame(1)]


def test_stale_frames_behind_a_torn_tail_do_not_come_alive(tmp_path: Path) -> None:
    """The same bytes are sent again after the cut: even then the frame that once stood behind them is not theirs."""
    placed = appended(tmp_path, [frame(1)], [frame(2), frame(3)])
    killed(tmp_path)
    overwrite(file(tmp_path, 1), placed[1].place.offset, bytes(40))
    appended(tmp_path, [frame(2)])
    assert found(tmp_path) == [frame(1), frame(2)]
    assert appended(tmp_path, [frame(5)])[0].place.position == 2


def test_a_frame_of_another_chain_is_not_taken_though_its_own_checksum_holds(tmp_path: Path) -> None:
    placed = appended(tmp_path, [frame(1)], [frame(2)])
    line, _ = encode(frame(3), seed("00000001.journal"), 0)
    overwrite(file(tmp_path, 1), placed[1].next.offset, line + frame(3).text)
    assert found(tmp_path) == [frame(1), frame(2)]


def test_a_frame_of_another_chain_is_not_read_while_the_journal_is_open(tmp_path: Path) -> None:
    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=SIZE)
        placed = [await journal.append(frame(seed)) for seed in (1, 2)]
        line, _ = encode(frame(2), "0" * 32, placed[1].place.offset)
        overwrite(file(tmp_path, 1), placed[1].place.offset, line + frame(2).text)
        with pytest.raises(Damaged, match="names another one before it"):
            frames(journal)
        await journal.close()

    asyncio.run(go())


@pytest.mark.parametrize("where", ["line", "text", "everything"])
def test_damage_below_the_durable_mark_stops_the_start(tmp_path: Path, where: str) -> None:
    """The third group says that the first two were durable, also from behind the damage."""
    placed = appended(tmp_path, [frame(1)], [frame(2)], [frame(3)])
    bad = placed[1].place.offset
    whole = placed[1].next.offset - bad
    overwrite(file(tmp_path, 1), *{"line": (bad + 30, b"?"), "text": (placed[1].text + 9, b"?"), "everything": (bad, bytes(whole))}[where])
    refused(tmp_path, "00000001.journal", bad)


def test_damage_at_the_very_beginning_is_found_by_the_marks_behind_it(tmp_path: Path) -> None:
    appended(tmp_path, [frame(1)], [frame(2)])
    overwrite(file(tmp_path, 1), 0, bytes(64))
    refused(tmp_path, "00000001.journal", 0)


def three_files(data: Path) -> list[Placed]:
    placed = appended(data, *([frame(seed, size=300)] for seed in range(6)))
    assert {each.place.unit for each in placed} == {1, 2, 3}
    return placed


@pytest.mark.parametrize("number", [1, 2])
def test_one_flipped_bit_in_a_closed_file_stops_the_start(tmp_path: Path, number: int) -> None:
    placed = [each for each in three_files(tmp_path) if each.place.unit == number]
    at = placed[-1].next.offset - 20
    overwrite(file(tmp_path, number), at, bytes([file(tmp_path, number).read_bytes()[at] ^ 1]))
    refused(tmp_path, f"{number:08d}.journal", placed[-1].place.offset)


def test_a_closed_file_that_was_cut_stops_the_start(tmp_path: Path) -> None:
    placed = [each for each in three_files(tmp_path) if each.place.unit == 2]
    with file(tmp_path, 2).open("r+b") as opened:
        opened.truncate(placed[-1].place.offset)
    refused(tmp_path, "00000002.journal", placed[-1].place.offset)


@pytest.mark.parametrize("number", [1, 2])
def test_a_missing_file_of_the_chain_stops_the_start(tmp_path: Path, number: int) -> None:
    three_files(tmp_path)
    file(tmp_path, number).unlink()
    assert "missing" in refused(tmp_path, f"{number:08d}.journal")


def test_a_file_under_the_name_of_another_stops_the_start(tmp_path: Path) -> None:
    three_files(tmp_path)
    file(tmp_path, 2).write_bytes(file(tmp_path, 3).read_bytes())
    refused(tmp_path, "00000002.journal", 0)


@pytest.mark.parametrize("wrong", ["position", "length", "checksum", "file"])
def test_a_file_that_does_not_end_as_its_follower_says_stops_the_start(tmp_path: Path, wrong: str) -> None:
    placed = three_files(tmp_path)
    (_, last), head = [each for each in placed if each.place.unit == 1], next(each for each in placed if each.place.unit == 2)
    told = json.loads(file(tmp_path, 2).read_bytes().partition(b"\n")[0])["after"] | {"position": 2}
    told[wrong] = {"position": 3, "length": last.place.offset, "checksum": "0" * 32, "file": "00000007.journal"}[wrong]
    after = After(told["file"], told["length"], told["checksum"])
    line, _ = encode(head.frame, seed("00000002.journal"), 0, opening(told["position"], after))
    overwrite(file(tmp_path, 2), 0, line + head.frame.text)
    refused(tmp_path, "00000002.journal" if wrong == "file" else "00000001.journal")


def test_bytes_behind_the_named_length_of_a_closed_file_are_ignored(tmp_path: Path) -> None:
    three_files(tmp_path)
    with file(tmp_path, 1).open("ab") as opened:
        opened.write(b'{"v":1,junk\n')
    assert found(tmp_path) == [frame(seed, size=300) for seed in range(6)]


def test_a_missing_journal_json_is_no_reason_to_begin_anew(tmp_path: Path) -> None:
    three_files(tmp_path)
    (tmp_path / "journal" / "journal.json").unlink()
    refused(tmp_path, "journal.json")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format":1}', b'{"format":1,"id":"x","first":"../lock"}'])
def test_a_broken_journal_json_stops_the_start(tmp_path: Path, content: bytes) -> None:
    three_files(tmp_path)
    (tmp_path / "journal" / "journal.json").write_bytes(content)
    refused(tmp_path, "journal.json")


def test_a_directory_of_a_newer_version_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "journal.json").write_bytes(b'{"format":2,"shape":"unknown"}')
    with pytest.raises(Misconfigured, match="format 2"):
        found(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["journal", "journal.json"]


def test_leftovers_of_a_rotation_that_the_power_cut_short_are_replaced(tmp_path: Path) -> None:
    appended(tmp_path, [frame(1)], [frame(2)])
    file(tmp_path, 2).write_bytes(bytes(SIZE))
    (tmp_path / "journal" / "spare.new").write_bytes(b"half")
    (tmp_path / "journal" / "00000002.new").write_bytes(b"half")
    appended(tmp_path, [frame(3)])
    assert found(tmp_path) == [frame(1), frame(2), frame(3)]
    assert not list((tmp_path / "journal").glob("*.new"))


def test_a_reader_says_which_byte_is_damaged_and_that_a_file_was_trimmed(tmp_path: Path) -> None:
    placed = three_files(tmp_path)
    journal = open_file_journal(tmp_path, file_size=SIZE)
    reader = journal.reader()
    gone, last = placed[0], placed[-1]
    reader.text(1, gone.text, 10)
    journal.trim(last.place.position)
    for lost in (lambda: reader.text(1, gone.text, 10), lambda: list(reader.frames(gone.place, Position(3)))):
        with pytest.raises(Damaged, match="trimmed"):
            lost()
    _, unit, offset = journal.resume(last.place.position, last.frame.leaves)
    overwrite(file(tmp_path, unit), offset + 5, b"?")
    with pytest.raises(Damaged, match=f"byte {offset}:"):
        list(reader.frames(Place(last.place.position, unit, offset), last.next.position))
    asyncio.run(journal.close())


def test_a_damaged_length_does_not_ask_for_all_the_memory(tmp_path: Path) -> None:
    placed = appended(tmp_path, [frame(1)], [frame(2)])
    line, _ = encode(frame(3), "", 0)
    wrong = line.replace(b'"bytes":%d,' % len(frame(3).text), b'"bytes":999999999999999,')
    overwrite(file(tmp_path, 1), placed[1].next.offset, wrong)
    assert found(tmp_path) == [frame(1), frame(2)]
