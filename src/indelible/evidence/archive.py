"""A zip file whose bytes follow from its members alone, with their SHA-256 in the last one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from types import TracebackType
from typing import IO, Protocol
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from indelible.evidence.case import SUMS

_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say: the moments that matter are in the members


class Sink(Protocol):
    def __call__(self, data: bytes, /) -> None: ...


class Archive:
    """Members are written one after the other; at the end come the sums, unless something was raised. Raises OSError."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = ZipFile(file, "w", ZIP_DEFLATED)
        self._sums: list[str] = []

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            with self._zip.open(_info(SUMS), "w") as member:
                member.write("".join(self._sums).encode())
        self._zip.close()

    def add(self, name: str, data: bytes) -> None:
        with self.member(name) as write:
            write(data)

    @contextmanager
    def member(self, name: str) -> Iterator[Sink]:
        """What it gives takes the member's bytes in pieces."""
        digest = sha256()
        with self._zip.open(_info(name), "w", force_zip64=True) as member:

            def write(data: bytes, /) -> None:
                digest.update(data)
                member.write(data)

            yield write
        self._sums.append(f"{digest.hexdigest()}  {name}\n")


def _info(name: str) -> ZipInfo:
    info = ZipInfo(name, _NO_TIME)
    info.compress_type, info.create_system, info.external_attr = ZIP_DEFLATED, 3, 0o100644 << 16  # the same on every system
    return info
