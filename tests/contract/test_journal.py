"""What every Journal backend guarantees (journal/port.py). A backend joins with one line in JOURNALS."""

from __future__ import annotations

import asyncio
import pickle
import tempfile
from collections.abc import Callable, Coroutine
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs

from indelible.errors import Damaged, InUse, JournalFailed
from indelible.journal.file import open_file_journal
from indelible.journal.port import Frame, Journal, Placed, Position

T = TypeVar("T")
Open = Callable[[Path], Journal]

JOURNALS: dict[str, Open] = {  # the one table: add a backend here; opening the same directory again is a restart
    "file": open_file_journal,
    "file, 2 KiB a file": lambda data: open_file_journal(data, file_size=2048),
}


def frame(seed: int, count: int = 1, log: str = "default", size: int = 40) -> Frame:
    """A frame whose every byte follows from its arguments."""
    lines = [f'{{"type":"test.happened","source":"test","data":"{seed}.{at}.{"x" * size}"}}\n' for at in range(count)]
    salt = sha256(b"%d" % seed).digest()[:16]
    return Frame(log, count, "".join(lines).encode(), 1_795_000_000_000_000 + seed, "-", "native", salt * count, sha256(salt).digest())


def running(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def read(journal: Journal) -> list[Placed]:
    return list(journal.reader().frames(journal.first, journal.end.position))


async def append_each(journal: Journal, frames: list[Frame]) -> list[Placed]:
    return list(await asyncio.gather(*(journal.append(each) for each in frames)))


@pytest.fixture(params=list(JOURNALS.values()), ids=list(JOURNALS))
def start(request: pytest.FixtureRequest) -> Open:
    chosen: Open = request.param
    return chosen


def test_a_new_journal_is_empty_and_begins_at_position_zero(start: Open, tmp_path: Path) -> None:
    journal = start(tmp_path)
    assert (journal.first.position, journal.end.position, read(journal)) == (0, 0, [])
    running(journal.close())


def test_a_position_is_the_number_of_events_before_it(start: Open, tmp_path: Path) -> None:
    async def go() -> None:
        journal = start(tmp_path)
        placed = [await journal.append(frame(seed, count)) for seed, count in enumerate([1, 3, 2])]
        assert [(each.place.position, each.next.position) for each in placed] == [(0, 1), (1, 4), (4, 6)]
        assert journal.end.position == 6
        await journal.close()

    running(go())


def test_frames_stand_and_return_in_the_order_of_the_calls(start: Open, tmp_path: Path) -> None:
    async def go() -> None:
        journal = start(tmp_path)
        returned: list[int] = []

        async def one(seed: int) -> None:
            await journal.append(frame(seed))
            returned.append(seed)

        await asyncio.gather(*(one(seed) for seed in range(50)))
        assert returned == list(range(50))
        assert [each.frame for each in read(journal)] == [frame(seed) for seed in range(50)]
        await journal.close()

    running(go())


def test_frames_appended_together_stand_next_to_each_other_and_are_durable_together(start: Open, tmp_path: Path) -> None:
    async def go() -> None:
        journal = start(tmp_path)
        frames = [frame(seed, 1 + seed % 3) for seed in range(30)]
        runs = [frames[:1], frames[1:12], [], frames[12:]]
        placed = await asyncio.gather(*map(journal.append_all, runs))
        assert [len(each) for each in placed] == [1, 11, 0, 18]
        assert [each for run in placed for each in run] == read(journal)
        assert [each.frame for each in read(journal)] == frames
        with pytest.raises(ValueError, match="a frame has"):
            await journal.append_all([frame(1), structs.replace(frame(2), salts=b"")])
        assert [each.frame for each in read(journal)] == frames
        await journal.close()

    running(go())


def test_an_append_that_is_cancelled_keeps_none_of_the_others_from_its_answer(start: Open, tmp_path: Path) -> None:
    async def go() -> None:
        journal = start(tmp_path)
        asked = [asyncio.create_task(journal.append(frame(seed))) for seed in range(5)]
        await asyncio.sleep(0)
        asked[1].cancel()
        placed = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 10)
        assert isinstance(placed.pop(1), asyncio.CancelledError)
        assert all(each in read(journal) for each in placed)  # whether the other one is stored too is left open
        assert (await journal.append(frame(5))).frame == frame(5)
        await journal.close()

    running(go())


