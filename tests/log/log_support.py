"""Requests that meet again, a journal in a directory, and what a recorder said of them: for the tests of the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from indelible.formats.lines import Lines
from indelible.journal.file import FileJournal, open_file_journal
from indelible.journal.port import Placed, Position
from indelible.log.prepare import Prepared, Terms, prepare
from indelible.log.recorder import Recorded, Recorder
from indelible.log.window import Window
from indelible.model.event import Limits
from indelible.model.receipt import Status

Said = tuple[Status, int, bytes, int]
"""Status, index, leaf and moment of an event, as its receipt gives them."""


class Sent(NamedTuple):
    """An event as a test draws it: few names, so that they meet again."""

    source: str
    id: str | None
    body: int

    @property
    def line(self) -> bytes:
        id = f'"id":"{self.id}",' if self.id else ""
        return f'{{{id}"type":"t","source":"{self.source}","data":{self.body}}}'.encode()


class Watched(Recorder):
    """Keeps what it said of each frame, live or replayed."""

    def __init__(self, journal: FileJournal, generation: int = 1 << 20) -> None:
        super().__init__(journal, Window(generation))
        self.told: list[list[Said]] = []

    def _fold_all(self, run: Sequence[Prepared], placed: Sequence[Placed]) -> list[Recorded]:
        recorded = super()._fold_all(run, placed)
        self.told += map(said, recorded)
        return recorded


def said(recorded: Recorded) -> list[Said]:
    """Status, index, leaf and moment of each event, as its receipt gives them."""
    index, found = recorded.first, []
    for at, leaf in enumerate(recorded.prepared.leaves):
        new = (Status.stored, index, leaf, recorded.prepared.frame.recorded)
        one = tuple(recorded.settled.get(at, new))
        index += one[1] == index
        found.append(one)
    return found


async def prepared(lines: Sequence[bytes], log: str = "default", recorded: int = 0, key: str | None = None) -> Prepared:
    return await prepare(Lines(b"".join(line + b"\n" for line in lines), list(lines), False), Terms(log, recorded, Limits(), key=key))


def state(recorder: Recorder, logs: Sequence[str]) -> tuple[object, ...]:
    """All that two recorders of one journal must agree on, but for what they said."""
    heads = [(log, recorder.size(log), recorder.head(log).root) for log in logs]
    return heads, recorder.folded, recorder.refusals(Position(0), recorder.folded)


def with_journal(data: Path, work: Callable[[FileJournal], Awaitable[None]]) -> None:
    async def main() -> None:
        journal = open_file_journal(data, file_size=64 << 10)
        try:
            await work(journal)
        finally:
            await journal.close()

    asyncio.run(main())


def opened(journal: FileJournal, generation: int = 1 << 20) -> Watched:
    recorder = Watched(journal, generation)
    recorder.replay()
    return recorder
