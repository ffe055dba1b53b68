"""What stands for an event whose id came before: the first receipt, or a conflict entry that anyone can compute again."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from log_support import Said, Sent, opened, prepared, said, state, with_journal

from indelible.journal.file import FileJournal
from indelible.journal.port import Place, Placed, Position
from indelible.journal.reader import FileReader
from indelible.log.window import Window
from indelible.model.receipt import Status

sys.path.insert(0, str(Path(__file__).parents[1] / "model"))
import entry_reference

MOMENT = 1_700_000_000_000_042


def short(told: list[Said]) -> list[tuple[str, int]]:
    return [(status.value, index) for status, index, _, _ in told]


def test_the_same_bytes_get_the_first_receipt_again_and_add_nothing(tmp_path: Path) -> None:
    async def work(journal: FileJournal) -> None:
        recorder = opened(journal)
        lines = [
            Sent("a", "x", 0).line,
            b'{"source":"a","id":"y","type":"t","outcome":{"result":"denied"},"time":"2026-11-23T10:00:00+01:00"}',
        ]
        first = await recorder.record(await prepared(lines, recorded=MOMENT))
        for later in range(1, 4):
            again = said(await recorder.record(await prepared(lines[::-1], recorded=MOMENT + later)))
            assert again == [(Status.duplicate, *one[1:]) for one in said(first)[::-1]]
        assert recorder.size("default") == 2

    with_journal(tmp_path, work)


def test_other_bytes_get_a_conflict_entry_made_from_frame_and_fold_alone(tmp_path: Path) -> None:
    async def work(journal: FileJournal) -> None:
        recorder = opened(journal)
        await recorder.record(await prepared([Sent("b", None, 0).line, Sent("a", "x", 0).line]))
        refused = b'{"id":"x", "type":"t","source":"a","data":{"text":"\\u00e9","number":1e400}}'
        made = await prepared([refused], recorded=MOMENT)
        told = said(await recorder.record(made))
        body = b'{"type":"indelible.conflict","source":"indelible","data":{"source":"a","id":"x","index":1,"refused":%b}}' % refused
        reference = entry_reference.entry(body, made.frame.salts, MOMENT, "-", "native")
        assert told == [(Status.conflict, 2, bytes.fromhex(reference["leaf"]), MOMENT)]
        assert json.loads(body)["data"]["refused"]["data"]["text"] == "é"
        assert dict(recorder.refusals(Position(0), recorder.folded).conflicts) == {2: 1}

    with_journal(tmp_path, work)


def test_a_refused_event_again_gets_its_conflict_again_and_each_further_body_one_of_its_own(tmp_path: Path) -> None:
    async def work(journal: FileJournal) -> None:
        recorder = opened(journal)
        bodies = [Sent("a", "x", body).line for body in (0, 1, 1, 2, 1, 2, 0, 3)]
        told = said(await recorder.record(await prepared(bodies, recorded=MOMENT)))
        expected = [("stored", 0), *(("conflict", index) for index in (1, 1, 2, 1, 2)), ("duplicate", 0), ("conflict", 3)]
        assert short(told) == expected
        assert told[1][2:] == told[2][2:] == told[4][2:]
        later = [said(await recorder.record(await prepared([body], recorded=MOMENT + 1)))[0] for body in bodies]
        assert later == [(Status.duplicate, *told[0][1:]), *told[1:]]
        assert recorder.size("default") == 4

    with_journal(tmp_path, work)


def test_ids_are_apart_in_each_log_and_source(tmp_path: Path) -> None:
    async def work(journal: FileJournal) -> None:
        recorder = opened(journal)
        first = await recorder.record(await prepared([Sent("a", "x", 0).line, Sent("b", "x", 1).line]))
        other = await recorder.record(await prepared([Sent("a", "x", 2).line], log="eu"))
        assert short(said(first)) == [("stored", 0), ("stored", 1)]
        assert short(said(other)) == [("stored", 0)]

    with_journal(tmp_path, work)


def test_the_same_request_with_the_same_key_is_all_duplicates_and_another_place_is_another_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Window, "all_places", None)  # the long look is for colliding keys alone

    async def work(journal: FileJournal) -> None:
        recorder = opened(journal)
        lines = [Sent("a", None, 0).line, Sent("a", None, 0).line, Sent("a", "own", 0).line]
        told = [short(said(await recorder.record(await prepared(lines, key=key)))) for key in ("k", "k", "other", "other")]
        assert told[0] == [("stored", 0), ("stored", 1), ("stored", 2)]
        assert told[1] == [("duplicate", 0), ("duplicate", 1), ("duplicate", 2)]
        assert told[2] == [("stored", 3), ("stored", 4), ("duplicate", 2)]
        assert told[3] == [("duplicate", 3), ("duplicate", 4), ("duplicate", 2)]
        moved = await recorder.record(await prepared([Sent("a", None, 9).line, *lines], key="k"))
        assert short(said(moved)) == [("conflict", 5), ("duplicate", 1), ("stored", 6), ("duplicate", 2)]

    with_journal(tmp_path, work)


def test_an_assigned_id_sent_back_is_known(tmp_path: Path) -> None:
    async def work(journal: FileJournal) -> None:
        recorder = opened(journal)
        made = await prepared([Sent("a", None, 0).line])
        await recorder.record(made)
        echo = await recorder.record(await prepared([Sent("a", made.ids[0], 0).line]))
        assert short(said(echo)) == [("conflict", 1)]  # the id stands in its bytes now: they are others

    with_journal(tmp_path, work)


@pytest.mark.parametrize("position", [1, 3, 4, 5, 7, 8, 9, 12])
def test_what_lies_before_the_window_is_new_wherever_the_frame_begins(tmp_path: Path, position: int) -> None:
    """Generations of 4: positions 4 to 7 see back to 0, positions 8 to 11 back to 4."""

    async def work(journal: FileJournal) -> None:
        recorder = opened(journal, generation=4)
        known = Sent("a", "x", 0).line
        await recorder.record(await prepared([known]))
        others = [Sent("b", str(number), 0).line for number in range(position - 1)]
        told = said(await recorder.record(await prepared([*others, known, Sent("b", "last", 0).line])))
        assert short(told)[position - 1] == (("duplicate", 0) if position < 8 else ("stored", position))
        assert state(opened(journal, generation=4), ["default"]) == state(recorder, ["default"])

    with_journal(tmp_path, work)


class Counting:
    """Counts what is read while it is in place: whole frames by their place, and single lines."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.frames: Counter[Place] = Counter()
        self.lines = 0
        frames, text = FileReader.frames, FileReader.text

        def counted(reader: FileReader, start: Place, stop: Position) -> Iterator[Placed]:
            self.frames[start] += 1
            return frames(reader, start, stop)

        def read(reader: FileReader, unit: int, offset: int, length: int) -> bytes:
            self.lines += 1
            return text(reader, unit, offset, length)

        patch.setattr(FileReader, "frames", counted)
        patch.setattr(FileReader, "text", read)


