"""A journal that is only read: as much of it as could be trusted when it was opened, without the lock and without a write."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from indelible.errors import Damaged, Misconfigured, ReadOnly, Replaced
from indelible.journal.directory import JOURNAL, check_layout, damaged, file_name, usage
from indelible.journal.files import Files
from indelible.journal.port import Dropped, Frame, Place, Placed, Position, Usage
from indelible.journal.reader import FileReader
from indelible.journal.recovery import Progress
from indelible.journal.survey import survey


def open_snapshot(data: Path, *, files: Files | None = None, progress: Progress = lambda done, total: None) -> Snapshot:
    """The journal of `data` up to its first damage or its last known-durable mark, whichever comes first: after a clean stop all of it.

    Another process may write to it.

    Raises Misconfigured if there is no journal, this process may not read it, or a newer version wrote it. Damage is no reason not to open.
    """
    files = files or Files()
    directory = data / JOURNAL
    check_layout(data)
    try:
        seen = survey(files, directory, progress=progress)
    except OSError as error:
        raise Misconfigured(f"{directory} cannot be read ({error.strerror}): name a data directory with --data") from error
    snapshot = Snapshot(files, directory, seen.id or "", seen.start, seen.mark, seen.beyond)
    if seen.gaps:
        first = seen.gaps[0]
        snapshot.damage = damaged(directory / first.file, first.start, first.reason)
    return snapshot


class Snapshot:
    """The Journal port without its promises about appending: every call that would change something raises ReadOnly."""

    largest = 0
    read_only = True

    def __init__(self, files: Files, directory: Path, id: str, first: Place, end: Place, beyond: bool = False) -> None:
        self.id = id
        self.damage: Damaged | None = None
        self.dropped: Sequence[Dropped] = ()
        self.first = first
        self.end = end
        self._files = files
        self._directory = directory
        self._beyond = beyond
        self._inode = os.stat(directory).st_ino

    @property
    def complete(self) -> bool:
        """Whether nothing lies behind `end`, looked up anew: a writer may have gone on.

        Raises Replaced if this is no longer the directory that was opened: what was read from it meanwhile may be anything.
        """
        try:
            if os.stat(self._directory).st_ino != self._inode:
                raise FileNotFoundError
        except FileNotFoundError:
            raise Replaced("the journal was repaired or replaced since this server started: start it again") from None
        return not (self._beyond or self._grown())

    def _grown(self) -> bool:
        """Whether a frame has come behind `end` since: in its file, or in a next one."""
        for path, offset in ((self._path(self.end.unit), self.end.offset), (self._path(self.end.unit + 1), 0)):
            try:
                fd = self._files.open(path, os.O_RDONLY)
            except OSError:
                continue
            try:
                self._beyond = self._beyond or bool(self._files.pread(fd, 1, offset).strip(b"\0"))
            finally:
                self._files.close(fd)
        return self._beyond

    def _path(self, unit: int) -> Path:
        return self._directory / file_name(unit)

    async def append(self, frame: Frame) -> Placed:
        """Raises ReadOnly."""
        raise ReadOnly("the journal is open for reading only")

    async def append_all(self, frames: Sequence[Frame]) -> list[Placed]:
        """Raises ReadOnly."""
        raise ReadOnly("the journal is open for reading only")

    def reader(self) -> FileReader:
        return FileReader(self._files, self._directory)

    def resume(self, position: Position, leaves: bytes) -> Place:
        """Raises Damaged: nobody goes on from a snapshot."""
        raise Damaged(f"{self._directory} is open for reading only")

    def trim(self, below: Position) -> None:
        """Raises ReadOnly."""
        raise ReadOnly("the journal is open for reading only")

    def usage(self) -> Usage:
        """What it takes up to `end`, and what is left. Raises OSError."""
        return usage(self._files, self._directory, self.end, 0)

    async def close(self) -> None:
        """Nothing to let go of."""
