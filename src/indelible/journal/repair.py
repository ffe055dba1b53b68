"""`indelible repair`, the journal's part: the damaged journal is set aside, all that is whole goes into a new one, nothing is deleted."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from indelible.errors import Damaged, JournalFailed, JournalFull, Misconfigured
from indelible.journal.directory import JOURNAL, check_layout, check_there, interrupted, read_manifest, take_lock
from indelible.journal.files import FULL, Files
from indelible.journal.port import Frame
from indelible.journal.rebuild import Rebuild, finish
from indelible.journal.recovery import Progress
from indelible.journal.survey import Check, Run, Survey, frames, survey
from indelible.model.damage import Gap, Repair

_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})

Fill = Callable[[Rebuild, Survey, Iterable[Frame | Gap]], None]
"""Writes the frames, and what it makes of the gaps, into the new chain, in their order."""


class _Note(Struct):
    """What note.json says beside a journal that was set aside."""

    found: list[dict[str, object]]
    frames: int
    events: int


def repair_journal(
    data: Path,
    check: Check,
    fill: Fill,
    *,
    write: bool,
    file_size: int,
    files: Files | None = None,
    progress: Progress = lambda done, total: None,
) -> Repair:
    """Look at the journal of `data` and, with `write` and if it is damaged, make a new one of all that is whole.

    Raises InUse if another process holds `data`, Misconfigured for no journal or one of another version, JournalFull or JournalFailed for
    a disk that does not take the new one, OSError for a directory that this process may not use. After any error, and after a kill, the
    next repair does all that this one would have done.
    """
    files = files or Files()
    check_layout(data)
    check_there(data)
    with suppress(Damaged):
        read_manifest(data / JOURNAL)  # a format that is not ours is refused before anything is written
    lock = take_lock(data)
    try:
        stopped = interrupted(data)
        if stopped and not write:
            raise stopped
        if stopped:
            finish(files, data)
        if not (data / JOURNAL).is_dir():
            raise Misconfigured(f"there is no journal in {data}: name the directory that `indelible serve` used with --data")
        seen = survey(files, data / JOURNAL, check, progress)
        aside = _mended(files, data, seen, fill, file_size) if write and seen.gaps else None
        return Repair(seen.gaps, seen.frames, seen.events, aside, stopped is not None)
    except OSError as error:
        if error.errno in _FORBIDDEN:
            raise
        if error.errno in FULL:
            raise JournalFull(f"{data} has no room for what is whole: make space and repair again; nothing was changed") from error
        raise JournalFailed(f"{data} could not be repaired ({error}): repair again") from error
    finally:
        os.close(lock)


def _mended(files: Files, data: Path, seen: Survey, fill: Fill, file_size: int) -> Path:
    """Where the old journal is, once the new one is durable in its place."""
    note = _Note(
        [{"file": gap.file, "from": gap.start, "to": gap.stop, "lost": gap.lost, "reason": gap.reason} for gap in seen.gaps],
        seen.frames,
        seen.events,
    )
    built = Rebuild(files, data, seen, file_size)
    try:
        fill(built, seen, _pieces(files, seen.pieces))
        return built.publish(time.gmtime(), note)
    except Exception:
        built.abandon()
        raise


def _pieces(files: Files, pieces: Iterable[Run | Gap]) -> Iterator[Frame | Gap]:
    for piece in pieces:
        if isinstance(piece, Run):
            yield from frames(files, piece)
        else:
            yield piece
