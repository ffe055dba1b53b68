"""A trail over several small files, the receipts that were given for it, and what can happen to it: for the tests of repair."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import structs

from indelible import config, offline
from indelible.formats.lines import Lines
from indelible.journal.file import FileJournal, open_file_journal
from indelible.journal.files import Files
from indelible.journal.frame import encode, seed
from indelible.journal.scan import Tape
from indelible.log.prepare import Terms, prepare
from indelible.log.recorder import Recorder
from indelible.model.damage import Repair
from indelible.model.event import Limits
from indelible.signing.directory import made

SIZE = 4096  # of a journal file
LOGS = ("billing", "default")
MOMENT = 1_700_000_000_000_000


class Quick(Files):
    """Waits for no disk: nothing here cuts the power."""

    def fsync(self, fd: int) -> None:
        pass

    def fdatasync(self, fd: int) -> None:
        pass


class Receipt(NamedTuple):
    log: str
    index: int
    leaf: bytes
    recorded: int
    line: bytes


def line(number: int) -> bytes:
    return b'{"id":"%d","type":"t","source":"s%d","data":"%b"}' % (number, number % 3, b"x" * 60)


def trail(data: Path, frames: int = 34) -> list[Receipt]:
    """Frames of one to three events in two logs, some sent at once, over at least five files; stopped cleanly."""

    async def main() -> list[Receipt]:
        journal = open_file_journal(data, file_size=SIZE, files=Quick())
        recorder = Recorder(journal)
        recorder.replay()
        receipts: list[Receipt] = []
        number = at = 0
        while at < frames:
            group = []
            for _ in range(1 + at % 2):
                lines = [line(number + each) for each in range(1 + at % 3)]
                number += len(lines)
                text = b"".join(each + b"\n" for each in lines)
                group.append(await prepare(Lines(text, lines, False), Terms(LOGS[at % 2], MOMENT + at, Limits())))
                at += 1
            for recorded in await asyncio.gather(*map(recorder.record, group)):
                made = recorded.prepared
                for place, leaf in enumerate(made.leaves):
                    receipts.append(Receipt(made.frame.log, recorded.first + place, leaf, made.frame.recorded, made.lines[place]))
        await journal.close()
        return receipts

    receipts = asyncio.run(main())
    made(Quick(), data, "trail.example", MOMENT // 1_000_000)
    assert len(files(data)) >= 5
    return receipts


def files(data: Path) -> list[Path]:
    return sorted((data / "journal").glob("*.journal"))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below, but for the lock, which says who held it last."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def mend(data: Path, write: bool = True, files: Files | None = None) -> Repair:
    """`indelible repair` without its command line, over small files."""
    flags = {"config": "/dev/null", "data": str(data), "logs": "default"}
    settings = structs.replace(config.load(flags, {}), journal_file_size=SIZE)
    return offline.repair(settings, write, lambda done, total: None, files=files or Quick())


class Trail(NamedTuple):
    """What a start finds: the recorder after its replay, and each event line as it was journaled, with its log, in order."""

    id: str
    recorder: Recorder
    lines: list[tuple[str, bytes]]

    def of(self, log: str) -> list[bytes]:
        return [line for each, line in self.lines if each == log]

    def damages(self, log: str) -> list[tuple[int, Any]]:
        """Index and data of each damage event of a log."""
        events = [json.loads(line) for line in self.of(log)]
        return [(index, event["data"]) for index, event in enumerate(events) if event["type"] == "indelible.damage"]


def started(data: Path) -> Trail:
    """Start on `data` as the service does, and end again."""

    def read(journal: FileJournal) -> Trail:
        recorder = Recorder(journal)
        recorder.replay()
        placed = list(journal.reader().frames(journal.first, journal.end.position))
        lines = [(each.frame.log, line) for each in placed for line in each.frame.text.splitlines()]
        return Trail(journal.id, recorder, lines)

    journal = open_file_journal(data, file_size=SIZE, files=Quick())
    try:
        return read(journal)
    finally:
        asyncio.run(journal.close())


def frames_of(path: Path) -> list[tuple[int, int]]:
    """Where each frame of a whole file begins and ends."""
    found = []
    with Tape(Files(), path) as tape:
        start = 0
        while path.read_bytes()[start : start + 1].strip(b"\0"):
            frame = tape.frame(start)
            found.append((start, frame.end))
            start = frame.end
    return found


def overwrite(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as opened:
        opened.seek(offset)
        opened.write(content)


def lines_in(path: Path, start: int, stop: int) -> list[bytes]:
    """The event lines that stand, at least in part, in [start, stop) of a whole file's frames."""
    text = path.read_bytes()
    hit = [span for span in frames_of(path) if span[0] < stop and span[1] > start]
    return [line for begin, end in hit for line in text[begin:end].splitlines()[1:]]


Harm = Callable[[Path], list[bytes]]
"""Does something to a data directory; the lines of the events that are gone by that."""


