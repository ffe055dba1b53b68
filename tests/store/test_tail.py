"""How the tail is loaded: by a child that may die, into files that may be lost, and never a wrong answer for it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from indelible.errors import Damaged, IndelibleError
from indelible.journal.file import FileJournal, open_file_journal
from indelible.journal.port import Frame, Place, Placed, Position, Reader
from indelible.model.query import Query
from indelible.store.local import loader
from indelible.store.local.chunk import SMALL
from indelible.store.local.tail import Tail
from indelible.store.port import Refusals

ALL = Query("default")


class Everything:
    """A fold that took all that the journal holds."""

    def __init__(self, journal: FileJournal) -> None:
        self.journal = journal

    @property
    def folded(self) -> Position:
        return self.journal.end.position

    def refusals(self, start: Position, stop: Position) -> Refusals:
        return Refusals()


class Deadly:
    """A reader whose process is killed `times` times, each time before it gives the frame at position `at` or a later one."""

    def __init__(self, reader: Reader, at: int, times: int, graves: Path) -> None:
        self.reader, self.at, self.times, self.graves = reader, at, times, graves

    def frames(self, start: Place, stop: Position) -> Iterator[Placed]:
        for placed in self.reader.frames(start, stop):
            dead = len(list(self.graves.iterdir()))
            if placed.place.position >= self.at and dead < self.times:
                (self.graves / str(dead)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield placed

    def text(self, unit: int, offset: int, length: int) -> bytes:
        return self.reader.text(unit, offset, length)


class Broken(Deadly):
    def frames(self, start: Place, stop: Position) -> Iterator[Placed]:
        raise Damaged("00000001.journal is damaged at byte 7")


class Chatty(Deadly):
    def frames(self, start: Place, stop: Position) -> Iterator[Placed]:
        print("not an answer", flush=True)
        return self.reader.frames(start, stop)


def lines(first: int, count: int) -> bytes:
    return b"".join(b'{"type":"a","source":"b","id":"e%d"}\n' % number for number in range(first, first + count))


async def append(journal: FileJournal, count: int, log: str = "default") -> None:
    first = journal.end.position
    await journal.append(Frame(log, count, lines(first, count), 1_795_000_000_000_000, "-", "native", b"s" * 16 * count, b"l" * 32))


@pytest.fixture
def graves(tmp_path: Path) -> Path:
    (tmp_path / "graves").mkdir()
    return tmp_path / "graves"


def alive(tail: Tail) -> bool:
    return tail.loader.pid is not None


def files(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "tail").glob("*.arrow"))


def test_nothing_is_loaded_until_somebody_asks(tmp_path: Path) -> None:
    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=1 << 20)
        await append(journal, 3)
        tail = Tail(tmp_path / "tail", journal.reader(), journal.first, Everything(journal))
        assert not alive(tail) and not files(tmp_path)
        assert await tail.count(ALL) == 3
        assert alive(tail) and len(files(tmp_path)) == 1
        await tail.close()
        assert not alive(tail) and not files(tmp_path)
        await journal.close()

    asyncio.run(go())


def test_a_stretch_of_which_nothing_became_an_entry_is_a_chunk_without_rows(tmp_path: Path) -> None:
    """More than a small chunk holds, all sent before: the next load begins behind it."""

    class Repeated(Everything):
        def refusals(self, start: Position, stop: Position) -> Refusals:
            return Refusals(frozenset(range(max(start, SMALL), min(stop, 2 * SMALL))))

    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=1 << 20)
        tail = Tail(tmp_path / "tail", journal.reader(), journal.first, Repeated(journal))
        for known in (SMALL, SMALL, SMALL + 1):
            await append(journal, SMALL if known == SMALL else 1)
            assert await tail.count(ALL) == known
            assert len((await tail.page(ALL, None, SMALL + 2, 1 << 20)).rows) == known
            assert [row.index for row in await tail.named("default", "e7")] == [7]
        await tail.close()
        await journal.close()

    asyncio.run(go())


@pytest.mark.parametrize("content", ["a directory that is not there", "a file in its place"])
def test_what_the_disk_does_not_take_is_kept_in_memory_and_answers_are_the_same(tmp_path: Path, content: str) -> None:
    """As on a disk that is full or read-only: reading goes on."""

    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=1 << 20)
        cache = tmp_path / "cache"
        if content == "a file in its place":
            cache.touch()
        tail = Tail(cache, journal.reader(), journal.first, Everything(journal))
        if cache.is_dir():
            cache.rmdir()
        for count in (3, 5):
            await append(journal, count)
            assert [row.index for row in (await tail.page(ALL, None, 10, 1 << 20)).rows] == list(range(journal.end.position))[::-1]
        assert not cache.is_dir()
        await tail.close()
        await journal.close()

    asyncio.run(go())


def test_what_an_earlier_process_left_is_wiped_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "tail").mkdir()
    (tmp_path / "tail" / "stale.arrow").write_bytes(b"stale")
    (tmp_path / "tail" / "yours.txt").write_bytes(b"yours")
    journal = open_file_journal(tmp_path, file_size=1 << 20)
    Tail(tmp_path / "tail", journal.reader(), journal.first, Everything(journal))
    assert [path.name for path in (tmp_path / "tail").iterdir()] == ["yours.txt"]
    asyncio.run(journal.close())


def test_no_question_about_a_log_reaches_files_that_hold_only_others(tmp_path: Path) -> None:
    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=1 << 20)
        tail = Tail(tmp_path / "tail", journal.reader(), journal.first, Everything(journal))
        for log in ("one", "default", "two"):
            await append(journal, SMALL, log)
            assert await tail.count(Query(log)) == SMALL
        assert len(files(tmp_path)) == 3
        for log in ("one", "default", "two"):
            page = await tail.page(Query(log), None, SMALL, 8 << 20)
            assert await tail.count(Query(log)) == len(page.rows) == SMALL
            assert {row.log for row in page.rows} == {log}
        assert await tail.named("one", f"e{2 * SMALL}") == []
        await tail.close()
        await journal.close()

    asyncio.run(go())


def test_small_files_are_replaced_so_that_they_stay_few(tmp_path: Path) -> None:
    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=1 << 20)
        tail = Tail(tmp_path / "tail", journal.reader(), journal.first, Everything(journal))
        names = []
        for count in (10, 4000, 100, 1, 4095, 1):
            await append(journal, count)
            assert await tail.count(ALL) == journal.end.position
            names.append(len(files(tmp_path)))
        assert names == [1, 1, 1, 2, 2, 3]
        assert [(await tail.named("default", f"e{number}"))[0].index for number in (0, 4109, 4110, 8206)] == [0, 4109, 4110, 8206]
        await tail.close()
        await journal.close()

    asyncio.run(go())


def test_a_long_journal_becomes_several_files(tmp_path: Path) -> None:
    async def go() -> None:
        journal = open_file_journal(tmp_path)
        for _ in range(15):
            await append(journal, 10_000)
        tail = Tail(tmp_path / "tail", journal.reader(), journal.first, Everything(journal))
        page = await tail.page(ALL, 70_001, 3, 1 << 20)
        assert [row.id for row in page.rows] == ["e70000", "e69999", "e69998"]
        assert files(tmp_path) == [
            f"{start:020d}-{stop:020d}.arrow" for start, stop in [(0, 70_000), (70_000, 140_000), (140_000, 150_000)]
        ]
        row = await tail.entry("default", 69_999)
        assert row and row.body == b'{"type":"a","source":"b","id":"e69999"}'
        assert await tail.count(ALL) == 150_000
        await tail.close()
        await journal.close()

    asyncio.run(go())


@pytest.mark.parametrize("at", [0, 4, 75_000])
def test_a_loader_killed_in_the_middle_of_a_load_is_replaced(tmp_path: Path, graves: Path, at: int) -> None:
    async def go() -> None:
        journal = open_file_journal(tmp_path)
        for count in (4, 4, *[10_000] * 10):
            await append(journal, count)
        tail = Tail(tmp_path / "tail", Deadly(journal.reader(), at, 2, graves), journal.first, Everything(journal))
        assert await tail.count(ALL) == 100_008
        assert len(files(tmp_path)) == 2
        await tail.close()
        await journal.close()

    asyncio.run(go())
    assert len(list(graves.iterdir())) == 2


def test_a_loader_that_dies_thrice_at_one_place_fails_the_question_and_not_the_next(tmp_path: Path, graves: Path) -> None:
    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=1 << 20)
        await append(journal, 5)
        tail = Tail(tmp_path / "tail", Deadly(journal.reader(), 0, 3, graves), journal.first, Everything(journal))
        with pytest.raises(IndelibleError, match="between positions 0 and 5: the loader ended with status -9, 3 times"):
            await tail.count(ALL)
        assert "3 times" in tail.trouble
        assert await tail.count(ALL) == 5
        assert tail.trouble == ""
        await tail.close()
        await journal.close()

    asyncio.run(go())


class Restless(Deadly):
    """Killed twice before it gives the first frame, and twice more before the next."""

    def frames(self, start: Place, stop: Position) -> Iterator[Placed]:
        for placed in self.reader.frames(start, stop):
            dead = len(list(self.graves.iterdir()))
            if dead < (4 if placed.place.position else 2):
                (self.graves / str(dead)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield placed


def test_a_loader_that_gets_on_between_its_deaths_is_replaced_each_time(tmp_path: Path, graves: Path) -> None:
    async def go() -> None:
        journal = open_file_journal(tmp_path)
        for _ in range(2):
            await append(journal, loader.EVENTS)
        tail = Tail(tmp_path / "tail", Restless(journal.reader(), 0, 2, graves), journal.first, Everything(journal))
        assert await tail.count(ALL) == 2 * loader.EVENTS
        await tail.close()
        await journal.close()

    asyncio.run(go())
    assert len(list(graves.iterdir())) == 4


def test_a_load_that_failed_is_tried_again_though_nobody_asks(tmp_path: Path, graves: Path) -> None:
    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=1 << 20)
        await append(journal, 5)
        tail = Tail(tmp_path / "tail", Deadly(journal.reader(), 0, 3, graves), journal.first, Everything(journal))
        with pytest.raises(IndelibleError):
            await tail.count(ALL)
        tail.retry()
        assert tail._loading
        await asyncio.wait([tail._loading])
        assert tail.trouble == ""
        await tail.close()
        tail.retry()
        assert tail.loader.pid is None
        await journal.close()

    asyncio.run(go())


def test_a_loader_killed_while_it_is_idle_is_replaced(tmp_path: Path) -> None:
    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=1 << 20)
        tail = Tail(tmp_path / "tail", journal.reader(), journal.first, Everything(journal))
        for count in (1, 2):
            await append(journal, 1)
            assert await tail.count(ALL) == count
            assert tail.loader.pid
            os.kill(tail.loader.pid, signal.SIGKILL)
        await tail.close()
        await journal.close()

    asyncio.run(go())


def test_damage_in_the_journal_fails_the_question_with_its_place(tmp_path: Path, graves: Path) -> None:
    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=1 << 20)
        await append(journal, 5)
        tail = Tail(tmp_path / "tail", Broken(journal.reader(), 0, 0, graves), journal.first, Everything(journal))
        for _ in range(2):
            with pytest.raises(Damaged, match="at byte 7"):
                await tail.count(ALL)
        await tail.close()
        await journal.close()

    asyncio.run(go())


def test_a_print_in_the_loader_is_no_answer(tmp_path: Path, graves: Path) -> None:
    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=1 << 20)
        await append(journal, 5)
        tail = Tail(tmp_path / "tail", Chatty(journal.reader(), 0, 0, graves), journal.first, Everything(journal))
        assert await tail.count(ALL) == 5
        await tail.close()
        await journal.close()

    asyncio.run(go())


def test_closing_ends_a_load_and_its_question(tmp_path: Path, graves: Path) -> None:
    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=1 << 20)
        await append(journal, 5)
        tail = Tail(tmp_path / "tail", journal.reader(), journal.first, Everything(journal))
        asked = asyncio.create_task(tail.count(ALL))
        await asyncio.sleep(0)
        await tail.close()
        with pytest.raises(IndelibleError, match="closed"):
            await asked
        with pytest.raises(IndelibleError, match="closed"):
            await tail.count(ALL)
        assert files(tmp_path) == []
        await journal.close()

    asyncio.run(go())


def test_a_question_asked_as_a_load_ends_starts_the_next_one(tmp_path: Path) -> None:
    def stuck(*_: object) -> None:
        raise AssertionError("the event loop is stuck")

    async def go() -> None:
        journal = open_file_journal(tmp_path, file_size=1 << 20)
        await append(journal, 5)
        tail = Tail(tmp_path / "tail", journal.reader(), journal.first, Everything(journal))
        load = tail._load
        asked: list[asyncio.Task[int]] = []

        async def load_then_ask(stop: Position) -> None:
            await load(stop)
            if not asked:  # its turn comes when this load is done, and before anyone is told
                await append(journal, 5)
                asked.append(asyncio.create_task(tail.count(ALL)))

        tail._load = load_then_ask  # type: ignore[method-assign]
        assert await tail.count(ALL) == 5
        assert await asked[0] == 10
        await tail.close()
        await journal.close()

    before = signal.signal(signal.SIGALRM, stuck)
    signal.alarm(20)
    try:
        asyncio.run(go())
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_the_loader_ends_when_the_process_that_started_it_does() -> None:
    child = subprocess.Popen([sys.executable, "-m", loader.__name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.communicate(b"\0\0\0", timeout=30)  # be it in the middle of a message
    assert child.returncode == 0
