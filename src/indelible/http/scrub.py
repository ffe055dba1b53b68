"""A slow look at all that was ever folded, round after round: what the disk has lost is found before somebody asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from threading import Event
from time import time

from indelible.errors import Damaged
from indelible.http.log import say, trace
from indelible.journal.port import Journal, Place, Placed, Position
from indelible.log.prepare import Forged
from indelible.log.recorder import Recorder
from indelible.log.reread import reread
from indelible.tree.merkle import WIDTH, root_over

MOST = 20  # findings that are told again
PAUSE = 60.0  # s before the first round and between two


class Scrub:
    """Reads the journal in a thread of its own, at `rate` bytes a second: each frame's checksum and place in the chain, the hashes of its
    events, and those of the tree above them.
    """

    def __init__(self, recorder: Recorder, journal: Journal, rate: int) -> None:
        self.rate = rate
        self.position = 0  # events looked at in this round
        self.finished: int | None = None  # s since 1970, when a round last came to its end
        self._found: list[str] = []  # in this round and, until it is through, in the one before
        self._told: dict[str, int] = {}  # what others met, and how many rounds had begun by then
        self._begun = 0
        self._recorder = recorder
        self._journal = journal
        self._reader = journal.reader()
        self._stopping = Event()

    @property
    def findings(self) -> list[str]:
        """What does not hold, each once: what this round found, until it is through what the one before did, and what others met."""
        return list(dict.fromkeys([*self._found, *self._told]))[:MOST]

    def tell(self, detail: str) -> None:
        """Somebody who asked met damage. It counts until a round that began later is through."""
        if detail in self._told or len(self._told) < MOST:
            self._told[detail] = self._begun

    async def run(self) -> None:
        """Round after round until `stop`. Returns at once where `rate` is 0."""
        if self.rate:
            try:
                await asyncio.to_thread(self._rounds)
            finally:
                self.stop()

    def stop(self) -> None:
        """The thread ends with the piece that it is at."""
        self._stopping.set()

    def round(self) -> None:
        """Look at everything that is folded now. Blocks."""
        self._begun += 1
        before, found = self._found, list[str]()
        for detail in self._looked(self._recorder.folded):
            if detail not in found:
                found.append(detail)
                if detail not in before:
                    say("fsck", "error", detail=detail)
                self._found = list(dict.fromkeys([*found, *before]))[:MOST]
        if not self._stopping.is_set():
            self._found, self.finished = found[:MOST], int(time())
            for detail, begun in list(self._told.items()):
                if begun < self._begun:
                    del self._told[detail]

    def _rounds(self) -> None:
        while not self._stopping.wait(PAUSE):
            if self._recorder.ready and not self._recorder.failed:
                try:
                    self.round()
                except Exception as error:  # of ours: the next round may do better, and nobody who writes has to know
                    say("fsck-failed", "error", error=type(error).__name__, trace=trace(error.__traceback__))

    def _looked(self, stop: Position) -> Iterator[str]:
        """What is wrong up to a position. Behind a frame that does not hold it goes on with the next one."""
        tiles: dict[str, _Tile] = {}
        place: Place | None = self._journal.first
        while place is not None and place.position < stop and not self._stopping.is_set():
            self.position = place.position
            try:
                for placed in self._reader.frames(place, stop):
                    place = placed.place
                    yield from self._frame(placed, tiles.setdefault(placed.frame.log, _Tile(self._recorder, placed.frame.log)))
                    place, self.position = placed.next, placed.next.position
                    if self._stopping.is_set():
                        return
            except Damaged as error:
                yield error.detail
            except Forged as error:
                yield self._reader.damaged(place, str(error)).detail
            else:
                return
            place = self._recorder.places.after(place.position)

    def _frame(self, placed: Placed, tile: _Tile) -> Iterator[str]:
        start, stop = placed.place.position, placed.next.position
        index, pause = self._recorder.places.first(start), len(placed.frame.text) / max(self.rate, 1) / max(placed.frame.count, 1)
        for leaves in reread(placed, self._recorder.refusals(start, stop)):
            if wrong := tile.take(index, leaves):
                yield self._reader.damaged(placed.place, wrong).detail
            index += len(leaves)
            if self._stopping.wait(pause * max(len(leaves), 1)):
                return


class _Tile:
    """The leaves of a log that were read since a tile of its tree began."""

    def __init__(self, recorder: Recorder, log: str) -> None:
        self._recorder = recorder
        self._log = log
        self._leaves: list[bytes] = []
        self._first = 0  # the index of the first of them

    def take(self, index: int, leaves: list[bytes]) -> str:
        """What is wrong with the tiles that these fill, which begin at `index`; empty if nothing is."""
        generation = next(each for each in reversed(self._recorder.generations(self._log)) if each.start <= index)
        if index != self._first + len(self._leaves) or index == generation.start:  # frames were left out, or another tree begins
            self._first, self._leaves = index, []
        self._leaves += leaves
        wrong = ""
        while len(self._leaves) >= (skipped := (generation.start - self._first) % WIDTH) + WIDTH:
            first, tile = self._first + skipped, self._leaves[skipped : skipped + WIDTH]
            number = (first - generation.start) // WIDTH
            if [root_over(tile)] != generation.tree.hashes(1, number, number + 1):
                wrong = (
                    wrong or f"entries {first} to {first + WIDTH - 1} of log {self._log!r}, which end here, are not those that were folded"
                )
            self._first, self._leaves = first + WIDTH, self._leaves[skipped + WIDTH :]
        return wrong
