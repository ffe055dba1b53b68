"""Entries that come newest first, kept on the disk, and given back oldest first: memory for a page, whatever their number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from tempfile import TemporaryFile
from types import TracebackType

from indelible.evidence.case import Line


class Spool:
    """A file without a name, gone with the process."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115  # the spool is the context manager
        self._pages: list[tuple[int, int]] = []  # where each begins, and its length
        self._end = 0
        self.count = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def add(self, page: Sequence[Line]) -> None:
        """A page, newest first, all of it older than what is here."""
        text = b"".join(b"%d\t%b\t%b\t%b\n" % (each.index, each.salt.encode(), each.header, each.event) for each in reversed(page))
        self._file.seek(self._end)
        self._file.write(text)
        self._pages.append((self._end, len(text)))
        self._end += len(text)
        self.count += len(page)

    def __iter__(self) -> Iterator[Line]:
        """All of them, oldest first."""
        for start, length in reversed(self._pages):
            self._file.seek(start)
            for line in self._file.read(length).split(b"\n")[:-1]:
                index, salt, header, event = line.split(b"\t", 3)  # of these only an event can hold a tab
                yield Line(int(index), header, salt.decode(), event)
