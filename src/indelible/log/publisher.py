"""The publisher: once a second at most, each log that has grown gets a checkpoint, which is durable before anybody sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from indelible.errors import Damaged, JournalFailed, JournalFull, NotFound, Unproven
from indelible.journal.port import Dropped
from indelible.log.generations import Generation
from indelible.log.proofs import Proofs
from indelible.log.shown import Published, Shown
from indelible.model.counting import counted
from indelible.model.receipt import State
from indelible.signing.keys import Identity, Period, origin_of
from indelible.signing.names import last_signed
from indelible.signing.port import Ledger
from indelible.tree.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from indelible.tree.keys import SigningKey
from indelible.tree.merkle import Hash
from indelible.tree.note import Signature, parse_note

EVERY = 1.0  # s between two checkpoints of a log
SLICE = 8  # checkpoints signed between two turns of the event loop: about a millisecond


class Publisher:
    """Signs the trees of a recorder. Belongs to its event loop, but for `start`.

    For each origin sizes only grow, and no two roots are ever signed for one size, whenever the process is killed: entries are durable
    before their checkpoint is signed, and it is durable before it is shown.
    """

    def __init__(
        self,
        proofs: Proofs,
        ledger: Ledger,
        identity: Identity,
        logs: Sequence[str],
        now: Callable[[], float],
        *,
        halted: str = "",
        reading: bool = False,
        dropped: Sequence[Dropped] = (),
    ) -> None:
        """`now` gives seconds since 1970. `halted`: why nothing may be signed, such as that the directory is a backup; empty if it may.
        `reading`: only read what is there, and show no checkpoint that does not fit it. `dropped`: where entries may be that are missing.
        """
        self.halted = halted
        self.trouble = ""  # why the last tick could not sign what had grown
        self.signed = self.syncs = 0  # checkpoints since the start, and the syncs that they took
        self.on_published: list[Callable[[Published], None]] = []
        self.on_failure: Callable[[JournalFailed], None] = lambda error: None
        self.is_witnessed: Callable[[bytes], bool] | None = None  # whether a note has all cosignatures; None: none are asked for
        self._proofs, self._ledger, self._identity = proofs, ledger, identity
        self._logs, self._now = logs, now
        self._reading, self._dropped = reading, dropped
        self._trees: dict[str, list[Shown]] = {}  # by log, a tree for each generation
        self._failed = False
        self._thread = ThreadPoolExecutor(1, "ledger")  # of its own: questions take the others for seconds
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Hold what was signed against the trees; once, after the replay and before anything else. Blocks.

        Raises Damaged if a tree is not the one that was signed, also one of a log that is not configured any more: then nothing may be
        signed.
        """
        signed = {} if self._reading else last_signed(self._ledger, self._identity.origin)
        for log in dict.fromkeys((*self._logs, *signed)):
            generations = self._proofs.generations(log)
            held = [self._held(log, generation) for generation in generations]
            if (last := signed.get(log, 0)) > generations[-1].number:
                name = origin_of(self._identity.origin, log, last)
                raise self._ledger.damaged(f"the log {name} was signed and is not in the journal: what others may have seen is not there")
            if log in self._logs:
                self._trees[log] = held

    def published(self, log: str) -> bytes | None:
        """The signed note of the newest checkpoint of `log` as it is shown; None while it has none."""
        latest = self.latest(log)
        return latest.note if latest else None

    def latest(self, log: str) -> Published | None:
        """The same with what it says."""
        return self._trees[log][-1].latest if log in self._trees else None

    def shown(self, log: str, number: int | None = None) -> Shown:
        """What is shown of a generation of `log`, the current one unless `number` names another. Raises NotFound."""
        trees = self._trees.get(log, [])
        if number is None and trees:
            return trees[-1]
        for shown in trees:
            if shown.generation.number == number:
                return shown
        numbers = ", ".join(str(shown.generation.number) for shown in trees)
        raise NotFound(f"log {log!r} has no generation {number}; it has {numbers}")

    def sizes(self) -> dict[str, int]:
        """How many entries each log has published in its current generation."""
        return {log: trees[-1].size for log, trees in self._trees.items()}

    def holding(self, log: str, index: int) -> Shown:
        """What is shown of the generation that has the entry at `index` of `log`."""
        return next(shown for shown in reversed(self._trees[log]) if shown.generation.start <= index)

    def vkeys(self, log: str, number: int | None = None) -> list[str]:
        """The public keys under which a generation of `log` signs now, newest first. Raises NotFound."""
        return self._identity.vkeys(self.shown(log, number).origin, self._now())

    def trees(self, log: str) -> list[tuple[Shown, list[Period]]]:
        """What is shown of each generation of `log`, oldest first, and every key that ever signed it, newest first."""
        return [(shown, self._identity.history(shown.origin)) for shown in self._trees[log]]

    def add_cosignatures(self, log: str, size: int, lines: Iterable[Signature]) -> bool:
        """Put cosignature lines, which the caller has verified, under the checkpoint of this size: durable and shown with the next tick.

        False if that checkpoint is too old to be known still.
        """
        return self._trees[log][-1].cosign(size, lines)

    def keep(self, log: str, size: int) -> None:
        """The checkpoint of this size can be cosigned until others are named, however much is published meanwhile."""
        self._trees[log][-1].keep(size)

    async def consistency(self, log: str, old: int, new: int) -> list[Hash]:
        """The consistency proof between two sizes of the current generation, for 0 <= old <= new <= its size."""
        return await self._proofs.consistency(log, self._trees[log][-1].generation, old, new)

    async def reached(self, log: str, index: int, state: State, patience: float) -> State:
        """How far the entry at `index` has come: once that is `state` or the furthest that can come, or after `patience` seconds."""
        shown = self.holding(log, index)
        if self.halted or shown is not self._trees[log][-1]:  # nothing more is signed of this tree
            return shown.state(index)
        return await shown.reached(index, State.proven if self.is_witnessed is None and state is State.witnessed else state, patience)

    async def run(self) -> None:
        """Tick once a second until `stop` is called, then once more."""
        while not self._stopping.is_set():
            await self.tick()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), EVERY)
        await self.tick()

    def stop(self) -> None:
        """Let `run` come to its end."""
        self._stopping.set()

    def close(self) -> None:
        """Let go of the ledger, once `run` has ended."""
        self._thread.shutdown()
        self._ledger.close()

    async def tick(self) -> None:
        """Sign what has grown, make it durable with one sync for all logs, show it. One at a time.

        A full disk leaves all as it is, to be tried again; any other failure is told to `on_failure`, and nothing is signed any more.
        """
        if self.halted or self._failed:
            return
        signed: list[tuple[Shown, Checkpoint, bytes]] = []
        current = [trees[-1] for trees in self._trees.values()]
        for shown in current:
            if shown.is_due:
                signed.append((shown, *self._signed(shown)))
                if len(signed) % SLICE == 0:
                    await asyncio.sleep(0)
        cosigned = [(shown, checkpoint, note) for shown in current for checkpoint, note in shown.take_cosigned()]
        notes = [(checkpoint, note) for _, checkpoint, note in [*cosigned, *signed]]
        if not notes:
            return
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._ledger.append, notes)
        except JournalFull as error:
            self.trouble = error.detail
            for shown, checkpoint, note in cosigned:
                shown.cosign(checkpoint.size, parse_note(note).signatures)
            return
        except JournalFailed as error:
            self._failed = True
            self.on_failure(error)
            return
        self.signed, self.syncs, self.trouble = self.signed + len(signed), self.syncs + 1, ""
        for shown, checkpoint, note in cosigned:
            shown.show_cosigned(checkpoint, note, self._has_all(note))
        for shown, checkpoint, note in signed:
            published = shown.show(checkpoint, note)
            for tell in self.on_published:
                tell(published)

    def _signed(self, shown: Shown) -> tuple[Checkpoint, bytes]:
        tree = shown.generation.tree
        checkpoint = Checkpoint(shown.origin, tree.size, tree.root())
        note = sign_checkpoint(checkpoint, self._signers(shown))
        latest = shown.latest
        if latest and latest.checkpoint == checkpoint:  # only a key is new: what others have put under it stays
            note = bytes(parse_note(note).joined(parse_note(latest.note).signatures))
        return checkpoint, note

    def _signers(self, shown: Shown) -> list[SigningKey]:
        ids = [held.public.id for held in self._identity.keys if held.signs(self._now())]
        if shown.signers is None or shown.signers[0] != ids:
            shown.signers = ids, self._identity.signers(shown.origin, self._now())
        return shown.signers[1]

    def _held(self, log: str, generation: Generation) -> Shown:
        origin = origin_of(self._identity.origin, log, generation.number)
        shown = Shown(log, generation, origin)
        for note in self._ledger.notes.get(origin, ()):
            try:
                checkpoint = self._compared(shown, note)
            except Damaged:
                if not self._reading and not self._has_ended(shown):
                    raise
            else:
                shown.show(checkpoint, note)
                shown.show_cosigned(checkpoint, note, self._has_all(note))
        if shown.latest and not self.halted:
            lines = parse_note(shown.latest.note).signatures
            shown.is_stale = any(key.id not in {line.id for line in lines} for key in self._signers(shown))
        return shown

    def _compared(self, shown: Shown, note: bytes) -> Checkpoint:
        """What a note says. Raises Damaged if the tree is not the one that was signed; only one that has ended may be shorter."""
        try:
            checkpoint = open_checkpoint(note, shown.origin, self._identity.public(shown.origin)).checkpoint
        except Unproven as error:
            raise self._ledger.damaged(f"a checkpoint of {shown.origin} does not hold: {error.detail}") from None
        generation, size = shown.generation, checkpoint.size
        if size > generation.tree.size:
            if self._reading or self._has_ended(shown):
                return checkpoint
            held = f"was signed with {counted(size, 'entry', 'entries')} and the journal holds {generation.tree.size}"
            kept = "".join(f", unless it is in {each.kept}, which this start dropped" for each in self._dropped)
            raise self._ledger.damaged(f"the log {shown.origin} {held}: what others may have seen is not there{kept}")
        if self._proofs.root(shown.log, generation, size) != checkpoint.root:
            if self._has_ended(shown):  # the tree that was signed is lost; what was signed is still what others have seen
                shown.is_lost = True
                return checkpoint
            raise self._ledger.damaged(f"the first {size} entries of the log {shown.origin} are not those that were signed")
        return checkpoint

    def _has_all(self, note: bytes) -> bool:
        return self.is_witnessed is not None and self.is_witnessed(note)

    def _has_ended(self, shown: Shown) -> bool:
        return shown.generation.number != self._proofs.generations(shown.log)[-1].number
