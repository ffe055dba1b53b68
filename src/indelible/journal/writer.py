"""The appending side: groups of frames go to the end of the current file, one write and one sync a group."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from indelible.errors import JournalFailed, JournalFull
from indelible.journal.closed import remove_mark, write_mark
from indelible.journal.directory import file_name
from indelible.journal.files import FULL, Files, cut, fill, sync_directory, write_all
from indelible.journal.frame import After, encode, opening, seed
from indelible.journal.port import Frame, Place, Placed, Position
from indelible.journal.recovery import Chain, Span
from indelible.journal.reserve import Reserve
from indelible.journal.spare import Spare

_LARGE = 64 << 10  # bytes that are not copied only to be written with others


class _Group(NamedTuple):
    """Frames as they will stand in the current file: their bytes in pieces, where each stands, and the last one's checksum."""

    pieces: list[bytes]
    size: int
    placed: list[Placed]
    checksum: str


class Writer:
    """Blocking, and used by one thread at a time. After an unknown outcome every call raises JournalFailed."""

    def __init__(self, files: Files, directory: Path, file_size: int, chain: Chain, reserve: Reserve) -> None:
        self._files = files
        self._directory = directory
        self._size = file_size
        self._number, self._fd, self._offset, self._position, self._prev, self._after, self._padded = chain.tip
        self._closed = chain.closed  # the end mark is there and says where the journal ends
        self._failure = ""
        self._reserve = reserve
        self.spare = Spare(files, directory, file_size, reserve)
        self._predecessor: After | None = None  # still padded, until the frame that names its length is durable
        self.lock = Lock()  # of `spans`, which trimming changes from another thread
        self.spans = chain.spans
        self.end = Place(self._position, self._number, self._offset)  # everything before it is durable

    def write(self, frames: Sequence[Frame]) -> list[Placed]:
        """Where the frames stand, once all of them are durable.

        Raises JournalFull when none was and none will be stored, JournalFailed when the outcome is unknown: then for ever.
        """
        if self._failure:
            raise JournalFailed(self._failure)
        try:
            if not self._padded:
                self._pad()
            group = self._encode(frames)
            if self._offset and self._offset + group.size > self._size:
                self._rotate()
                group = self._encode(frames)
            if self._closed:
                self._reopen()
            self._put(group)
        except JournalFull:
            raise
        except Exception as error:  # whatever it was, nobody knows what the disk holds now
            path = self._directory / file_name(self._number)
            self._failure = f"{path} could not be written ({error}): nothing is stored any more, start again to find out what was"
            raise JournalFailed(self._failure) from error
        return group.placed

    def close(self) -> None:
        """Let go of the files, and mark the end where all up to it is known to be durable; without room for the mark there is none."""
        self.spare.close()
        self._files.close(self._fd)
        current = file_name(self._number)
        end = After(current, self._offset, self._prev) if self._offset else self._after
        if end is None or self._failure:
            return
        with suppress(OSError):
            if not self._closed:
                write_mark(self._files, self._directory, end)
            if end.file != current:
                self._files.unlink(self._directory / current)  # no frame came: the journal is as it was found

    def _encode(self, frames: Sequence[Frame]) -> _Group:
        number, safe, offset, checksum = self._number, self._offset, self._offset, self._prev
        place = Place(self._position, number, offset)
        parts: list[bytes] = []
        placed: list[Placed] = []
        for frame in frames:
            line, checksum = encode(frame, checksum, safe, "" if offset else opening(place.position, self._after))
            text = offset + len(line)
            offset = text + len(frame.text)
            after = Place(Position(place.position + frame.count), number, offset)
            placed.append(Placed(place, text, frame, after))
            parts += (line, frame.text)
            place = after
        return _Group(_pieces(parts), offset - self._offset, placed, checksum)

    def _put(self, group: _Group) -> None:
        try:
            offset = self._offset
            for piece in group.pieces:
                write_all(self._files, self._fd, piece, offset)
                offset += len(piece)
        except OSError as error:
            if error.errno not in FULL:
                raise
            self._undo(group.size)
            raise _full(error, self._directory) from error
        self._files.fdatasync(self._fd)
        self._position, _, self._offset = self.end = group.placed[-1].next
        self._prev = group.checksum
        if self._predecessor:
            cut(self._files, self._directory / self._predecessor.file, self._predecessor.length)
            self._predecessor = None

    def _undo(self, length: int) -> None:
        """Make sure that no refused frame comes alive at the next start: its bytes become zeros again, durably."""
        self._files.truncate(self._fd, max(self._offset, self._size))
        refused = min(length, self._size - self._offset)
        write_all(self._files, self._fd, bytes(max(0, refused)), self._offset)
        self._files.fdatasync(self._fd)

    def _reopen(self) -> None:
        """Without the end mark, durably, before there is a frame behind it."""
        try:
            remove_mark(self._files, self._directory)
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise _full(error, self._directory) from error
        self._closed = False

    def _pad(self) -> None:
        """Zero-fill the current file, for which the start found no room: a frame in it must not run out of room half-way."""
        try:
            with self._reserve.lock:
                self._reserve.fill()
                fill(self._files, self._fd, self._offset, self._size)
            self._files.fsync(self._fd)
        except OSError as error:
            if error.errno not in FULL:
                raise
            self._files.truncate(self._fd, self._offset)
            raise _full(error, self._directory) from error
        self._padded = True

    def _rotate(self) -> None:
        """Go on in the next file. The current one is durable: every group ends with its sync."""
        path = self._directory / file_name(self._number + 1)
        try:
            fd = self.spare.take(path)
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise _full(error, self._directory) from error
        sync_directory(self._files, self._directory)
        self.spare.begin()  # not before: the directory's sync would wait for all of its zeros
        with suppress(OSError):
            self._files.close(self._fd)
        self._predecessor = self._after = After(file_name(self._number), self._offset, self._prev)
        self._number, self._fd, self._offset, self._prev = self._number + 1, fd, 0, seed(path.name)
        with self.lock:
            self.spans.append(Span(self._number, self._position))


def _pieces(parts: list[bytes]) -> list[bytes]:
    """`parts` in order: a large one alone, as it is, and the small ones between them joined."""
    pieces: list[bytes] = []
    start = 0
    for at in [at for at, part in enumerate(parts) if len(part) >= _LARGE]:
        pieces += (b"".join(parts[start:at]), parts[at])
        start = at + 1
    return [piece for piece in (*pieces, b"".join(parts[start:])) if piece]


def _full(error: OSError, directory: Path) -> JournalFull:
    return JournalFull(
        f"{directory} has no room ({error.strerror}): nothing was stored, reading goes on, writing resumes by itself once there is space"
    )
