"""All of a journal as a start would take it, read once and in order, without the lock and without a write: for whoever checks it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from indelible.errors import Misconfigured, Replaced
from indelible.journal.closed import marked, missed, read_mark
from indelible.journal.directory import JOURNAL, check_layout, damaged, file_name, file_number, interrupted, read_manifest
from indelible.journal.files import Files
from indelible.journal.frame import After, Broken, Found, seed
from indelible.journal.port import Place, Placed, Position
from indelible.journal.scan import Tape
from indelible.journal.snapshot import Snapshot


class Whole:
    """What `open_whole` found. A process that writes may go on; what it adds is not looked at."""

    def __init__(self, files: Files, data: Path, id: str, first: int, last: int, mark: After | None) -> None:
        self._files = files
        self._mark = mark
        self._data = data
        self._directory = data / JOURNAL
        self._numbers = range(first, last + 1)
        self._names = self._standing()
        self._inode = self._last_inode()
        self.total = sum((self._directory / name).stat().st_size for name in self._names)
        self._limit, end = self._last(last)
        start = Place(end if first == last and not self._limit else Position(self._first(first).position or 0), first, 0)
        self.snapshot = Snapshot(files, self._directory, id, start, Place(end, last, self._limit))

    def frames(self) -> Iterator[tuple[Placed, int]]:
        """Every frame in order, and how many bytes were read so far.

        Each one is whole and names the one before it, and each file follows the one before it as it says. Raises Damaged with file and
        offset at the first where that is not so; Replaced if the files have changed meanwhile, so that nobody can say.
        """
        position, before, done = self.snapshot.first.position, None, 0
        for number in self._numbers:
            after = self._first(number + 1).after if number < self._numbers[-1] else None
            limit = after.length if after else self._limit
            path = self._directory / file_name(number)
            prev, offset = seed(path.name), 0
            with self._tape(number) as tape:
                while offset < limit:
                    found = self._found(tape, offset, prev, limit)
                    if offset == 0:
                        self._joins(path, found, before, position)
                    place = Place(position, number, offset)
                    position, prev, offset = Position(position + found.frame.count), found.checksum, found.end
                    yield Placed(place, found.text, found.frame, Place(position, number, offset)), done + offset
            if after and after.checksum != prev:
                raise damaged(path, offset, f"it does not end as {file_name(number + 1)} says")
            before, done = After(path.name, offset, prev), done + path.stat().st_size

    def unchanged(self) -> None:
        """Raises Replaced if the files are others than at the beginning: a service was started on them, or a repair was made."""
        if self._standing()[: len(self._names)] != self._names or self._last_inode() != self._inode:
            raise self._changed()

    def named(self, place: Place) -> str:
        """Where a frame stands, for people."""
        return f"{self._directory / file_name(place.unit)}, byte {place.offset}"

    def _found(self, tape: Tape, offset: int, prev: str, limit: int) -> Found:
        try:
            found = tape.frame(offset)
            if found.prev != prev:
                raise Broken("the frame names another one before it")
            if found.end > limit:
                raise Broken(f"the frame goes on beyond byte {limit}, where the file ends")
        except Broken as broken:
            self.unchanged()
            if tape.path.name == file_name(self._numbers[-1]) and self._standing() != self._names:  # a start cuts what was the last file
                raise self._changed() from None
            raise damaged(tape.path, offset, str(broken)) from None
        return found

    def _joins(self, path: Path, found: Found, before: After | None, position: int) -> None:
        """Raises Damaged if a file does not follow the one that was read before it."""
        told = found.after
        if before and told != before:
            raise damaged(path, 0, f"its first frame follows {told.file if told else 'nothing'}, not {before.file} as that is")
        if found.position != position:
            raise damaged(path, 0, f"it begins at position {found.position}, not {position}")

    def _last(self, number: int) -> tuple[int, Position]:
        """Where the frames of the last file end, and the position there: up to the first bad one, which no mark lies behind."""
        name = file_name(number)
        offset, position, prev, why = 0, Position(0), seed(name), ""
        with self._tape(number) as tape:
            safe = tape.largest_safe(0)  # before the frames are read: a process may go on writing
            try:
                for found in tape.frames(0, prev):
                    if offset == 0:
                        position = Position(found.position or 0)
                    offset, position, prev = found.end, Position(position + found.frame.count), found.checksum
            except Broken as broken:
                why = str(broken)
            if offset < safe:
                raise damaged(tape.path, offset, why)
            if reason := missed(self._mark, name, offset, prev, why):
                raise damaged(tape.path, offset, reason)
        if offset == 0 and number > 1:
            raise damaged(self._directory / file_name(number), 0, "its first frame does not hold")
        return offset, position

    def _first(self, number: int) -> Found:
        """The first frame of a file, which says where that begins and what comes before it."""
        with self._tape(number) as tape:
            return self._found(tape, 0, seed(file_name(number)), tape.size())

    def _tape(self, number: int) -> Tape:
        path = self._directory / file_name(number)
        try:
            return Tape(self._files, path)
        except FileNotFoundError:
            raise damaged(path, 0, "the file is missing") from None

    def _changed(self) -> Replaced:
        return Replaced(f"{self._directory} was changed while it was read: a service was started, or a repair was made; try again")

    def _last_inode(self) -> int:
        """Which file has the last name: a start may give that to another. 0 where there is none."""
        return max(((self._directory / name).stat().st_ino for name in self._names[-1:]), default=0)

    def _standing(self) -> list[str]:
        return sorted(file_name(number) for number in _numbers(self._files, self._directory) if number >= self._numbers[0])


def open_whole(data: Path, files: Files | None = None) -> Whole:
    """The journal of `data`. Raises Misconfigured if there is none or a newer version wrote it, Damaged if its last file does not hold."""
    files = files or Files()
    directory = data / JOURNAL
    check_layout(data)
    if stopped := interrupted(data):
        raise stopped
    try:
        mark = read_mark(directory)  # before the files: a process may go on writing
        manifest = read_manifest(directory)
        numbers = _numbers(files, directory)
    except OSError as error:
        raise Misconfigured(f"{directory} cannot be read ({error.strerror}): name a data directory") from error
    if manifest is None:
        if mark or any(number > 1 for number in numbers) or not numbers:
            raise damaged(directory / "journal.json", 0, "it is missing")
        raise Misconfigured(f"{directory} is no journal yet: a start makes it one")
    first = file_number(manifest.first) or 1
    last = max([first, marked(mark), *numbers])
    return Whole(files, data, manifest.id, first, _with_frames(files, directory, max(first, marked(mark)), last), mark)


def _with_frames(files: Files, directory: Path, least: int, last: int) -> int:
    """The last file; the one before it where a rotation or a start leaves one without a frame, but none before `least`."""
    path = directory / file_name(last)
    if last == least or not path.exists():
        return last
    with Tape(files, path) as tape:
        try:
            found = tape.frame(0)
            return last if found.prev == seed(path.name) else last - 1
        except Broken as broken:
            if tape.largest_safe(0):
                raise damaged(path, 0, str(broken)) from None
    return last - 1


def _numbers(files: Files, directory: Path) -> list[int]:
    return [number for name in files.names(directory) if (number := file_number(name))]
