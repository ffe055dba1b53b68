"""The end mark: a clean stop leaves it beside the journal's files, and it says up to where all was durable.

It is removed, durably, before the next frame is written: so whoever reads it before the files finds at least what it names, or damage.
A journal that goes on behind it was put back or written by something that knows no mark; then it says nothing.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from indelible.journal.directory import damaged, file_number
from indelible.journal.files import Files, replace, sync_directory
from indelible.journal.frame import After

CLOSED = "closed"


def read_mark(directory: Path) -> After | None:
    """The last file with frames, its length and the checksum of its last frame, as a clean stop left them; None if there is no mark.

    Raises Damaged if it cannot be read.
    """
    path = directory / CLOSED
    try:
        mark = msgspec.json.decode(path.read_bytes(), type=After)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, ValueError):
        raise damaged(path, 0, "it is not the JSON that was written") from None
    if file_number(mark.file) is None:
        raise damaged(path, 0, f"`file` is {mark.file!r}, which names no journal file")
    return mark


def write_mark(files: Files, directory: Path, mark: After) -> None:
    """Durable once this returns. Everything before it must be: a mark that is seen is a promise, whether it was synced or not."""
    replace(files, directory / CLOSED, msgspec.json.encode(mark) + b"\n")


def remove_mark(files: Files, directory: Path) -> None:
    """It does not come back after a power cut once this returns."""
    files.unlink(directory / CLOSED)
    sync_directory(files, directory)


def marked(mark: After | None) -> int:
    """The number of the file that the mark names; 0 if there is none."""
    return (file_number(mark.file) or 0) if mark else 0


def ends(mark: After | None, file: str, end: int, checksum: str) -> bool:
    """Whether byte `end` of `file`, behind a frame with this checksum, is where the mark says that all was durable."""
    return mark == After(file, end, checksum)


def missed(mark: After | None, file: str, end: int, checksum: str, why: str) -> str:
    """How a file is not what was closed, in a few words; `why` no frame stands at `end`, behind one with this checksum.

    Empty if it is, and where the mark says nothing about it: it names another file, or the frames go on behind it.
    """
    if mark is None or mark.file != file or end > mark.length or ends(mark, file, end, checksum):
        return ""
    return f"{why}, and it held {mark.length} bytes when it was closed" if end < mark.length else f"it does not end as {CLOSED} says"
