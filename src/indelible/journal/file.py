"""The `file` backend: a chain of files in a directory that one process holds."""

from __future__ import annotations

import asyncio
import errno
import os
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from indelible.errors import Damaged, JournalFailed, JournalFull
from indelible.journal.commit import GroupCommit
from indelible.journal.directory import FORMAT, JOURNAL, Manifest, check, file_name, reading, take_lock, usage, write_manifest
from indelible.journal.files import FULL, Files, sync_directory
from indelible.journal.port import Dropped, Frame, Place, Placed, Position, Usage
from indelible.journal.reader import FileReader
from indelible.journal.recovery import Chain, Progress, Span, recover
from indelible.journal.reserve import Reserve
from indelible.journal.writer import Writer

FILE_SIZE = 64 << 20
UNUSABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})


def open_file_journal(
    data: Path,
    *,
    file_size: int = FILE_SIZE,
    reserve: int = 0,
    files: Files | None = None,
    progress: Progress = lambda done, total: None,
) -> FileJournal:
    """The journal of the data directory `data`, which becomes one if it is not. May take long: every frame is read.

    `reserve` bytes are held back on the disk for what makes space. Raises InUse if another process holds `data`, Misconfigured if a newer
    version wrote it, Damaged if an acknowledged frame does not hold, JournalFull if there is no room even for what is not yet known to be
    durable or must be kept of what is dropped, JournalFailed if the disk fails, and OSError for a directory that this process may not use.
    """
    files = files or Files()
    directory = data / JOURNAL
    held = Reserve(files, directory, reserve)
    lock: int | None = None
    try:
        check(data)
        made = [path for path in (data, *data.parents) if not path.exists()]
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = take_lock(data)
        directory.mkdir(mode=0o700, exist_ok=True)
        for path in (directory, *made):
            sync_directory(files, path.parent)
        chain = _recovered(files, directory, file_size, progress, held)
        return FileJournal(files, directory, lock, chain, Writer(files, directory, file_size, chain, held), held, file_size)
    except BaseException as error:
        if lock is not None:
            os.close(lock)
        if not isinstance(error, OSError) or error.errno in UNUSABLE:
            raise
        if error.errno in FULL:
            room = f"{directory} has no room for what the start must write anew"
            raise JournalFull(f"{room}: make space and start again; {reading(data)} answers questions meanwhile") from error
        raise JournalFailed(f"{directory} could not be read and made durable: {error}; {reading(data)} shows what can be read") from error


def _recovered(files: Files, directory: Path, file_size: int, progress: Progress, reserve: Reserve) -> Chain:
    """What `recover` says; on a full disk with the reserve's space, for nothing can make room before the start is through."""
    try:
        return recover(files, directory, file_size, progress)
    except OSError as error:
        if error.errno not in FULL:
            raise
    with reserve.given_back():
        return recover(files, directory, 0, progress)  # the zeros come once the reserve is whole again


class FileJournal:
    """The Journal port on local files. Made by `open_file_journal`.

    `append` belongs to one event loop; `reader` and `resume` may be used from any thread, `trim` from one at a time. An append that is
    cancelled may still be stored.
    """

    largest = 256 << 20
    read_only = False
    damage: Damaged | None = None
    complete = True

    def __init__(self, files: Files, directory: Path, lock: int, chain: Chain, writer: Writer, reserve: Reserve, step: int) -> None:
        self.id = chain.id
        self.dropped: Sequence[Dropped] = chain.dropped
        self._files, self._directory = files, directory
        self._step = step  # bytes of a journal file
        self._lock = lock
        self._writer = writer
        self._reserve = reserve
        self._commit = GroupCommit(writer.write)
        self._closed = False

    @property
    def first(self) -> Place:
        """Where the oldest frame that is still there begins."""
        number, position = self._spans()[0]
        return Place(position, number, 0)

    @property
    def end(self) -> Place:
        """Where the next durable frame will begin."""
        return self._writer.end

    async def append(self, frame: Frame) -> Placed:
        """Return once the frame and all before it are durable (port.py).

        Raises JournalFull, JournalFailed, and ValueError for what is no frame.
        """
        return (await self.append_all((frame,)))[0]

    async def append_all(self, frames: Sequence[Frame]) -> list[Placed]:
        """The same for several, which become durable together. Raises what `append` does."""
        if self._closed:
            raise JournalFailed("the journal is closed")
        for frame in frames:
            if frame.count < 1 or len(frame.salts) != 16 * frame.count or not frame.text.endswith(b"\n") or len(frame.text) > self.largest:
                raise ValueError(f"a frame has one event or more, 16 bytes of salt for each, and at most {self.largest} bytes of lines")
        return await self._commit.append(frames) if frames else []

    def reader(self) -> FileReader:
        return FileReader(self._files, self._directory)

    def resume(self, position: Position, leaves: bytes) -> Place:
        """The place of the frame at `position` that holds these `leaves`. Raises Damaged if there is none."""
        spans = self._spans()
        if not spans[0].position <= position < self.end.position:
            held = f"positions {spans[0].position} to {self.end.position}"
            raise Damaged(f"{self._directory} holds {held}, not {position}: it was trimmed, or it is not the store's journal")
        number, start = spans[bisect_right([span.position for span in spans], position) - 1]
        for placed in self.reader().frames(Place(start, number, 0), Position(position + 1)):
            if placed.place.position == position and placed.frame.leaves == leaves:
                return placed.place
        raise Damaged(f"{self._directory} has no frame with these leaves at position {position}: it is not the store's journal")

    def trim(self, below: Position) -> None:
        """Delete the files whose every frame lies strictly below the frame at `below`; its own file and the current one stay. Blocks.

        On a full disk the reserve's space is used. Raises JournalFull if that is not enough, JournalFailed if the disk fails: then nothing
        was deleted.
        """
        with self._writer.lock:
            spans = self._writer.spans
            # The last file may have no frame yet: it tells no position, so it cannot be the oldest one.
            held = [span for span in spans if span.position < self.end.position]
            kept = max(1, bisect_right([span.position for span in held], below))
            gone = spans[: kept - 1]
            if gone:
                first = file_name(spans[kept - 1].number)
                try:
                    self._write_manifest(Manifest(FORMAT, self.id, first))
                except OSError as error:
                    kind = JournalFull if error.errno in FULL else JournalFailed
                    raise kind(f"{self._directory} could not be trimmed: {error}") from error
                del spans[: kept - 1]
        for span in gone:
            with suppress(OSError):  # the next start tries again
                self._files.unlink(self._directory / file_name(span.number))
        self._writer.spare.refill()

    def usage(self) -> Usage:
        """What it takes and what is left (port.py)."""
        return usage(self._files, self._directory, self.end, self._step + self._reserve.missing)

    async def close(self) -> None:
        """Finish what is in flight, mark the end and release the directory. Appends after it raise JournalFailed."""
        if self._closed:
            return
        self._closed = True
        await self._commit.close()
        await asyncio.to_thread(self._release)

    def _write_manifest(self, manifest: Manifest) -> None:
        try:
            write_manifest(self._files, self._directory, manifest)
        except OSError as error:
            if error.errno not in FULL:
                raise
            with self._reserve.given_back():
                write_manifest(self._files, self._directory, manifest)

    def _spans(self) -> list[Span]:
        with self._writer.lock:
            return list(self._writer.spans)

    def _release(self) -> None:
        self._writer.close()
        os.close(self._lock)
