"""One journal file read forward: its frames in order, and the marks behind its damage."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from indelible.journal.directory import unreadable
from indelible.journal.files import Files
from indelible.journal.frame import MAGIC, Broken, Found, decode

CHUNK = 1 << 20


class Tape:
    """An open journal file. Reads a chunk ahead; `close` it."""

    def __init__(self, files: Files, path: Path, chunk: int = CHUNK) -> None:
        """Raises FileNotFoundError."""
        self.path = path
        self._files = files
        self._fd = files.open(path, os.O_RDONLY)
        self._chunk = chunk
        self._buffer = b""
        self._base = 0  # where in the file the buffer begins

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close(self._fd)

    def size(self) -> int:
        return self._files.size(self._fd)

    def frame(self, start: int) -> Found:
        """The frame that begins at byte `start`. Raises Broken if none does, Damaged if the disk cannot be read."""
        found = decode(self._buffer, start - self._base, start) if self._base <= start <= self._base + len(self._buffer) else len(MAGIC)
        while isinstance(found, int):
            left = self.size() - start
            self._read(start, max(min(found, left), self._chunk))  # a damaged length may ask for any number of bytes
            found = decode(self._buffer, 0, start)
            if isinstance(found, int) and len(self._buffer) >= left:
                raise Broken("the file ends inside the frame")
        return found

    def frames(self, start: int, prev: str | None) -> Iterator[Found]:
        """The frames from byte `start` on, each naming the one before it; `prev` is the checksum before the first, None to take its word.

        Ends by raising Broken where the chain ends, be it damage or padding.
        """
        while True:
            found = self.frame(start)
            if prev is not None and found.prev != prev:
                raise Broken("the frame names another one before it")
            yield found
            start, prev = found.end, found.checksum

    def largest_safe(self, start: int) -> int:
        """The largest `safe` in any frame from byte `start` on whose own checksum holds, whatever lies around it; 0 if there is none.

        Looks at line starts, and behind zeros: a lost page reads as zeros and may have taken the LF before a frame along.
        """
        safe = 0
        while True:
            buffer = self._read(start, self._chunk)
            at = buffer.find(MAGIC)
            while at >= 0:
                if at == 0 or buffer[at - 1] in b"\n\0":
                    safe = max(safe, self._safe(start + at))
                at = buffer.find(MAGIC, at + 1)
            if len(buffer) < self._chunk:
                return safe
            start += len(buffer) - len(MAGIC)  # a frame may begin across two chunks

    def written(self) -> int:
        """Where the zeros begin that end the file."""
        end = self.size()
        while end:
            start = max(0, end - CHUNK)
            if left := self._read(start, end - start).rstrip(b"\0"):
                return start + len(left)
            end = start
        return 0

    def _safe(self, start: int) -> int:
        try:
            return self.frame(start).safe
        except Broken:
            return 0

    def _read(self, start: int, length: int) -> bytes:
        try:
            self._buffer, self._base = self._all(start, length), start
        except OSError as error:
            raise unreadable(self.path, start, error) from error
        return self._buffer

    def _all(self, start: int, length: int) -> bytes:
        """As many bytes, unless the file ends before. Raises OSError."""
        parts = []
        while length and (part := self._files.pread(self._fd, length, start)):
            parts.append(part)
            start, length = start + len(part), length - len(part)
        return b"".join(parts)
