"""A zip file from outside: its members as their sums say, and whatever zipfile raises as an error of ours."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from indelible.errors import Malformed, Unproven
from indelible.evidence.case import SUMS
from indelible.tree.text import shown

MOST_BYTES = 64 << 20  # of a member that is read at once
MOST_LINE = 256 << 20
_CHUNK = 1 << 20
_HEAD = 30  # bytes before a member's name; the last four of them are the lengths of that and of what follows it
_LATER = 8  # the flag of a member whose length stands behind it
_FOREIGN = (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)


class Members:
    """Open until `close`. Reading raises Unproven for a member that is missing or not what its sum says, Malformed for no zip."""

    def __init__(self, path: Path) -> None:
        with _ours(path.name):
            self._zip = ZipFile(path)
            names = self._zip.namelist()
            self._confirm_layout(path)
        self.names = set(names)
        if len(self.names) < len(names):
            ((twice, _),) = Counter(names).most_common(1)
            raise Unproven(f"{shown(twice)} is in the file twice: programs differ in which one they show")

    def __enter__(self) -> Members:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._zip.close()

    def _confirm_layout(self, path: Path) -> None:
        """Raises Unproven for bytes that are of no member: some programs read those, and show a member that the list at the end has not."""
        end = 0
        with path.open("rb") as file:
            for info in sorted(self._zip.infolist(), key=lambda info: info.header_offset):
                if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or info.flag_bits & _LATER:
                    raise Malformed(f"{shown(info.filename)} is packed in another way than in an evidence file")
                if info.header_offset != end:
                    break
                file.seek(end)
                lengths = file.read(_HEAD)[-4:]
                end += _HEAD + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little") + info.compress_size
            if end != self._zip.start_dir or self._zip.comment:
                raise Unproven(f"{path.name} has bytes at {end} that are of no member: programs differ in what they show")

    def confirm(self) -> None:
        """Hold every member against SHA256SUMS. Raises Unproven for the first that is not what it says, or not in it."""
        sums: dict[str, str] = {}
        for number, line in enumerate(self.lines(SUMS), 1):
            told, gap, name = line.decode(errors="replace").partition("  ")
            if not gap or name in sums:
                raise Malformed(f"{SUMS}, line {number}: a sum, two spaces and a name that stands nowhere else belong there")
            sums[name] = told
        for name in sorted(self.names - {SUMS}):
            if name not in sums:
                raise Unproven(f"{shown(name)} is not in {SUMS}")
            digest = sha256()
            with self._opened(name) as member:
                while piece := member.read(_CHUNK):
                    digest.update(piece)
            if digest.hexdigest() != sums.pop(name):
                raise Unproven(f"{name} is not what {SUMS} says: it was changed after the file was made")
        for name in sums:
            raise Unproven(f"{shown(name)} is in {SUMS} and not in the file")

    def read(self, name: str) -> bytes:
        with self._opened(name) as member:
            data = member.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise Malformed(f"{name} has more than {MOST_BYTES:,} bytes")
        return data

    def lines(self, name: str) -> Iterator[bytes]:
        """Without their LF, which each has."""
        with self._opened(name) as member:
            while line := member.readline(MOST_LINE):
                if not line.endswith(b"\n"):
                    raise Malformed(f"{name} has a line without an end")
                yield line[:-1]

    def pieces(self, name: str) -> Iterator[bytes]:
        with self._opened(name) as member:
            while piece := member.read(_CHUNK):
                yield piece

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        if name not in self.names:
            raise Unproven(f"{name} is missing")
        with _ours(name), self._zip.open(name) as member:
            yield member


@contextmanager
def _ours(name: str) -> Iterator[None]:
    try:
        yield
    except _FOREIGN as error:
        raise Malformed(f"{name} cannot be read: {error}") from None


@contextmanager
def at(place: str) -> Iterator[None]:
    """What is raised inside as Unproven says where."""
    try:
        yield
    except Unproven as error:
        raise type(error)(f"{place}: {error.detail}") from None
