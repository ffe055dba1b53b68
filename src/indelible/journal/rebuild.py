"""A repair's way on the disk: a new chain of files beside the old journal, which then goes aside, whole, and the new one takes its name.

Killed at any step it leaves the old journal as it was, or no journal and both beside it: then a start refuses, and the next repair
takes the last step.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from indelible.journal.aside import set_aside
from indelible.journal.closed import write_mark
from indelible.journal.directory import FORMAT, JOURNAL, REPAIRED, Manifest, file_name, new_manifest, write_manifest
from indelible.journal.files import Files, create, sync_directory, write_all
from indelible.journal.frame import After, encode, opening, seed
from indelible.journal.port import Frame, Place, Placed, Position
from indelible.journal.scan import CHUNK
from indelible.journal.snapshot import Snapshot
from indelible.journal.survey import Kept, Survey

_NEW = "journal.new"


class Rebuild:
    """The new chain. It begins with the files that a survey calls kept; `write` adds frames, `publish` makes it the journal."""

    def __init__(self, files: Files, data: Path, seen: Survey, file_size: int) -> None:
        """Raises OSError: then the old journal is as it was."""
        self._files = files
        self._data = data
        self._seen = seen
        self._size = file_size
        self._directory = data / _NEW
        for name in (_NEW, REPAIRED):
            _remove(files, data / name)
        files.mkdir(self._directory)
        for kept in seen.kept:
            _second_name(files, kept.path, self._directory / kept.path.name)
        last = seen.kept[-1] if seen.kept else None
        self._after: After | None = last.after if last else None
        self._position = last.next if last else seen.start.position
        self._number = seen.start.unit + len(seen.kept)
        self._first = seen.start.unit
        self._fd: int | None = None
        self._offset = 0
        self._prev = seed(file_name(self._number))
        self.journal = Snapshot(files, self._directory, "", seen.start, _end(seen.start, last, self._number))

    def write(self, frame: Frame) -> Placed:
        """Add a frame. It is durable once `publish` has returned; so `safe` in it says that all before it are."""
        line, checksum = self._encoded(frame)
        if self._offset and self._offset + len(line) + len(frame.text) > self._size:
            self._rotate()
            line, checksum = self._encoded(frame)
        if self._fd is None:
            self._fd = self._files.open(self._directory / file_name(self._number), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        write_all(self._files, self._fd, line + frame.text, self._offset)
        place = Place(self._position, self._number, self._offset)
        text = self._offset + len(line)
        self._offset, self._prev = text + len(frame.text), checksum
        self._position = Position(self._position + frame.count)
        return Placed(place, text, frame, Place(self._position, self._number, self._offset))

    def publish(self, now: time.struct_time, note: Struct) -> Path:
        """Set the old journal aside with a `note` beside it, and put the new one in its place. Where the old one is now."""
        self.close()
        if end := After(file_name(self._number), self._offset, self._prev) if self._offset else self._after:
            write_mark(self._files, self._directory, end)
        manifest = new_manifest()
        id = self._seen.id if self._seen.id and not self._seen.lost else manifest.id
        write_manifest(self._files, self._directory, Manifest(FORMAT, id, file_name(self._first)))
        self._files.rename(self._directory, self._data / REPAIRED)
        sync_directory(self._files, self._data)
        aside = set_aside(self._files, self._data, now, note)
        self._files.rename(self._data / JOURNAL, aside / JOURNAL)
        sync_directory(self._files, aside)
        finish(self._files, self._data)
        return aside

    def close(self) -> None:
        """The current file, if there is one, is durable."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            try:
                self._files.fsync(fd)
            finally:
                self._files.close(fd)

    def abandon(self) -> None:
        """Leave nothing of it behind, as far as the disk lets go of it."""
        with suppress(OSError):
            self.close()
        with suppress(OSError):
            _remove(self._files, self._directory)

    def _encoded(self, frame: Frame) -> tuple[bytes, str]:
        return encode(frame, self._prev, self._offset, "" if self._offset else opening(self._position, self._after))

    def _rotate(self) -> None:
        self.close()
        self._after = After(file_name(self._number), self._offset, self._prev)
        self._number, self._offset = self._number + 1, 0
        self._prev = seed(file_name(self._number))


def finish(files: Files, data: Path) -> None:
    """The last step: the new journal, which is whole and durable, takes its name."""
    sync_directory(files, data)
    files.rename(data / REPAIRED, data / JOURNAL)
    sync_directory(files, data)


def _end(start: Place, last: Kept | None, number: int) -> Place:
    return Place(last.next, number - 1, last.after.length) if last else start


def _second_name(files: Files, old: Path, new: Path) -> None:
    """The file under a name in the new journal too; a copy, where there are no links."""
    try:
        files.link(old, new)
    except OSError:
        source = files.open(old, os.O_RDONLY)
        try:
            copy = create(files, new, b"", 0)
            try:
                offset = 0
                while part := files.pread(source, CHUNK, offset):
                    write_all(files, copy, part, offset)
                    offset += len(part)
                files.fsync(copy)
            finally:
                files.close(copy)
        finally:
            files.close(source)


def _remove(files: Files, directory: Path) -> None:
    """What an interrupted repair had begun to write."""
    if directory.exists():
        for name in files.names(directory):
            files.unlink(directory / name)
        files.rmdir(directory)
