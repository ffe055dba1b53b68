"""What is set aside: a folder below damaged/ in the data directory for each time, with a note, durable before anything is changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct
from msgspec.json import encode, format
from msgspec.structs import asdict

from indelible import __version__
from indelible.journal.directory import SET_ASIDE
from indelible.journal.files import Files, create, sync_directory, write_all
from indelible.journal.port import Dropped

NOTE = "note.json"
_CHUNK = 1 << 20


class Torn(NamedTuple):
    """Bytes [start, stop) of a journal file that are in no frame that counts; the last one is not zero."""

    path: Path
    start: int
    stop: int
    reason: str


class _Note(Struct):
    """What note.json says beside what a start dropped."""

    dropped: list[dict[str, object]]


def set_aside(files: Files, data: Path, now: time.struct_time, found: Struct) -> Path:
    """A new folder, named after the time in UTC, that holds a note of what was found; durable."""
    made = _folder(files, data, now)
    _note(files, made, now, found)
    return made


def _folder(files: Files, data: Path, now: time.struct_time) -> Path:
    when = time.strftime("%Y%m%dT%H%M%SZ", now)
    above = data / SET_ASIDE
    if not above.exists():
        files.mkdir(above)
        sync_directory(files, data)
    names = (when, *(f"{when}-{count}" for count in range(2, 1000)))
    made = next(above / name for name in names if not (above / name).exists())
    files.mkdir(made)
    sync_directory(files, above)
    return made


def _note(files: Files, folder: Path, now: time.struct_time, found: Struct) -> None:
    """note.json in it, durable with all that is there by now."""
    note = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", now), "version": __version__, **asdict(found)}
    files.close(create(files, folder / NOTE, format(encode(note)) + b"\n", 0))
    sync_directory(files, folder)


def keep(files: Files, data: Path, torn: Torn) -> Dropped:
    """Copy what a start is about to drop, durably; the copy of an earlier start that came no further is taken.

    Raises OSError: then no half a copy is left, as far as the disk lets go of it.
    """
    path, start, stop, reason = torn
    name = f"{path.name}.{start}-{stop}"
    copies = sorted(each for each in (data / SET_ASIDE).glob(f"*/{name}") if (each.parent / NOTE).exists())
    copy = next((each for each in copies if _same(files, each, torn)), None)
    if copy:
        for synced in (copy, copy.parent / NOTE, copy.parent, copy.parent.parent, data):  # reading it back proves nothing
            fd = files.open(synced, os.O_RDONLY)
            try:
                files.fsync(fd)
            finally:
                files.close(fd)
        return Dropped(path.name, start, stop, copy)
    now = time.gmtime()
    made = _folder(files, data, now)
    try:
        _copy(files, torn, made / name)
        _note(files, made, now, _Note([{"file": path.name, "from": start, "to": stop, "reason": reason}]))
    except OSError:
        with suppress(OSError):
            for left in files.names(made):
                files.unlink(made / left)
            files.rmdir(made)
        raise
    return Dropped(path.name, start, stop, made / name)


def _copy(files: Files, torn: Torn, to: Path) -> None:
    fd = create(files, to, b"", 0)
    try:
        offset = 0
        for part in _parts(files, torn.path, torn.start, torn.stop):
            write_all(files, fd, part, offset)
            offset += len(part)
        files.fsync(fd)
    finally:
        files.close(fd)


def _same(files: Files, copy: Path, torn: Torn) -> bool:
    length = torn.stop - torn.start
    if copy.stat().st_size != length:
        return False
    return all(
        one == other for one, other in zip(_parts(files, copy, 0, length), _parts(files, torn.path, torn.start, torn.stop), strict=True)
    )


def _parts(files: Files, path: Path, start: int, stop: int) -> Iterator[bytes]:
    """Bytes [start, stop) of a file."""
    fd = files.open(path, os.O_RDONLY)
    try:
        while start < stop and (part := files.pread(fd, min(_CHUNK, stop - start), start)):
            yield part
            start += len(part)
    finally:
        files.close(fd)
