"""The recorder: folds durable frames into order, duplicates and trees; a request and a replay take the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import NamedTuple

from indelible.errors import Damaged, JournalFailed
from indelible.journal.port import Frame, Journal, Placed, Position
from indelible.log.duplicates import Duplicates, Sent, Settled, conflict_of
from indelible.log.generations import Generation, Trail
from indelible.log.heard import Heard
from indelible.log.places import Held, Places
from indelible.log.prepare import Forged, Prepared, origin_of, replayed
from indelible.log.runs import runs
from indelible.log.window import KEY, Window
from indelible.model.conflict import SOURCE
from indelible.model.damage import Head
from indelible.model.entry import SALT
from indelible.model.receipt import Status
from indelible.store.port import Refusals
from indelible.tree.merkle import Tree

_BY_THE_SERVICE = [SOURCE]
_TILES = 4  # half a millisecond


class Recorded(NamedTuple):
    """What became of a frame: new entries from index `first` on, in order, but for the events in `settled` (by place)."""

    prepared: Prepared
    first: int
    settled: dict[int, Settled]


class Recorder:
    """The one writer of a journal's logs. Its state is a function of the journal's prefix and of nothing else.

    An event that `record` returned for keeps its index and leaf for ever. The same bytes under the same (log, source, id) get the
    first receipt again while the window holds it; other bytes get a conflict entry, and what was there stays as it is.
    """

    # TODO(partitions): one recorder in one process for all logs; from about 200,000 events/s on, logs are spread over partitions.

    def __init__(self, journal: Journal, window: Window | None = None) -> None:
        self._journal = journal
        self._trails: dict[str, Trail] = {}
        self.places = Places()
        self._window = window or Window()
        self._duplicates = Duplicates(journal.reader(), self.places)
        self._next = journal.first
        self.heard = Heard()
        self.damage = journal.damage  # where the fold of a journal that is only read had to end
        self.ready = False
        self.failed = False
        self.on_failure: Callable[[JournalFailed], None] = lambda error: None

    @property
    def folded(self) -> Position:
        """Everything below is durable and has its index."""
        return self._next.position

    @property
    def logs(self) -> list[str]:
        """The logs that have entries."""
        return [log for log, trail in self._trails.items() if trail.size]

    def size(self, log: str) -> int:
        """How many entries `log` has."""
        return self._trails[log].size if log in self._trails else 0

    def head(self, log: str) -> Head:
        """The last index of `log`, and its current generation as it stands."""
        return self._trails.get(log, Trail()).head()

    def generations(self, log: str) -> tuple[Generation, ...]:
        """The trees of `log`, oldest first: one, unless acknowledged events were lost. All but the last have ended."""
        return self._trails.setdefault(log, Trail()).generations

    def held(self, log: str, start: int, stop: int) -> Held:
        """Where the entries [start, stop) of `log` stand in the journal; there is at least one, and it has them all."""
        return self.places.held(log, start, stop)

    @property
    def complete(self) -> bool:
        """Whether what is folded is all that the journal holds; False only where a journal that is only read holds more."""
        return self._journal.complete and self.damage is None

    def refusals(self, start: Position, stop: Position) -> Refusals:
        """What the fold refused in [start, stop)."""
        return self.places.refusals(start, stop)

    def replay(self, progress: Callable[[int, int], None] = lambda done, total: None, then: Callable[[], None] = lambda: None) -> None:
        """Fold what the journal holds; once, before `record`. Blocks.

        `progress` gets events done and in all; `then` runs before it is `ready`.
        Raises Damaged where a frame does not hold; a journal that is only read is folded up to there.
        """
        end = self._journal.end.position
        try:
            for run in runs(self._journal.reader().frames(self._journal.first, end)):
                self.fold(run)
                progress(self.folded, end)
        except Damaged as error:
            if not self._journal.read_only:
                raise
            self.damage = error
        then()
        self.ready = True

    def fold(self, run: Sequence[Placed]) -> None:
        """Take frames of one origin that others journaled. Raises Damaged at the one whose events are not those that were hashed."""
        try:
            prepared = replayed([placed.frame for placed in run])
        except Forged as error:
            if len(run) == 1:
                raise self._journal.reader().damaged(run[0].place, str(error)) from None
            for placed in run:
                self.fold((placed,))
        else:
            self._fold_all(prepared, run)
            self._trails[run[-1].frame.log].tree.close()

    async def record(self, prepared: Prepared) -> Recorded:
        """Journal a prepared frame, and fold it once it is durable.

        Raises JournalFull if nothing was stored, JournalFailed if the outcome is unknown: then the process has to end.
        """
        return (await self.record_all((prepared,)))[0]

    async def record_all(self, run: Sequence[Prepared]) -> list[Recorded]:
        """The same for several frames at once, which cost little more than one. All of them were stored, or it raises."""
        self._refuse_if_failed()
        try:
            placed = await self._journal.append_all([prepared.frame for prepared in run])
        except JournalFailed as error:
            self._fail(error)
            raise
        self._refuse_if_failed()
        try:
            self._catch_up(placed[0])
            recorded = self._fold_all(run, placed)
        except Exception as error:  # half a fold is no state to go on from: the next start folds the frame whole
            failure = JournalFailed(f"what is durable could not be put in order: {error}")
            self._fail(failure)
            raise failure from error
        for log in {prepared.frame.log for prepared in run}:
            asyncio.get_running_loop().call_soon(self._close_tiles, self._trails[log].tree)
        return recorded

    def _refuse_if_failed(self) -> None:
        if self.failed:
            raise JournalFailed("a write failed before: this process is about to end")

    def _fail(self, error: JournalFailed) -> None:
        if not self.failed:
            self.failed = True
            self.on_failure(error)

    def _close_tiles(self, tree: Tree) -> None:
        """A few in each turn of the event loop: nobody's receipt waits for them."""
        if tree.close(_TILES):
            asyncio.get_running_loop().call_soon(self._close_tiles, tree)

    def _catch_up(self, placed: Placed) -> None:
        """Fold the frames before `placed` that became durable while nobody waited for them any more."""
        if placed.place.position > self.folded:
            for missed in self._journal.reader().frames(self._next, placed.place.position):
                self.fold((missed,))

    def _fold_all(self, run: Sequence[Prepared], placed: Sequence[Placed]) -> list[Recorded]:
        """As `_fold` for each. Small frames of one log without a known id, the usual ones, are taken with one look."""
        log, position = run[0].frame.log, placed[0].place.position
        if len(run) > 1 and position == self.folded and all(each.frame.log == log and each.sources != _BY_THE_SERVICE for each in run):
            sources = [source for prepared in run for source in prepared.sources]
            keys = self._keys(log, sources, [id for prepared in run for id in prepared.ids])
            if len(keys) <= self._window.room(position) and self._window.take(keys, position):
                trail = self._trails.get(log) or self._trails.setdefault(log, Trail())
                recorded = []
                first = index = trail.size
                for prepared, at in zip(run, placed, strict=True):
                    self.places.add_frame(log, at.place, index)
                    recorded.append(Recorded(prepared, index, {}))
                    index += len(prepared.ids)
                trail.tree.defer([leaf for prepared in run for leaf in prepared.leaves])
                self._next = placed[-1].next
                self.heard.note(log, sources, run[-1].frame.recorded, first, {})
                return recorded
        return [self._fold(prepared, at) for prepared, at in zip(run, placed, strict=True)]

    def _fold(self, prepared: Prepared, placed: Placed) -> Recorded:
        """A frame's events in order: each is new, a duplicate or a conflict."""
        frame, position = placed.frame, placed.place.position
        if position != self.folded:
            raise Damaged(f"the journal gave the frame at {position} where the one at {self.folded} should follow")
        trail = self._trails.get(frame.log) or self._trails.setdefault(frame.log, Trail())
        if prepared.sources == _BY_THE_SERVICE:
            trail.heed(prepared.lines[0], frame.recorded)
        tree = trail.tree
        first = trail.start + tree.size
        self.places.add_frame(frame.log, placed.place, first)
        keys = self._keys(frame.log, prepared.sources, prepared.ids)
        settled: dict[int, Settled] = {}
        done = 0
        while done < len(keys):
            stop = min(len(keys), done + self._window.room(position + done))
            if self._window.take(keys[done:stop], position + done):
                tree.defer(prepared.leaves[done:stop])
            else:
                for at in range(done, stop):
                    self._fold_one(prepared, placed, at, keys[at], trail, settled)
            done = stop
        self._next = placed.next
        self.heard.note(frame.log, prepared.sources, frame.recorded, first, settled)
        return Recorded(prepared, first, settled)

    def _fold_one(self, prepared: Prepared, placed: Placed, at: int, key: int, trail: Trail, settled: dict[int, Settled]) -> None:
        """One event of a frame in which some id may be known already."""
        tree = trail.tree
        position = placed.place.position + at
        if self._window.take((key,), position):
            tree.defer((prepared.leaves[at],))
            return
        sent = _sent(prepared, placed.frame, at)
        body = sent.digest()
        outcome = self._duplicates.settle(sent, self._window.places(key, body))
        if outcome is None:
            outcome = self._duplicates.settle(sent, self._window.all_places(key))
        self._window.take_again(key, body, position)
        if outcome is None:
            tree.defer((prepared.leaves[at],))
        elif isinstance(outcome, Settled):
            self.places.drop(position, outcome.index)
            settled[at] = outcome
        else:
            self.places.conflict(position, outcome)
            leaf = conflict_of(sent, outcome).leaf
            settled[at] = Settled(Status.conflict, trail.size, leaf, placed.frame.recorded)
            tree.defer((leaf,))

    def _keys(self, log: str, sources: Sequence[str], ids: Sequence[str]) -> list[int]:
        """A key for each event. The hash is seeded anew in each process: nobody can make keys collide."""
        return [hash(name) & KEY for name in zip(repeat(log), sources, ids, strict=False)]


def _sent(prepared: Prepared, frame: Frame, at: int) -> Sent:
    salt = frame.salts[SALT * at : SALT * (at + 1)]
    return Sent(frame.log, prepared.sources[at], prepared.ids[at], prepared.lines[at], salt, origin_of(frame))
