"""One journal file read for all that is whole in it, whatever lies around that."""

from __future__ import annotations

from collections.abc import Iterator

from indelible.journal.frame import MAGIC, Broken, Found
from indelible.journal.scan import Tape

PAGE = 4096  # bytes that are lost with one that the disk does not give


class Salvage(Tape):
    """Frames whose own checksum holds, also behind damage. What the disk does not give reads as zeros."""

    def whole(self) -> Iterator[Found]:
        """Every whole frame from the file's beginning on, in the order of the bytes; none of them overlap."""
        start: int | None = 0
        while start is not None:
            try:
                found = self.frame(start)
            except Broken:
                start = self._next(start + 1)
            else:
                yield found
                start = found.end

    def _next(self, start: int) -> int | None:
        """Where, from byte `start` on, a frame may begin: at a line start, or behind zeros that may have taken the LF along."""
        while True:
            behind = start - 1
            buffer = self._read(behind, self._chunk)
            at = buffer.find(MAGIC, 1)
            while at >= 0:
                if buffer[at - 1] in b"\n\0":
                    return behind + at
                at = buffer.find(MAGIC, at + 1)
            if len(buffer) < self._chunk:
                return None
            start += len(buffer) - len(MAGIC)  # a frame may begin across two chunks

    def _read(self, start: int, length: int) -> bytes:
        length = max(0, min(length, self.size() - start))
        try:
            self._buffer = self._all(start, length)
        except OSError:
            self._buffer = b"".join(self._page(at, min(start + length, at + PAGE - at % PAGE)) for at in _steps(start, start + length))
        self._base = start
        return self._buffer

    def _page(self, start: int, stop: int) -> bytes:
        try:
            return self._all(start, stop - start).ljust(stop - start, b"\0")
        except OSError:
            return bytes(stop - start)


def _steps(start: int, stop: int) -> Iterator[int]:
    """`start`, and the beginning of each page behind it."""
    yield from (start, *range(start + PAGE - start % PAGE, stop, PAGE))
