"""The start: every file of the chain is read, and what is not known to be durable is written anew and synced before anyone folds it.

Reading back proves nothing, the page cache shows what the disk may lack. So frames past the last known-durable mark move to a new
file; a crash at any step leaves the old files as they were, or the new file whole. What is in no frame is copied before it is dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from indelible.journal.aside import Torn, keep
from indelible.journal.closed import CLOSED, ends, marked, missed, read_mark, remove_mark
from indelible.journal.directory import Manifest, damaged, file_name, file_number, new_manifest, read_manifest, write_manifest
from indelible.journal.files import FULL, Files, create, cut, sync_directory
from indelible.journal.frame import After, Broken, Found, encode, opening, seed
from indelible.journal.port import Dropped, Frame, Position
from indelible.journal.scan import CHUNK, Tape

Progress = Callable[[int, int], None]
"""Called with the bytes read so far and the bytes to read."""


class Span(NamedTuple):
    """A file of the chain and the position of its first frame (or of the next one, where it holds none)."""

    number: int
    position: Position


class Tip(NamedTuple):
    """Where appending goes on: the current file, and what its next frame must name."""

    number: int
    fd: int
    offset: int
    position: Position  # of the next frame
    prev: str
    after: After | None  # what the file's first frame names
    padded: bool  # False where the disk had no room for the zeros


class Chain(NamedTuple):
    """What the start leaves behind. `spans` are oldest first, the last one is the tip's; `closed`: the end mark says where it ends."""

    id: str
    spans: list[Span]
    tip: Tip
    closed: bool
    dropped: list[Dropped]


class _Link(NamedTuple):
    """A file whose first frame holds."""

    number: int
    path: Path
    size: int
    head: Found
    position: Position


class _Tail(NamedTuple):
    """What the new file `number` shall hold: `frames`, the first one at `position`, behind `after`; `torn` is in none of them."""

    number: int
    position: Position
    after: After | None
    frames: list[Frame]
    torn: Torn | None


def recover(files: Files, directory: Path, file_size: int, progress: Progress) -> Chain:
    """Read the journal in `directory` and make all of it durable; an empty directory becomes a journal.

    The new file has zeros up to `file_size`; on a full disk it has none, and with 0 none are tried.
    Raises Damaged if a frame that was acknowledged does not hold, OSError if there is no room for the new file or for what is dropped,
    or the disk fails: the next start then finds no less than this one found.
    """
    mark = read_mark(directory)
    manifest = read_manifest(directory) or _found(files, directory)
    first = file_number(manifest.first) or 1
    links, stray = _links(files, directory, _tidy(files, directory, first, mark), mark)
    _verify_closed(files, links, progress)
    tail = _read_tail(files, links, mark, progress) if links else _Tail(1, Position(0), None, [], None)
    dropped = [keep(files, directory.parent, torn) for torn in (tail.torn, stray) if torn]
    closed = mark is not None and mark == tail.after and not tail.frames
    if mark and not closed:
        remove_mark(files, directory)  # the journal goes on behind it
    tip = _renew(files, directory, file_size, tail)
    kept = [Span(link.number, link.position) for link in links if link.number < tip.number]
    return Chain(manifest.id, [*kept, Span(tip.number, tail.position)], tip, closed, dropped)


def _found(files: Files, directory: Path) -> Manifest:
    """A new journal. Its first file stands before journal.json does, so that a missing file is always damage."""
    for name in files.names(directory):
        if name == CLOSED or ((number := file_number(name)) and (number > 1 or _written(files, directory / name))):
            raise damaged(directory / "journal.json", 0, f"it is missing, though {name} is there")
    files.close(create(files, directory / file_name(1), b"", 0))
    sync_directory(files, directory)
    manifest = new_manifest()
    write_manifest(files, directory, manifest)
    return manifest


def _written(files: Files, path: Path) -> int:
    with Tape(files, path) as tape:
        return tape.written()


def _tidy(files: Files, directory: Path, first: int, mark: After | None) -> list[int]:
    """The chain's file numbers, none missing; what an earlier start, rotation or trimming left half done is removed."""
    sync_directory(files, directory)  # a killed process may have moved `first`: its name must hold before older files go
    names = files.names(directory)
    numbers = sorted(number for name in names if (number := file_number(name)))
    for number in range(first, max([first, marked(mark), *numbers]) + 1):
        if number not in numbers:
            raise damaged(directory / file_name(number), 0, "the file is missing")
    for name in names:
        if name.endswith(".new") or (file_number(name) or first) < first:
            files.unlink(directory / name)
    return [number for number in numbers if number >= first]


def _head(files: Files, path: Path) -> Found | None:
    """The first frame of a file, None if it has none that belongs there."""
    with Tape(files, path, 1 << 16) as tape:
        try:
            head = tape.frame(0)
        except Broken:
            return None
    return head if head.prev == seed(path.name) and head.position is not None else None


