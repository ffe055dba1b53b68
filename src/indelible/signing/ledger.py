"""The checkpoints that were signed, of all logs, in one append-only file (docs/format.md, "Signed checkpoints")."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder, encode
from xxhash import xxh3_128_hexdigest

from indelible.errors import Damaged, JournalFailed, JournalFull, Malformed
from indelible.journal.files import FULL, Files, create, sync_directory, write_all
from indelible.signing.notes import Notes, Sealed
from indelible.tree.checkpoint import Checkpoint, parse_checkpoint
from indelible.tree.note import parse_note

NAME = "checkpoints"
LARGEST = 4 << 20  # bytes after which the file is written anew with what still counts, if that is at most a quarter of them
_SEAL = b',"checksum":"'
_TAIL = len(_SEAL) + 32 + len(b'"}')


class _Line(Struct):
    v: Literal[1]
    notes: list[str]
    checksum: str


_DECODER = Decoder(_Line)


class Read(NamedTuple):
    """What a file of checkpoints holds; `problem` says what is wrong with it, else empty."""

    notes: Notes
    problem: str


class FileLedger:
    """The file, open for appending. What `notes` gives is durable. Used by one thread at a time."""

    def __init__(self, files: Files, directory: Path, notes: Notes) -> None:
        """Write `notes` into a new file that takes the place of an old one; on a full disk the old one stays, and the first append does it.

        Raises OSError: the old one may be there, or the new one.
        """
        self._files = files
        self._path = directory / NAME
        self._notes = notes
        self._fd: int | None = None
        self._failure = ""
        try:
            self._anew(notes)
        except OSError as error:
            if error.errno not in FULL:
                raise
            if not self._path.exists():
                raise
            self._again()

    @property
    def notes(self) -> Mapping[str, Sequence[bytes]]:
        """By origin, the newest note last, before it those that were cosigned by others than the newer ones."""
        return self._notes.by_origin()

    def append(self, notes: Sequence[tuple[Checkpoint, bytes]]) -> None:
        """Return once all of them are durable: one line, one sync.

        Raises JournalFull when none was stored, JournalFailed when the outcome is unknown: then for ever.
        """
        if self._failure:
            raise JournalFailed(self._failure)
        try:
            after = self._notes.copy()
            for checkpoint, note in notes:
                after.add(Sealed(checkpoint, note))
            line = encoded([note for _, note in notes])
            if self._length + len(line) > self._room:
                self._anew(after)
            else:
                self._add(line)
            self._notes = after
        except JournalFull:
            raise
        except Exception as error:
            self._failure = f"{self._path} could not be written ({error}): start again to find out what was"
            raise JournalFailed(self._failure) from error

    def damaged(self, reason: str) -> Damaged:
        """The error for notes that cannot be true."""
        return damaged(self._path, reason)

    def close(self) -> None:
        if self._fd is not None:
            self._files.close(self._fd)
            self._fd = None

    def _add(self, line: bytes) -> None:
        assert self._fd is not None
        try:
            write_all(self._files, self._fd, line, self._length)
        except OSError as error:
            if error.errno not in FULL:
                raise
            self._files.truncate(self._fd, self._length)
            raise JournalFull(f"{self._path} has no room: no checkpoint is signed until there is space") from error
        self._files.fdatasync(self._fd)
        self._length += len(line)

    def _again(self) -> None:
        """Write the whole lines of the old file over themselves, which takes no room, and sync them."""
        raw = self._path.read_bytes()
        self._fd, self._length = self._files.open(self._path, os.O_RDWR), raw.rfind(b"\n") + 1
        try:
            write_all(self._files, self._fd, raw[: self._length], 0)
            self._files.truncate(self._fd, self._length)
            self._files.fsync(self._fd)
        except BaseException:
            self.close()
            raise
        self._room = self._length

    def _anew(self, notes: Notes) -> None:
        line = encoded(notes.all())
        new = self._path.with_suffix(".new")
        try:
            fd = create(self._files, new, line, 0)
        except OSError as error:
            if error.errno not in FULL or self._fd is None:
                raise
            raise JournalFull(f"{self._path} cannot be written anew: no checkpoint is signed until there is space") from error
        self._files.rename(new, self._path)
        sync_directory(self._files, self._path.parent)
        self.close()
        self._fd, self._length, self._room = fd, len(line), max(LARGEST, 4 * len(line))


class ReadLedger:
    """What a file holds, for a process that only reads."""

    def __init__(self, directory: Path, notes: Notes) -> None:
        self.notes = notes.by_origin()
        self._path = directory / NAME

    def append(self, notes: Sequence[tuple[Checkpoint, bytes]]) -> None:
        """Raises JournalFailed: nobody asks this of it."""
        raise JournalFailed(f"{self._path} is open for reading only")

    def damaged(self, reason: str) -> Damaged:
        return damaged(self._path, reason)

    def close(self) -> None:
        """Nothing to let go of."""


def read_ledger(directory: Path) -> Read:
    """What the file holds: a last line that is not whole was never shown and is left out. Raises OSError, also if there is no file."""
    notes, problem = Notes(), ""
    raw = (directory / NAME).read_bytes()
    lines = raw.split(b"\n")
    whole = [decoded(line) for line in lines[:-1]]
    for number, found in enumerate(whole, 1):
        if found is None:
            problem = problem or (f"line {number} does not hold its checksum" if any(each is not None for each in whole[number:]) else "")
            continue
        for note in found:
            try:
                notes.add(Sealed(parse_checkpoint(parse_note(note).text), note))
            except (Malformed, ValueError) as error:
                problem = problem or f"line {number}: {error}"
    return Read(notes, problem or ("" if any(each is not None for each in whole) else "not one line of it is whole"))


def open_ledger(files: Files, directory: Path) -> FileLedger:
    """The ledger of a signing directory; what it holds is written anew, for reading back proves nothing of what the disk has.

    Raises Damaged for a file that is missing or cannot be true, OSError.
    """
    try:
        notes, problem = read_ledger(directory)
    except FileNotFoundError:
        raise damaged(directory / NAME, "the file is missing") from None
    if problem:
        raise damaged(directory / NAME, problem)
    return FileLedger(files, directory, notes)


def damaged(path: Path, reason: str) -> Damaged:
    return Damaged(f"{path}: {reason}. Nothing was signed; {adopting(path.parent.parent)}")


def adopting(data: Path) -> str:
    """The two commands that let a data directory sign again, and what each does."""
    adopt = f"indelible adopt --data {shlex.quote(str(data))}"
    return (
        f"`{adopt} --checkpoint FILE` goes on from the newest checkpoint that others have, `{adopt} --new-generation` begins a tree under "
        "another name"
    )


def encoded(notes: Iterable[bytes]) -> bytes:
    """A line of the file, with its LF."""
    text = b'{"v":1,"notes":%b' % encode([note.decode() for note in notes])
    return b'%b%b%b"}\n' % (text, _SEAL, xxh3_128_hexdigest(text).encode())


def decoded(line: bytes) -> list[bytes] | None:
    """The notes in a line, without its LF; None if it is not whole."""
    try:
        found = _DECODER.decode(line)
    except (MsgspecError, ValueError, RecursionError):
        return None
    if line[-_TAIL:-34] != _SEAL or found.checksum != xxh3_128_hexdigest(line[:-_TAIL]):
        return None
    return [note.encode() for note in found.notes]
