"""The names in a data directory: the journal's files, journal.json, and the lock."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from indelible.errors import Damaged, InUse, Misconfigured
from indelible.journal.files import Files, create, sync_directory

FORMAT = 1


class Manifest(Struct, frozen=True):
    """journal.json: which history this is, and the oldest file that must be there."""

    format: int
    id: str
    first: str


def file_name(number: int) -> str:
    """`number` counts the chain's files from 1."""
    return f"{number:08d}.journal"


def file_number(name: str) -> int | None:
    """The number of a journal file; None for any other name."""
    stem, _, suffix = name.partition(".")
    return int(stem) if suffix == "journal" and stem.isdecimal() and file_name(int(stem)) == name else None


def damaged(path: Path, offset: int, reason: str) -> Damaged:
    """The error for byte `offset` of a journal file; names the command that helps."""
    # TODO(repair): `indelible repair` comes with the operations issue; until then a backup is what helps.
    data = path.parent.parent
    return Damaged(
        f"{path} is damaged at byte {offset}: {reason}. Nothing was changed; `indelible repair --data {data}` shows what can be kept"
    )


def unreadable(path: Path, offset: int, error: OSError) -> Damaged:
    """The error for bytes that the disk does not give: it may have lost them, or this process may not have them."""
    if error.errno == errno.EIO:
        return damaged(path, offset, f"the disk cannot be read ({error.strerror})")
    return Damaged(f"{path} cannot be read at byte {offset}: {error.strerror}. Nothing was changed")


def read_manifest(directory: Path) -> Manifest | None:
    """journal.json of the journal's `directory`; None where there is no journal yet.

    Raises Misconfigured for a format of another version, Damaged if it cannot be read.
    """
    path = directory / "journal.json"
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        number = msgspec.json.decode(raw)["format"]
        if number != FORMAT:
            raise Misconfigured(
                f"{path} has format {number}, this version reads format {FORMAT}: use the version that wrote it, or another --data"
            )
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError):
        raise damaged(path, 0, "it is not the JSON that was written") from None
    if file_number(manifest.first) is None:
        raise damaged(path, 0, f"`first` is {manifest.first!r}, which names no journal file")
    return manifest


def write_manifest(files: Files, directory: Path, manifest: Manifest) -> None:
    """Replace journal.json: the old or the new one is there after a power cut, and the new one once this returns."""
    new = directory / "journal.json.new"
    files.close(create(files, new, msgspec.json.encode(manifest) + b"\n", 0))
    files.rename(new, directory / "journal.json")
    sync_directory(files, directory)


def new_manifest() -> Manifest:
    return Manifest(FORMAT, secrets.token_hex(16), file_name(1))


def take_lock(data: Path) -> int:
    """The descriptor that holds `data` for this process until it is closed, or the process ends in whatever way.

    Raises InUse naming the process that holds it.
    """
    fd = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(fd, 4096, 0)
        os.close(fd)
        raise InUse(f"{data} is in use by {_described(holder)}: stop it first, or choose another --data") from None
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = json.dumps({"pid": os.getpid(), "command": " ".join(sys.argv)[:1000], "started": started})
    with suppress(OSError):  # only told to whoever comes second: a full disk stops no start here
        os.ftruncate(fd, 0)
        os.pwrite(fd, line.encode() + b"\n", 0)
    return fd


def _described(holder: bytes) -> str:
    try:
        told = json.loads(holder)
        return f"process {told['pid']} (`{told['command']}`, since {told['started']})"
    except (ValueError, TypeError, KeyError):
        return "another process"