def _links(files: Files, directory: Path, numbers: list[int], mark: After | None) -> tuple[list[_Link], Torn | None]:
    """The files that hold frames; the last one may hold none yet, the others must. And what stands in one that holds none."""
    links: list[_Link] = []
    stray = None
    for number in numbers:
        path = directory / file_name(number)
        head = _head(files, path)
        with Tape(files, path) as tape:
            if head and head.position is not None:
                links.append(_Link(number, path, tape.size(), head, Position(head.position)))
                continue
            written = tape.written()
            if number < max(numbers[-1], marked(mark) + 1) or (written and tape.largest_safe(0)) or (not links and number > 1):
                raise damaged(path, 0, "the file's first frame does not hold")
            stray = Torn(path, 0, written, "no first frame that holds") if written else None
    return links, stray


def _verify_closed(files: Files, links: list[_Link], progress: Progress) -> None:
    """Every file that another one follows holds exactly what its follower says."""
    for link, follower in pairwise(links):
        after = follower.head.after
        if after is None or after.file != link.path.name:
            raise damaged(follower.path, 0, f"its first frame follows {after.file if after else 'nothing'}, not {link.path.name}")
        end, position, checksum = 0, link.position, ""
        with Tape(files, link.path) as tape:
            try:
                for found in _watched(tape.frames(0, seed(link.path.name)), link, links, progress):
                    end, position, checksum = found.end, Position(position + found.frame.count), found.checksum
                    if end >= after.length:
                        break
            except Broken as broken:
                raise damaged(link.path, end, f"{broken}, and {follower.path.name} says that it holds {after.length} bytes") from None
        if (end, checksum, position) != (after.length, after.checksum, follower.position):
            raise damaged(link.path, end, f"it does not end as {follower.path.name} says")


def _read_tail(files: Files, links: list[_Link], mark: After | None, progress: Progress) -> _Tail:
    """What the last file holds past its known-durable mark, which its own frames tell, also those behind the first bad byte, or `mark`."""
    link = links[-1]
    name = link.path.name
    unproven: deque[Found] = deque()
    last, position, after, torn = link.head, link.position, None, None
    with Tape(files, link.path) as tape:
        try:
            for last in _watched(tape.frames(0, seed(name)), link, links, progress):
                unproven.append(last)
                durable = last.end if ends(mark, name, last.end, last.checksum) else last.safe
                while unproven and unproven[0].end <= durable:
                    proven = unproven.popleft()
                    position = Position(position + proven.frame.count)
                    after = After(name, proven.end, proven.checksum)
        except Broken as broken:
            end, written = last.end, tape.written()
            if written > end and tape.largest_safe(end) > end:
                raise damaged(link.path, end, f"{broken}, and what stood there was durable") from None
            if reason := missed(mark, name, end, last.checksum, str(broken)):
                raise damaged(link.path, end, reason) from None
            torn = Torn(link.path, end, written, str(broken)) if written > end else None
    frames = [found.frame for found in unproven]
    if after is None:
        return _Tail(link.number, position, link.head.after, frames, torn)  # nothing of it is proven: its successor takes its name
    return _Tail(link.number + 1, position, after, frames, torn)


def _renew(files: Files, directory: Path, file_size: int, tail: _Tail) -> Tip:
    """The new current file, durable under its name before this returns; only then does the one before it lose its padding."""
    path = directory / file_name(tail.number)
    parts: list[bytes] = []
    prev, position = seed(path.name), tail.position
    for frame in tail.frames:
        line, prev = encode(frame, prev, 0, "" if parts else opening(position, tail.after))
        parts += (line, frame.text)
        position = Position(position + frame.count)
    content = b"".join(parts)
    fd, padded = _created(files, path.with_suffix(".new"), content, file_size)
    try:
        files.rename(path.with_suffix(".new"), path)
        sync_directory(files, directory)
        files.unlink(directory / file_name(tail.number + 1))  # one without frames, if the power went just after a rotation
        if tail.after:
            cut(files, directory / tail.after.file, tail.after.length)
    except BaseException:
        files.close(fd)
        raise
    return Tip(tail.number, fd, len(content), position, prev, tail.after, padded)


def _created(files: Files, path: Path, content: bytes, file_size: int) -> tuple[int, bool]:
    """The descriptor, and whether zeros stand behind the content: what was stored can be read on a disk that takes nothing more."""
    if file_size:
        try:
            return create(files, path, content, file_size), True
        except OSError as error:
            if error.errno not in FULL:
                raise
    return create(files, path, content, 0), False


def _watched(frames: Iterator[Found], link: _Link, links: list[_Link], progress: Progress) -> Iterator[Found]:
    """`frames` of `link`, telling how far the whole reading is about every MiB."""
    before = sum(other.size for other in links if other.number < link.number)
    total = sum(other.size for other in links)
    told = 0
    for found in frames:
        if found.end - told >= CHUNK:
            told = found.end
            progress(before + told, total)
        yield found