def test_old_events_in_any_order_cost_one_look_at_each_frame_and_one_line_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(journal: FileJournal) -> None:
        recorder = opened(journal)
        lines = [Sent("a", str(number), 0).line for number in range(600)]
        for start in range(0, 600, 20):
            await recorder.record(await prepared(lines[start : start + 20]))
        counting = Counting(monkeypatch)
        again = list(range(600))
        random.Random(1).shuffle(again)
        for number in again:
            assert short(said(await recorder.record(await prepared([lines[number]])))) == [("duplicate", number)]
        assert len(counting.frames) == 30 and set(counting.frames.values()) == {1}
        assert counting.lines == 600

    with_journal(tmp_path, work)


def test_an_id_that_never_changes_costs_no_more_each_time_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(journal: FileJournal) -> None:
        recorder = opened(journal)
        counting = Counting(monkeypatch)
        told = said(await recorder.record(await prepared([Sent("a", "1", body).line for body in range(500)])))
        assert short(told) == [("stored", 0), *(("conflict", index) for index in range(1, 500))]
        assert counting.lines <= 4 * 500
        before = counting.lines
        again = said(await recorder.record(await prepared([Sent("a", "1", body).line for body in range(500)])))
        assert again == [(Status.duplicate, *told[0][1:]), *told[1:]]
        assert counting.lines - before <= 4 * 500

    with_journal(tmp_path, work)
