"""A zip file from outside: its members as their sums say, and whatever zipfile raises as an error of ours."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import IO
from zipfile import BadZipFile, ZipFile

from indelible.errors import Malformed, Unproven
from indelible.evidence.case import SUMS
from indelible.tree.text import shown

MOST_BYTES = 64 << 20  # of a member that is read at once
MOST_LINE = 256 << 20
_CHUNK = 1 << 20
_FOREIGN = (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)


class Members:
    """Open until `close`. Reading raises Unproven for a member that is missing or not what its sum says, Malformed for no zip."""

    def __init__(self, path: Path) -> None:
        with _ours(path.name):
            self._zip = ZipFile(path)
            names = self._zip.namelist()
        self.names = set(names)
        twice = next((name for name in names if names.count(name) > 1), None) if len(self.names) < len(names) else None
        if twice is not None:
            raise Unproven(f"{shown(twice)} is in the file twice: programs differ in which one they show")

    def __enter__(self) -> Members:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._zip.close()

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
