"""Which checkpoint of each log witnesses are asked about: one at a time, so that cosignatures come together under one."""

from __future__ import annotations

from collections.abc import Callable, Collection

from indelible.log.shown import Published
from indelible.log.witnessing.quorum import Quorum
from indelible.tree.note import Key


class Round:
    """One checkpoint for all witnesses. `waiting` are the names of those whose word it waits for."""

    __slots__ = ("cosigned", "overtaken", "published", "waiting")

    def __init__(self, published: Published, cosigned: set[Key], waiting: set[str]) -> None:
        self.published = published
        self.cosigned = cosigned
        self.waiting = waiting
        self.overtaken: float | None = None  # when a newer checkpoint was published


class Rounds:
    """Of all logs. A round ends when the quorum is met, or when nobody is left to wait for; the next is about the newest checkpoint.

    So a busy log is witnessed though witnesses are not equally fast, and only two checkpoints of a log are held.
    `away` gives the names of the witnesses that need not be waited for; `begun` is told of each round.
    """

    def __init__(self, quorum: Quorum, names: Collection[str], away: Callable[[str], set[str]], begun: Callable[[Round], None]) -> None:
        self._quorum = quorum
        self._names = frozenset(names)
        self._away = away
        self._begun = begun
        self._rounds: dict[str, Round] = {}
        self._newest: dict[str, Published] = {}

    def publish(self, published: Published, cosigned: set[Key], now: float) -> None:
        """This was published. A checkpoint that is not newer than the last one of its tree is nothing new."""
        log, last = published.log, self._newest.get(published.log)
        is_same_tree = last is not None and last.checkpoint.origin == published.checkpoint.origin
        if last is not None and is_same_tree and published.checkpoint.size <= last.checkpoint.size:
            return
        self._newest[log] = published
        current = self._rounds.get(log)
        if current is not None and current.overtaken is None:
            current.overtaken = now
        if current is None or not is_same_tree or self._is_over(current):
            self._begin(log, cosigned)

    def current(self, log: str) -> Round:
        return self._rounds[log]

    def newest(self, log: str) -> Published:
        return self._newest[log]

    def cosigned(self, round: Round, key: Key) -> None:
        """`key` has cosigned; also if that round is over."""
        round.cosigned.add(key)
        self._go_on(round)

    def settled(self, round: Round, name: str) -> None:
        """The witness `name` has had its say, or will not have it soon."""
        round.waiting.discard(name)
        self._go_on(round)

    def gone(self, name: str) -> None:
        """No log waits for the witness `name`."""
        for round in list(self._rounds.values()):
            self.settled(round, name)

    def _go_on(self, round: Round) -> None:
        log = round.published.log
        if self._rounds[log] is round and round.overtaken is not None and self._is_over(round):
            self._begin(log, set())

    def _is_over(self, round: Round) -> bool:
        return not round.waiting or self._quorum.is_met(round.cosigned)

    def _begin(self, log: str, cosigned: set[Key]) -> None:
        round = self._rounds[log] = Round(self._newest[log], cosigned, set(self._names - self._away(log)))
        self._begun(round)