def test_a_frame_comes_back_as_it_was_and_where_append_said(start: Open, tmp_path: Path) -> None:
    text = '{"type":"a","source":"b","data":[1e400,-0.0,"\\u0000\u2028"]}\n{"type":"a","source":"b"}\n'.encode()
    given = Frame("eu-1", 2, text, 1, 'k"é', "native", bytes(range(32)), b"\xff" * 32, {1: 'an"id\u00e9'}, {0: 7})

    async def go() -> None:
        journal = start(tmp_path)
        await append_each(journal, [frame(seed) for seed in range(20)])
        placed = await journal.append(given)
        assert placed.frame == given
        assert list(journal.reader().frames(placed.place, placed.next.position)) == [placed]
        assert journal.reader().text(placed.place.unit, placed.text, len(text)) == text
        await journal.close()

    running(go())


def test_reading_from_any_place_gives_what_was_appended_from_there_up_to_the_stop(start: Open, tmp_path: Path) -> None:
    async def go() -> None:
        journal = start(tmp_path)
        placed = await append_each(journal, [frame(seed, 1 + seed % 3) for seed in range(30)])
        reader = journal.reader()
        for low in range(0, 30, 7):
            for high in range(low, 30, 5):
                assert list(reader.frames(placed[low].place, placed[high].place.position)) == placed[low:high]
                assert list(reader.frames(placed[low].next, placed[high].next.position)) == placed[low + 1 : high + 1]
        await journal.close()

    running(go())


def test_a_pickled_reader_reads_along_while_the_journal_grows(start: Open, tmp_path: Path) -> None:
    async def go() -> None:
        journal = start(tmp_path)
        reader = pickle.loads(pickle.dumps(journal.reader()))
        place, seen = journal.end, []
        for seed in range(40):
            await journal.append(frame(seed))
            for placed in reader.frames(place, journal.end.position):
                seen.append(placed.frame)
                place = placed.next
        assert seen == [frame(seed) for seed in range(40)]
        await journal.close()

    running(go())


def test_everything_is_there_after_each_of_several_restarts(start: Open, tmp_path: Path) -> None:
    given = [frame(seed, 1 + seed % 4) for seed in range(24)]
    ids = set()
    for low in range(0, 24, 6):
        journal = start(tmp_path)
        ids.add(journal.id)
        assert [each.frame for each in read(journal)] == given[:low]
        running(append_each(journal, given[low : low + 6]))
        running(journal.close())
    assert len(ids) == 1


def test_positions_survive_a_restart(start: Open, tmp_path: Path) -> None:
    journal = start(tmp_path)
    before = running(append_each(journal, [frame(seed, 2) for seed in range(9)]))
    running(journal.close())
    journal = start(tmp_path)
    assert [each.place.position for each in read(journal)] == [each.place.position for each in before]
    assert journal.end.position == 18
    running(journal.close())


def test_resuming_at_a_frame_that_is_there_gives_its_place(start: Open, tmp_path: Path) -> None:
    journal = start(tmp_path)
    running(append_each(journal, [frame(seed, 2) for seed in range(20)]))
    running(journal.close())
    journal = start(tmp_path)
    for placed in read(journal):
        assert journal.resume(placed.place.position, placed.frame.leaves) == placed.place
    running(journal.close())


@pytest.mark.parametrize(("position", "leaves"), [(1, 0), (2, 0), (40, 20), (1000, 0), (-2, 0)])
def test_resuming_at_a_frame_of_another_history_is_refused(start: Open, tmp_path: Path, position: int, leaves: int) -> None:
    journal = start(tmp_path)
    running(append_each(journal, [frame(seed, 2) for seed in range(20)]))
    with pytest.raises(Damaged):
        journal.resume(Position(position), frame(leaves).leaves)
    running(journal.close())


