"""What a journal holds that is whole, and where it does not hold what was written. Changes nothing, and needs nothing to be in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from indelible.journal.closed import ends, missed
from indelible.journal.directory import file_name
from indelible.journal.files import Files
from indelible.journal.frame import After, Found, seed
from indelible.journal.port import Frame, Place, Position
from indelible.journal.recovery import Progress
from indelible.journal.salvage import Salvage
from indelible.journal.scan import CHUNK
from indelible.journal.standing import Chain, Standing, chain_in
from indelible.model.damage import Gap

Check = Callable[[Frame], str]
"""What is wrong with a frame whose checksum holds, in a few words; empty if nothing is."""

_NOTHING = "no frame that holds stands here"


class Run(NamedTuple):
    """Whole frames side by side: bytes [start, stop) of the file at `path`."""

    path: Path
    start: int
    stop: int


class Kept(NamedTuple):
    """A file that is as it was written, to its end: what the next one says about it, and the position behind it."""

    path: Path
    after: After
    next: Position


class Survey(NamedTuple):
    """The chain in its order: first the files `kept`, then `pieces`; damage that has no place in it comes last.

    `mark` is up to where a reader without the lock may trust the journal: durable, and before the first damage; `beyond` says whether
    anything was written behind it. `frames` and `events` are those that are whole, `logs` theirs.
    """

    id: str | None
    start: Place
    kept: list[Kept]
    pieces: list[Run | Gap]
    mark: Place
    beyond: bool
    frames: int
    events: int
    logs: set[str]

    @property
    def gaps(self) -> list[Gap]:
        return [piece for piece in self.pieces if isinstance(piece, Gap)]

    @property
    def lost(self) -> bool:
        """Whether acknowledged bytes are gone."""
        return any(gap.lost for gap in self.gaps)


def survey(files: Files, directory: Path, check: Check = lambda frame: "", progress: Progress = lambda done, total: None) -> Survey:
    """Look at every byte of the journal in `directory`. Raises Misconfigured for a format of another version, OSError without one."""
    chain = chain_in(files, directory)
    walk = _Walk(files, chain, check, progress)
    if chain.manifest is None and chain.first > 1:
        walk.gap(file_name(1), 0, 0, f"whether the files before {file_name(chain.first)} were trimmed, nobody can know")
    for number in range(chain.first, chain.last + 1):
        walk.file(number)
    pieces = [*walk.pieces, *chain.aside]
    start = Place(walk.start, chain.first, 0)
    id = chain.manifest.id if chain.manifest else None
    return Survey(id, start, walk.kept, pieces, walk.mark, walk.beyond or walk.gaps > 0, walk.frames, walk.events, walk.logs)


class _Walk:
    """Along the chain, file by file, and what was seen so far."""

    def __init__(self, files: Files, chain: Chain, check: Check, progress: Progress) -> None:
        self._files = files
        self._chain = chain
        self._check = check
        self._progress = progress
        first = chain.files.get(chain.first)
        self.start = self._position = Position(first.head.position or 0 if first and first.head else 0)
        self.mark = Place(self.start, chain.first, 0)
        self.beyond = False
        self.kept: list[Kept] = []
        self.pieces: list[Run | Gap] = []
        self.gaps = 0
        self.frames = self.events = 0
        self.logs: set[str] = set()
        self._read, self._total = 0, sum(each.path.stat().st_size for each in chain.files.values())

    def gap(self, file: str, start: int, stop: int, reason: str) -> None:
        """Acknowledged bytes are gone here, or nobody knows that they are not."""
        self.pieces.append(Gap(file, start, stop, True, reason))
        self.gaps += 1

    def file(self, number: int) -> None:
        name = file_name(number)
        standing = self._chain.files.get(number)
        if standing is None:
            if number > 1 or self._chain.manifest or self._chain.mark:
                self.gap(name, 0, 0, "the file is missing")
            return
        self._join(number, standing)
        untouched = not self.pieces
        if number == self._chain.last:
            self._last(number, standing)
        else:
            after = self._after(number)
            checksum, end = self._closed(number, standing, after.length if after else None)
            if after and (checksum, end) != (after.checksum, after.length) and not self._gap_ends(name, after.length):
                self.gap(name, min(end, after.length), after.length, f"it does not end as {file_name(number + 1)} says")
            if after and untouched and not self.gaps and standing.named:
                self.kept.append(Kept(standing.path, after, self._position))
                self.pieces.clear()
                self.mark = Place(self._position, number, after.length)
        self._read += standing.path.stat().st_size

    def _gap_ends(self, name: str, stop: int) -> bool:
        last = self.pieces[-1] if self.pieces else None
        return isinstance(last, Gap) and (last.file, last.stop) == (name, stop)

    def _join(self, number: int, standing: Standing) -> None:
        """Note it where the file's first frame does not follow what stands before it."""
        head = standing.head
        if head is None or number == self._chain.first or number - 1 not in self._chain.files:
            return
        told = head.after.file if head.after else "nothing"
        if told != file_name(number - 1):
            self.gap(file_name(number), 0, 0, f"its first frame follows {told}, not {file_name(number - 1)}")
        elif not self.gaps and head.position != self._position:
            self.gap(file_name(number), 0, 0, f"it begins at position {head.position}, not {self._position}")

    def _after(self, number: int) -> After | None:
        """What the next file says about this one."""
        follower = self._chain.files.get(number + 1)
        after = follower.head.after if follower and follower.head else None
        return after if after and after.file == file_name(number) else None

    def _closed(self, number: int, standing: Standing, length: int | None) -> tuple[str, int]:
        """A file that another one follows: the checksum of its last frame, and where that ends. `length` is the file's, if known."""
        name, end, prev = file_name(number), 0, seed(file_name(number))
        with Salvage(self._files, standing.path) as tape:
            for found in tape.whole():
                if length is not None and found.start >= length:
                    break
                if found.checksum in standing.alien:
                    continue
                self._take(name, standing, found, end, prev)
                end, prev = found.end, found.checksum
                self._trust(number, standing, end)
            stop = tape.written() if length is None else length
        if end < stop:
            self.gap(name, end, stop, _NOTHING)
        return prev, end

    def _last(self, number: int, standing: Standing) -> None:
        """The last file: behind all that is known to be durable it ends with its first bad byte, as for a start."""
        name, end, prev, mark = file_name(number), 0, seed(file_name(number)), self._chain.mark
        with Salvage(self._files, standing.path) as tape:
            durable, written = tape.largest_safe(0), tape.written()
            safe = max(durable, mark.length) if mark and mark.file == name else durable
            headless = number == self._chain.first > 1  # only a new journal's oldest file may be without a frame
            for found in tape.whole():
                if found.checksum in standing.alien:
                    continue
                if (found.start > end or found.prev != prev) and end >= safe and (end or not headless):
                    break
                self._take(name, standing, found, end, prev)
                end, prev = found.end, found.checksum
                if end <= durable or ends(mark, name, end, prev):
                    self._trust(number, standing, end)
        if end < safe:
            self.gap(name, end, max(written, safe), _NOTHING)
        elif reason := missed(mark, name, end, prev, _NOTHING):
            self.gap(name, end, end, reason)
        elif not end and headless:
            self.gap(name, 0, written, "its first frame does not hold")
        self.beyond = written > (self.mark.offset if self.mark.unit == number else 0)

    def _trust(self, number: int, standing: Standing, end: int) -> None:
        """All up to byte `end` of a file is durable: without damage before it, a reader may go so far."""
        if not self.gaps and standing.named and len(self.kept) == number - self._chain.first:
            self.mark = Place(self._position, number, end)

    def _take(self, name: str, standing: Standing, found: Found, end: int, prev: str) -> None:
        """A whole frame behind byte `end`, before which the checksum `prev` stands."""
        if found.start > end:
            self.gap(name, end, found.start, _NOTHING)
        elif found.prev != prev:
            self.gap(name, end, end, "the frame names another one before it")
        if reason := self._check(found.frame):
            self.gap(name, found.start, found.end, reason)
            return
        last = self.pieces[-1] if self.pieces else None
        if isinstance(last, Run) and (last.path, last.stop) == (standing.path, found.start):
            self.pieces[-1] = last._replace(stop=found.end)
        else:
            self.pieces.append(Run(standing.path, found.start, found.end))
        self._position = Position(self._position + found.frame.count)
        self.frames, self.events = self.frames + 1, self.events + found.frame.count
        self.logs.add(found.frame.log)
        if found.start // CHUNK != found.end // CHUNK:
            self._progress(min(self._read + found.end, self._total), self._total)


def frames(files: Files, run: Run) -> Iterator[Frame]:
    """The frames of a run, in order."""
    with Salvage(files, run.path) as tape:
        start = run.start
        while start < run.stop:
            found = tape.frame(start)
            yield found.frame
            start = found.end
