"""Reading durable frames, in this process or another, while the journal grows."""

from __future__ import annotations

import os
import shlex
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

from indelible.errors import Damaged
from indelible.journal.directory import damaged, file_name, file_number, read_manifest, unreadable
from indelible.journal.files import Files
from indelible.journal.frame import After, Broken, seed
from indelible.journal.port import Place, Placed, Position
from indelible.journal.scan import Tape

OPEN_FILES = 8


class FileReader:
    """Reads the journal in `directory` by positioned reads alone; needs no lock and shares nothing with the writer."""

    def __init__(self, files: Files, directory: Path) -> None:
        self._files = files
        self._directory = directory
        self._open: OrderedDict[int, _Descriptor] = OrderedDict()
        self._lock = Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return FileReader, (self._files, self._directory)

    def frames(self, start: Place, stop: Position) -> Iterator[Placed]:
        """The frames from `start` up to the position `stop`, in order, each one whole. Raises Damaged with file and offset."""
        place = start
        position, unit, offset = start
        prev = None if offset else seed(file_name(unit))
        while position < stop:
            after = self._follower(unit)
            if after and offset > after.length:
                raise damaged(self._path(unit), offset, f"no frame begins here, the file ends at byte {after.length}")
            with self._tape(unit) as tape:
                try:
                    while position < stop and not (after and offset == after.length):
                        found = tape.frame(offset)
                        if prev is not None and found.prev != prev:
                            raise Broken("the frame names another one before it")
                        position, offset, prev = Position(position + found.frame.count), found.end, found.checksum
                        after_it = Place(position, unit, offset)
                        yield Placed(place, found.text, found.frame, after_it)
                        place = after_it
                except Broken as broken:
                    after = self._follower(unit)  # it may have been written while we read
                    if not after or after.length != offset:
                        raise damaged(tape.path, offset, str(broken)) from None
            if position < stop:
                unit, offset, prev = unit + 1, 0, seed(file_name(unit + 1))
                place = Place(position, unit, offset)

    def text(self, unit: int, offset: int, length: int) -> bytes:
        """`length` bytes at `offset` of file `unit`. Raises Damaged if they are gone."""
        descriptor = self._descriptor(unit)
        try:
            text = self._files.pread(descriptor.fd, length, offset)
        except OSError as error:
            raise unreadable(self._path(unit), offset, error) from error
        if len(text) != length:
            raise damaged(self._path(unit), offset + len(text), "the file ends inside the event")
        return text

    def damaged(self, place: Place, reason: str) -> Damaged:
        """The error for the frame at `place`: whole, but wrong for this `reason`."""
        return damaged(self._path(place.unit), place.offset, reason)

    def _path(self, unit: int) -> Path:
        return self._directory / file_name(unit)

    def _follower(self, unit: int) -> After | None:
        """What the file after `unit` says about it; None while there is no such file or it has no frame yet."""
        try:
            with Tape(self._files, self._path(unit + 1), 1 << 16) as tape:
                return tape.frame(0).after
        except (FileNotFoundError, Broken):
            return None
        except OSError as error:
            raise unreadable(self._path(unit + 1), 0, error) from error

    def _tape(self, unit: int) -> Tape:
        try:
            return Tape(self._files, self._path(unit))
        except FileNotFoundError:
            raise self._gone(unit) from None
        except OSError as error:
            raise unreadable(self._path(unit), 0, error) from error

    def _gone(self, unit: int) -> Damaged:
        manifest = read_manifest(self._directory)
        if manifest and unit < (file_number(manifest.first) or 1):
            data = shlex.quote(str(self._directory.parent))
            begins = f"the journal begins with {manifest.first}"
            return Damaged(f"{self._path(unit)} was trimmed, {begins}: start again with `indelible serve --data {data}`")
        return damaged(self._path(unit), 0, "the file is missing")

    def _descriptor(self, unit: int) -> _Descriptor:
        with self._lock:
            descriptor = self._open.pop(unit, None)
            if descriptor is None or os.fstat(descriptor.fd).st_nlink == 0:  # trimmed: hold on to it no longer
                descriptor = _Descriptor(self._files, self._open_file(unit))
            self._open[unit] = descriptor
            if len(self._open) > OPEN_FILES:
                self._open.popitem(last=False)
            return descriptor

    def _open_file(self, unit: int) -> int:
        try:
            return self._files.open(self._path(unit), os.O_RDONLY)
        except FileNotFoundError:
            raise self._gone(unit) from None
        except OSError as error:
            raise unreadable(self._path(unit), 0, error) from error


class _Descriptor:
    """Closed when the last thread that reads from it lets go."""

    def __init__(self, files: Files, fd: int) -> None:
        self.fd = fd
        self._files = files

    def __del__(self) -> None:
        self._files.close(self.fd)
