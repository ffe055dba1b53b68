"""The witnesses of a policy, each asked by tasks of its own to cosign what is published."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from time import monotonic, time
from typing import Protocol

from indelible.errors import Unproven
from indelible.log.shown import Published
from indelible.log.witnessing.asking import Answer, Outcome, Verdict, ask, question
from indelible.log.witnessing.quorum import Quorum
from indelible.log.witnessing.rounds import Round, Rounds
from indelible.log.witnessing.standing import Report, Standing, Tell
from indelible.tree.merkle import Hash
from indelible.tree.note import Key, Signature, parse_note
from indelible.tree.policy import Policy

LANES = 4  # questions to one witness at once, each on a connection of its own
_SLICE = 8  # checkpoints looked at between two turns of the event loop


class Checkpoints(Protocol):
    """What is published, as the publisher gives it."""

    on_published: list[Callable[[Published], None]]

    def latest(self, log: str) -> Published | None:
        """The newest checkpoint."""

    def keep(self, log: str, size: int) -> None:
        """The checkpoint of this size can be cosigned until others are named."""

    def add_cosignatures(self, log: str, size: int, lines: Iterable[Signature]) -> bool:
        """Put verified lines under the checkpoint of this size; False if it is not known any more."""

    async def consistency(self, log: str, old: int, new: int) -> list[Hash]:
        """The consistency proof between two sizes. Raises IndelibleError."""


class Line(Protocol):
    """A connection to one witness; not for two questions at once."""

    async def __call__(self, body: bytes) -> Answer:
        """Bounded in time and in the length of the answer. Raises Unanswered."""

    def close(self) -> None: ...


class Clock:
    """The time, and waiting for something to happen."""

    def now(self) -> float:
        """Of a steady clock, in s."""
        return monotonic()

    def wall(self) -> float:
        """POSIX seconds."""
        return time()

    async def wait(self, event: asyncio.Event, until: float | None) -> None:
        """Return when `event` is set from now on, or at `until`."""
        event.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(None if until is None else max(0.0, until - self.now())):
                await event.wait()


class Witnesses:
    """Belongs to the event loop of the publisher, which it never delays.

    Whatever witnesses do: no line is handed on that does not verify under the key in the policy, for each log no more than two
    checkpoints are held, and each witness is asked about all logs in turn and waits for no other.
    """

    def __init__(
        self,
        policy: Policy,
        checkpoints: Checkpoints,
        connect: Callable[[str], Line],
        tell: Tell,
        clock: Clock | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`connect` makes a line to the URL of a witness; those without one in the policy are asked nothing."""
        self.quorum = Quorum(policy)
        self._checkpoints = checkpoints
        self._connect = connect
        self._clock = clock or Clock()
        self._standings = {
            standing.name: standing
            for standing in (Standing(name, party, jitter, tell) for name, party in policy.witnesses.items() if party.url)
        }
        self._woken = {name: asyncio.Event() for name in self._standings}
        self._rounds = Rounds(self.quorum, self._standings.keys(), self._away, self._begun)

    async def run(self, logs: Sequence[str]) -> None:
        """Ask for ever; begin with what is published of `logs` already, once the publisher has started."""
        self._checkpoints.on_published.append(self._published)
        async with asyncio.TaskGroup() as tasks:
            for standing in self._standings.values():
                for _ in range(LANES):
                    tasks.create_task(self._lane(standing))
            for number, log in enumerate(logs, 1):
                latest = self._checkpoints.latest(log)
                if latest:
                    self._published(latest)
                if number % _SLICE == 0:
                    await asyncio.sleep(0)

    def reports(self) -> list[Report]:
        """How each witness that is asked stands, in the order of the policy."""
        return [standing.report(self._clock.now()) for standing in self._standings.values()]

    def _published(self, published: Published) -> None:
        now = self._clock.now()
        cosigners: set[Key] = set()
        note = parse_note(published.note)
        with suppress(Unproven):
            cosigners = self.quorum.cosigners(note)
        checkpoint = published.checkpoint
        for standing in self._standings.values():
            if standing.key in cosigners:
                standing.has_cosigned(published.log, checkpoint.origin, checkpoint.size, None)
            else:
                standing.owe(published.log, now)
                self._woken[standing.name].set()
        self._rounds.publish(published, cosigners, now)

    def _begun(self, round: Round) -> None:
        published = round.published
        self._checkpoints.keep(published.log, published.checkpoint.size)
        for standing in self._standings.values():
            standing.turns.add(published.log)
            self._woken[standing.name].set()

    def _away(self, log: str) -> set[str]:
        now = self._clock.now()
        return {standing.name for standing in self._standings.values() if standing.turns.waits(log, now)}

    async def _lane(self, standing: Standing) -> None:
        line = self._connect(standing.url)
        try:
            while True:
                log = standing.turns.take(self._clock.now())
                if log is None:
                    await self._clock.wait(self._woken[standing.name], standing.turns.due())
                else:
                    await self._turn(standing, log, line)
        finally:
            line.close()

    async def _turn(self, standing: Standing, log: str, line: Line) -> None:
        round = self._rounds.current(log)
        checkpoint = round.published.checkpoint
        if standing.key in round.cosigned:
            standing.turns.done(log)
            self._rounds.settled(round, standing.name)
            return
        try:
            verdict = await self._asked(standing, round, line)
        except Exception as error:  # a fault of ours with one checkpoint must not end what others wait for
            verdict = Verdict(Outcome.failed, f"{type(error).__name__}: {error}")
        standing.judge(log, checkpoint.origin, verdict, self._clock.now(), self._clock.wall())
        if verdict.line is not None:
            standing.has_cosigned(log, checkpoint.origin, checkpoint.size, round.overtaken)
            self._checkpoints.add_cosignatures(log, checkpoint.size, verdict.line.signatures)
            self._rounds.cosigned(round, standing.key)
        self._rounds.settled(round, standing.name)
        if standing.turns.is_paused(self._clock.now()):
            self._rounds.gone(standing.name)

    async def _asked(self, standing: Standing, round: Round, line: Line) -> Verdict:
        log, _, checkpoint, note = round.published
        old = standing.sizes.get(checkpoint.origin, 0)
        if old > checkpoint.size:
            return Verdict(Outcome.late, f"it has cosigned {old} entries", size=old)
        asked = question(checkpoint, note, standing.key, self.quorum, lambda: self._rounds.newest(log).checkpoint.size)

        async def prove(old: int, new: int) -> list[Hash]:
            return await self._checkpoints.consistency(log, old, new)

        return await ask(asked, old, line, prove)
