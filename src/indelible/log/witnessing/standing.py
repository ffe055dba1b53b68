"""How one witness stands: what it has cosigned, when it is asked again, and what an operator is told about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from indelible.log.witnessing.asking import Outcome, Verdict
from indelible.log.witnessing.turns import Turns
from indelible.tree.policy import Party

FIRST, LONGEST = 1.0, 120.0  # s: pauses double from the one to the other
ALARMED = 300.0  # s until a witness that raised an alarm is asked about that log again
REFUSED = 600.0  # s after an answer that only a change of configuration helps against
MOST_RETRY_AFTER = 3600.0  # s
TELL_AGAIN = 3600.0  # s until the same trouble is told again

Tell = Callable[[str, str, Outcome, str], None]
"""Tells an operator of trouble: the witness's name, the log, what became of the question, and why."""


class Report(NamedTuple):
    """One witness, for whoever asks how it is. `behind` counts the logs whose newest checkpoint it has not cosigned."""

    name: str  # in the policy
    url: str
    last_ok: float | None  # POSIX seconds of its last cosignature since the start
    last_outcome: str | None
    last_detail: str
    behind: int
    lag: float  # s since the first checkpoint was published that it still has to cosign
    alarms: dict[str, str]  # by log, what is wrong
    counts: dict[str, int]  # questions by outcome, since the start


class Standing:
    """Of one witness of the policy. `jitter` gives numbers from 0 to 1; times are of a steady clock but for `last_ok`."""

    def __init__(self, name: str, party: Party, jitter: Callable[[], float], tell: Tell) -> None:
        self.name = name.encode(errors="backslashreplace").decode()  # a policy's names are any bytes
        self.key = party.key
        self.url = party.url or ""
        self.turns = Turns()
        self.sizes: dict[str, int] = {}  # by origin, what it is known to have
        self._jitter = jitter
        self._tell = tell
        self._owed: dict[str, float] = {}  # by log, since when
        self._alarms: dict[str, str] = {}
        self._counts = dict.fromkeys(map(str, Outcome), 0)
        self._last: Verdict | None = None
        self._last_ok: float | None = None
        self._tries: dict[str, int] = {}
        self._rests = 0
        self._told: dict[tuple[str, Outcome], float] = {}

    def owe(self, log: str, now: float) -> None:
        """A checkpoint was published that it has not cosigned."""
        self._owed.setdefault(log, now)
        self.turns.add(log)

    def has_cosigned(self, log: str, origin: str, size: int, overtaken: float | None) -> None:
        """`overtaken`: since when there is a newer checkpoint; None if there is none."""
        self.sizes[origin] = size
        self._alarms.pop(log, None)
        self._tries.pop(log, None)
        self._owed.pop(log, None)
        if overtaken is not None:
            self._owed[log] = overtaken

    def judge(self, log: str, origin: str, verdict: Verdict, now: float, wall: float) -> None:
        """It was asked about `log`, and this came of it: when it is asked again, and what is told. `wall` is POSIX seconds."""
        self._counts[verdict.outcome] += 1
        self._last = verdict
        if not verdict.is_whole:
            self._rests = 0
        if verdict.outcome is Outcome.cosigned:
            self._last_ok = wall
            self.turns.done(log)
            return
        if verdict.size is not None and verdict.outcome is Outcome.late:
            self.sizes[origin] = verdict.size
            self.turns.done(log)
            return
        if verdict.outcome is Outcome.alarm:
            self._alarms[log] = verdict.detail
        self._say(log, verdict, now)
        self.turns.again(log, now + self._delay(log, verdict))
        if verdict.is_whole and not self.turns.is_paused(now):
            self.turns.pause(now + max(self._growing(self._rests), self._asked(verdict)))
            self._rests += 1

    def report(self, now: float) -> Report:
        last = self._last
        return Report(
            self.name,
            self.url,
            self._last_ok,
            str(last.outcome) if last else None,
            last.detail if last else "",
            len(self._owed),
            max(0.0, now - min(self._owed.values(), default=now)),
            dict(self._alarms),
            dict(self._counts),
        )

    def _delay(self, log: str, verdict: Verdict) -> float:
        if verdict.outcome is Outcome.alarm:
            return ALARMED * (0.5 + self._jitter() / 2)
        if verdict.outcome is Outcome.refused:
            return REFUSED * (0.5 + self._jitter() / 2)
        tries = self._tries.get(log, 0)
        self._tries[log] = tries + 1
        return max(self._growing(tries), self._asked(verdict))

    def _growing(self, tries: int) -> float:
        """Doubling, and a little different each time: many services share a witness."""
        return min(LONGEST, FIRST * float(1 << min(tries, 10))) * (0.5 + self._jitter() / 2)

    def _asked(self, verdict: Verdict) -> float:
        return min(verdict.retry_after, MOST_RETRY_AFTER)

    def _say(self, log: str, verdict: Verdict, now: float) -> None:
        """Tell of trouble once an hour: that of the witness as a whole for all logs together."""
        about = "" if verdict.is_whole else log
        last = self._told.get((about, verdict.outcome))
        if last is not None and now - last < TELL_AGAIN:
            return
        self._told[about, verdict.outcome] = now
        self._tell(self.name, log, verdict.outcome, verdict.detail)
