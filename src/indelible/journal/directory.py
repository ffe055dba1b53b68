"""The names in a data directory: the journal's files, journal.json, the lock, and what a repair leaves."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import shlex
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from indelible.errors import Damaged, InUse, Misconfigured
from indelible.journal.files import Files, replace
from indelible.journal.port import Place, Usage

FORMAT = 1
LAYOUT = 1
JOURNAL = "journal"
REPAIRED = "journal.repaired"  # a whole new journal, durable, that is about to take the name of the old one
SET_ASIDE = "damaged"


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
    """The error for byte `offset` of a journal file; names the commands that help."""
    data = path.parent.parent
    return Damaged(
        f"{path} is damaged at byte {offset}: {reason}. Nothing was changed; `indelible repair --data {shlex.quote(str(data))}` shows what "
        f"can be kept, {reading(data)} shows what comes before it"
    )


def reading(data: Path) -> str:
    """The command that answers questions whatever the directory is like."""
    return f"`indelible serve --read-only --data {shlex.quote(str(data))}`"


def unreadable(path: Path, offset: int, error: OSError) -> Damaged:
    """The error for bytes that the disk does not give: it may have lost them, or this process may not have them."""
    if error.errno == errno.EIO:
        return damaged(path, offset, f"the disk cannot be read ({error.strerror})")
    data = shlex.quote(str(path.parent.parent))
    reason = f"{path} cannot be read at byte {offset}: {error.strerror}"
    return Damaged(f"{reason}. Nothing was changed; once this process may read it, start again with `indelible serve --data {data}`")


def interrupted(data: Path) -> Damaged | None:
    """The error for a data directory in which a repair was killed between its last two steps."""
    if (data / JOURNAL).exists() or not (data / REPAIRED).exists():
        return None
    return Damaged(f"a repair of {data} was interrupted: `indelible repair --data {shlex.quote(str(data))} --yes` finishes it")


def check(data: Path) -> None:
    """Raises what keeps a start from `data`, before a byte of it is changed: Misconfigured for another version, Damaged."""
    check_layout(data)
    if (data / JOURNAL).is_dir():
        read_manifest(data / JOURNAL)
    if stopped := interrupted(data):
        raise stopped


def check_there(data: Path) -> None:
    """Raises Misconfigured where there is no data directory."""
    if not data.is_dir():
        raise Misconfigured(f"there is no data directory {data}: name the one that `indelible serve` used with --data")


def check_layout(data: Path) -> None:
    """Raises Misconfigured for a data directory that a newer version laid out.

    Layout 1 has no layout.json: a version that lays out anything else leaves one.
    """
    path = data / "layout.json"
    try:
        number = msgspec.json.decode(path.read_bytes())["layout"]
    except (FileNotFoundError, NotADirectoryError):
        return
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError):
        number = "unknown"
    if number != LAYOUT:
        raise Misconfigured(f"{path} says layout {number}, {_other_version('layout', LAYOUT)}")


def _other_version(what: str, ours: int) -> str:
    return f"this version reads {what} {ours}: use the version that wrote it, or another --data"


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
            raise Misconfigured(f"{path} has format {number}, {_other_version('format', FORMAT)}")
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError):
        raise damaged(path, 0, "it is not the JSON that was written") from None
    if file_number(manifest.first) is None:
        raise damaged(path, 0, f"`first` is {manifest.first!r}, which names no journal file")
    return manifest


def write_manifest(files: Files, directory: Path, manifest: Manifest) -> None:
    """Replace journal.json, durably (files.replace)."""
    replace(files, directory / "journal.json", msgspec.json.encode(manifest) + b"\n")


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
        raise InUse(f"{data} is in use by {_described(holder)}, or choose another --data") from None
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = json.dumps({"pid": os.getpid(), "command": " ".join(sys.argv)[:1000], "started": started})
    with suppress(OSError):  # only told to whoever comes second: a full disk stops no start here
        os.ftruncate(fd, 0)
        os.pwrite(fd, line.encode() + b"\n", 0)
    return fd


def _described(holder: bytes) -> str:
    try:
        told = json.loads(holder)
        return f"process {told['pid']} (`{told['command']}`, since {told['started']}): end it with `kill {told['pid']:d}`"
    except (ValueError, TypeError, KeyError):
        return "another process: end it first"


def usage(files: Files, directory: Path, end: Place, step: int) -> Usage:
    """What the journal up to `end` takes, without padding. Raises OSError."""
    held = end.offset
    for name in files.names(directory):
        if (file_number(name) or end.unit) < end.unit:
            held += os.stat(directory / name).st_size
    disk = os.statvfs(directory)
    return Usage(held, disk.f_bavail * disk.f_frsize, step)
