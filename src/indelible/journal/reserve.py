"""Space held back on the disk, so that what makes room can run when there is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock

from indelible.journal.files import Files, fill


class Reserve:
    """A file of zeros in the journal's directory. Blocks; used from any thread.

    `lock` is held by whoever takes much room: while the reserve is given back, nobody else of the journal's takes what it freed.
    """

    def __init__(self, files: Files, directory: Path, size: int) -> None:
        """`size` in bytes; with 0 nothing is held back."""
        self.lock = RLock()
        self._files = files
        self._path = directory / "reserve"
        self._size = size

    @property
    def missing(self) -> int:
        """Bytes that it takes to be whole. Raises OSError."""
        try:
            return max(0, self._size - os.stat(self._path).st_size)
        except FileNotFoundError:
            return self._size

    def fill(self) -> None:
        """Make it whole. Raises OSError if there is no room for all of it: then it is as it was."""
        with self.lock:
            if not self._size:
                self._files.unlink(self._path)
                return
            fd = self._files.open(self._path, os.O_RDWR | os.O_CREAT)
            try:
                self._resize(fd, self._files.size(fd))
            finally:
                self._files.close(fd)

    @contextmanager
    def given_back(self) -> Iterator[None]:
        """Its space belongs to what is done meanwhile; `fill` it again afterwards."""
        with self.lock:
            self._files.unlink(self._path)
            yield

    def _resize(self, fd: int, held: int) -> None:
        if held > self._size:
            self._files.truncate(fd, self._size)
        elif held < self._size:
            try:
                fill(self._files, fd, held, self._size)
                self._files.fsync(fd)
            except BaseException:
                with suppress(OSError):
                    self._files.truncate(fd, held)
                raise
