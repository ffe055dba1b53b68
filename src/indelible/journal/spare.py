"""The next journal file, zero-filled and synced ahead by a thread; the reserve is filled before it."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event

from indelible.journal.files import Files, create
from indelible.journal.reserve import Reserve

_PAUSE = 0.005  # s after each MiB: written at once, the zeros keep the syncs of others waiting for 20 to 50 ms


class Spare:
    """One file `spare.new`, ready before it is needed where the disk has room; made at leisure until somebody waits for it."""

    def __init__(self, files: Files, directory: Path, size: int, reserve: Reserve) -> None:
        self.path = directory / "spare.new"
        self._files = files
        self._size = size
        self._reserve = reserve
        self._awaited = Event()
        self._thread = ThreadPoolExecutor(1, "journal-spare")
        self._making: Future[int] = self._thread.submit(self._make)

    def take(self, name: Path) -> int:
        """Give the spare the name `name` and return its descriptor; the name is not synced. `begin` makes the next one.

        Waits for the thread. Raises OSError if there is no spare and none can be made, or it cannot be renamed: then nothing has changed,
        and the next call tries again.
        """
        self._awaited.set()
        if self._making.exception():
            self._making = self._thread.submit(self._make)  # the disk that was full then may have room now
        fd = self._making.result()
        self._files.rename(self.path, name)
        return fd

    def begin(self) -> None:
        """Make the next spare, after one was taken."""
        self._awaited.clear()
        self._making = self._thread.submit(self._make)

    def refill(self) -> None:
        """Fill the reserve soon; where there is no room for it, the making of the next spare tries again."""
        self._thread.submit(self._reserve.fill)

    def close(self) -> None:
        self._awaited.set()
        self._thread.shutdown()
        with suppress(OSError):
            self._files.close(self._making.result())
            self._files.unlink(self.path)

    def _make(self) -> int:
        with self._reserve.lock:
            self._reserve.fill()
            return create(self._files, self.path, b"", self._size, lambda: self._awaited.wait(_PAUSE))