def test_trimming_stays_strictly_below_the_frame_and_survives_a_restart(start: Open, tmp_path: Path) -> None:
    journal = start(tmp_path)
    placed = running(append_each(journal, [frame(seed) for seed in range(20)]))
    running(journal.close())
    journal = start(tmp_path)
    running(append_each(journal, [frame(seed) for seed in range(20, 40)]))
    for below in (0, 7, 19, 20, 33):
        journal.trim(Position(below))
        assert journal.first.position <= below
        assert [each.frame for each in read(journal)] == [frame(seed) for seed in range(journal.first.position, 40)]
        assert journal.resume(Position(below), frame(below).leaves).position == below
    if journal.first.position:
        with pytest.raises(Damaged, match="trimmed"):
            journal.resume(Position(0), placed[0].frame.leaves)
    running(journal.close())
    journal = start(tmp_path)
    assert [each.frame for each in read(journal)] == [frame(seed) for seed in range(journal.first.position, 40)]
    running(journal.close())


def test_a_second_process_is_refused_until_the_first_lets_go(start: Open, tmp_path: Path) -> None:
    journal = start(tmp_path)
    with pytest.raises(InUse):
        start(tmp_path)
    running(journal.close())
    running(start(tmp_path).close())


def test_closing_finishes_what_is_in_flight_and_refuses_what_comes_later(start: Open, tmp_path: Path) -> None:
    async def go() -> None:
        journal = start(tmp_path)
        appends = [asyncio.ensure_future(journal.append(frame(seed))) for seed in range(5)]
        await asyncio.sleep(0)
        await journal.close()
        assert [each.place.position for each in await asyncio.gather(*appends)] == list(range(5))
        with pytest.raises(JournalFailed):
            await journal.append(frame(9))

    running(go())


class AgainstAModel(RuleBasedStateMachine):
    """A backend against a list of frames and the position that trimming may have reached."""

    start: Open

    @initialize()
    def begin(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.journal = self.start(Path(self.directory.name))
        self.model: list[tuple[int, Frame]] = []
        self.size, self.trimmed, self.seed = 0, 0, 0

    @rule(counts=st.lists(st.integers(1, 5), min_size=1, max_size=6), size=st.integers(0, 700))
    def append(self, counts: list[int], size: int) -> None:
        frames = [frame(self.seed + at, count, size=size) for at, count in enumerate(counts)]
        self.seed += len(counts)
        placed = self.loop.run_until_complete(append_each(self.journal, frames))
        for each, given in zip(placed, frames, strict=True):
            assert each.place.position == self.size
            self.model.append((self.size, given))
            self.size += given.count

    @rule()
    def restart(self) -> None:
        self.loop.run_until_complete(self.journal.close())
        self.journal = self.start(Path(self.directory.name))

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def trim(self, data: st.DataObject) -> None:
        below, given = data.draw(st.sampled_from(self.model))
        self.journal.trim(Position(below))
        self.trimmed = max(self.trimmed, below)
        if self.journal.first.position <= below:
            assert self.journal.resume(Position(below), given.leaves).position == below

    @invariant()
    def holds_what_was_appended(self) -> None:
        first = self.journal.first.position
        assert first <= self.trimmed
        assert self.journal.end.position == self.size
        assert [(each.place.position, each.frame) for each in read(self.journal)] == [each for each in self.model if each[0] >= first]

    def teardown(self) -> None:
        self.loop.run_until_complete(self.journal.close())
        self.loop.close()
        self.directory.cleanup()


@pytest.mark.parametrize("name", JOURNALS)
def test_any_order_of_appends_restarts_and_trims_keeps_what_a_list_keeps(name: str) -> None:
    machine: Any = type("Machine", (AgainstAModel,), {"start": staticmethod(JOURNALS[name])})
    slow = name == "file"  # 64 MiB of zeros at each start
    few = settings(max_examples=3 if slow else 25, stateful_step_count=8 if slow else 25)
    machine.TestCase.settings = settings(few, suppress_health_check=list(HealthCheck))
    machine.TestCase("runTest").runTest()