def flip(data: Path) -> list[bytes]:
    path = files(data)[1]
    start, end = frames_of(path)[1]
    gone = lines_in(path, start, end)
    overwrite(path, end - 9, bytes([path.read_bytes()[end - 9] ^ 1]))
    return gone


def zero_a_page(data: Path) -> list[bytes]:
    path = files(data)[1]
    gone = lines_in(path, 256, 768)
    overwrite(path, 256, bytes(512))
    return gone


def lose_a_head(data: Path) -> list[bytes]:
    path = files(data)[2]
    gone = lines_in(path, 0, 30)
    overwrite(path, 0, bytes(30))
    return gone


def cut_a_file(data: Path) -> list[bytes]:
    path = files(data)[1]
    start, end = frames_of(path)[-1]
    gone = lines_in(path, start, end)
    with path.open("r+b") as opened:
        opened.truncate(start + 11)
    return gone


def cut_between_frames(data: Path) -> list[bytes]:
    path = files(data)[1]
    start, end = frames_of(path)[-1]
    gone = lines_in(path, start, end)
    with path.open("r+b") as opened:
        opened.truncate(start)
    return gone


def remove_the_first(data: Path) -> list[bytes]:
    return _removed(files(data)[0])


def remove_one(data: Path) -> list[bytes]:
    return _removed(files(data)[2])


def _removed(path: Path) -> list[bytes]:
    gone = lines_in(path, 0, SIZE)
    path.unlink()
    return gone


def harm_the_last_below_its_mark(data: Path) -> list[bytes]:
    path = files(data)[-1]
    start, end = frames_of(path)[0]
    gone = lines_in(path, start, end)
    overwrite(path, start + 40, b"????")
    return gone


def copy_one_over_another(data: Path) -> list[bytes]:
    gone = lines_in(files(data)[1], 0, SIZE)
    files(data)[1].write_bytes(files(data)[2].read_bytes())
    return gone


def forge(data: Path) -> list[bytes]:
    """Another event in a frame whose checksum is made anew: the leaves tell."""
    path = files(data)[0]
    (start, end), *_ = frames_of(path)
    with Tape(Files(), path) as tape:
        found = tape.frame(start)
    gone = lines_in(path, start, end)
    frame = structs.replace(found.frame, text=found.frame.text.replace(b"xxx", b"yyy"))
    made, _ = encode(frame, seed(path.name), found.safe, ',"position":0,"after":null')
    overwrite(path, start, made + frame.text)
    return gone


def break_the_chain(data: Path) -> list[bytes]:
    """A frame that is whole and says that it follows another one than it does."""
    path = files(data)[1]
    start, end = frames_of(path)[2]
    with Tape(Files(), path) as tape:
        found = tape.frame(start)
    line, _ = encode(found.frame, "0" * 32, found.safe)
    assert len(line) + len(found.frame.text) == end - start
    overwrite(path, start, line + found.frame.text)
    return []


def forged_trail(data: Path) -> int:
    """Three frames of which the second holds another event than was hashed, in a chain that is as it should be. Its position."""

    async def main() -> None:
        journal = open_file_journal(data, file_size=SIZE, files=Quick())
        for number in range(4):
            lines = [line(number)]
            made = await prepare(Lines(lines[0] + b"\n", lines, False), Terms("default", MOMENT, Limits()))
            frame = made.frame if number != 1 else structs.replace(made.frame, text=made.frame.text.replace(b"xxx", b"yyy"))
            await journal.append(frame)
        await journal.close()

    asyncio.run(main())
    made(Quick(), data, "trail.example", MOMENT // 1_000_000)
    return 1


def harm_two(data: Path) -> list[bytes]:
    gone = zero_a_page(data)
    path = files(data)[3]
    start, end = frames_of(path)[0]
    gone += lines_in(path, start, end)
    overwrite(path, end - 5, b"??")
    return gone


def lose_everything(data: Path) -> list[bytes]:
    return [line for path in files(data) for line in _removed(path)]


LOSSES: list[Harm] = [
    *(flip, zero_a_page, lose_a_head, cut_a_file, cut_between_frames, remove_the_first, remove_one, harm_the_last_below_its_mark),
    *(copy_one_over_another, break_the_chain, forge, harm_two, lose_everything),
]


def lose_journal_json(data: Path) -> list[bytes]:
    (data / "journal" / "journal.json").unlink()
    return []


def break_journal_json(data: Path) -> list[bytes]:
    (data / "journal" / "journal.json").write_bytes(b'{"form')
    return []


def swap_two(data: Path) -> list[bytes]:
    one, other = files(data)[1:3]
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)
    return []


HARMLESS: list[Harm] = [lose_journal_json, break_journal_json, swap_two]
"""What loses no event."""


def root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, as it stands there."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + root(leaves[:split]) + root(leaves[split:])).digest()
