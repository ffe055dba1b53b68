"""What is shown of one tree: its newest checkpoint, older ones that witnesses may still cosign, and who waits for the next."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from indelible.log.generations import Generation
from indelible.model.receipt import State
from indelible.tree.checkpoint import Checkpoint
from indelible.tree.keys import SigningKey
from indelible.tree.note import Signature, parse_note

RECENT = 16  # checkpoints of a tree that may still be cosigned
KEPT = 4  # older ones: what has just been cosigned is not durable yet when the next is named
_RANK = {state: rank for rank, state in enumerate(State)}


class Published(NamedTuple):
    """A checkpoint as it is shown: `note` has all its signature lines, the log's and those of witnesses."""

    log: str
    generation: int
    checkpoint: Checkpoint
    note: bytes


class Shown:
    """Of one generation of a log, whose key and checkpoints are named `origin`."""

    def __init__(self, log: str, generation: Generation, origin: str) -> None:
        self.log = log
        self.generation = generation
        self.origin = origin
        self.latest: Published | None = None
        self.witnessed: Published | None = None  # the newest that has all cosignatures that are asked for
        self.is_stale = False  # its newest checkpoint lacks the signature of a key that signs now
        self.is_lost = False  # it has ended, and is not the tree that was signed: only the checkpoint is shown
        self.signers: tuple[list[bytes], list[SigningKey]] | None = None
        self._recent: OrderedDict[int, Published] = OrderedDict()
        self._kept: OrderedDict[int, Published] = OrderedDict()  # what witnesses are asked about, however long they take
        self._cosigned: dict[int, bytes] = {}  # by size: not durable yet
        self._waiting: dict[asyncio.Future[None], tuple[int, State]] = {}

    @property
    def size(self) -> int:
        """Entries of the tree that anybody may see: those under its newest checkpoint. A tree that was cut short has fewer."""
        return min(self.latest.checkpoint.size, self.generation.tree.size) if self.latest and not self.is_lost else 0

    @property
    def is_short(self) -> bool:
        """Whether the journal does not hold all that was signed of it: a repair lost some, or a server that only reads got no further."""
        return self.latest is not None and (self.is_lost or self.latest.checkpoint.size > self.generation.tree.size)

    @property
    def provable(self) -> int:
        """Entries that can be proven: those under the newest checkpoint of which all are there. In a tree that is short, an older one."""
        if not self.is_short:
            return self.size
        known = [each.checkpoint.size for each in (self.witnessed, *self._recent.values()) if each]
        return 0 if self.is_lost else max([size for size in known if size <= self.generation.tree.size], default=0)

    @property
    def is_due(self) -> bool:
        """Whether it has grown, or has to be signed anew."""
        size = self.generation.tree.size
        return self.is_stale or size > (self.latest.checkpoint.size if self.latest else 0)

    def at(self, size: int) -> Published | None:
        """The checkpoint of this size, if it is one of the newest, the newest that was witnessed, or kept."""
        known = (self.latest, self.witnessed, self._kept.get(size), self._recent.get(size))
        return next((each for each in known if each and each.checkpoint.size == size), None)

    def keep(self, size: int) -> None:
        """The checkpoint of this size, if it is known, stays so until KEPT others were named: witnesses are asked about it."""
        known = self.at(size)
        if known:
            self._kept[size] = known
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def state(self, index: int) -> State:
        """How far the entry at `index` of the log has come, which is in this tree: no state that cannot be shown."""
        place, provable = index - self.generation.start, self.provable
        if self.witnessed and place < self.witnessed.checkpoint.size <= provable:
            return State.witnessed
        return State.proven if place < provable else State.sequenced

    def show(self, checkpoint: Checkpoint, note: bytes) -> Published:
        """A checkpoint that is durable becomes the newest."""
        self.latest = published = Published(self.log, self.generation.number, checkpoint, note)
        self.is_stale = False
        self._recent[checkpoint.size] = published
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        self._wake()
        return published

    def cosign(self, size: int, lines: Iterable[Signature]) -> bool:
        """Put lines under the checkpoint of this size, not to be shown yet. False if it is not known any more."""
        known = self.at(size)
        if known is None:
            return False
        self._cosigned[size] = bytes(parse_note(self._cosigned.get(size, known.note)).joined(lines))
        return True

    def take_cosigned(self) -> list[tuple[Checkpoint, bytes]]:
        """The notes with new cosignatures, smallest first; they are the caller's now."""
        taken, self._cosigned = sorted(self._cosigned.items()), {}
        return [(known.checkpoint, note) for size, note in taken if (known := self.at(size))]

    def show_cosigned(self, checkpoint: Checkpoint, note: bytes, witnessed: bool) -> None:
        """A note with cosignatures that is durable; `witnessed`: it has all that are asked for."""
        size = checkpoint.size
        known = self.at(size)
        if known is None:
            return
        published = known._replace(note=note)
        if size in self._recent:
            self._recent[size] = published
        if size in self._kept:
            self._kept[size] = published
        if self.latest and self.latest.checkpoint.size == size:
            self.latest = published
        if witnessed and (self.witnessed is None or size >= self.witnessed.checkpoint.size):
            self.witnessed = published
            self._wake()

    async def reached(self, index: int, state: State, patience: float) -> State:
        """How far the entry at `index` has come, once that is `state` or after `patience` seconds."""
        if _RANK[self.state(index)] < _RANK[state]:
            woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting[woken] = index, state
            try:
                await asyncio.wait((woken,), timeout=patience)
            finally:
                del self._waiting[woken]
        return self.state(index)

    def _wake(self) -> None:
        for woken, (index, state) in self._waiting.items():
            if not woken.done() and _RANK[self.state(index)] >= _RANK[state]:
                woken.set_result(None)
