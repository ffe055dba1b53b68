"""Which log a witness is asked about next: first come, first served, and none before it is due."""

from __future__ import annotations

from heapq import heappop, heappush


class Turns:
    """The logs that one witness is still to be asked about, each once. Times are those of a steady clock, in s."""

    def __init__(self) -> None:
        self._ready: dict[str, None] = {}
        self._held: dict[str, None] = {}  # logs that wait for their time in `_times`
        self._times: list[tuple[float, str]] = []
        self._busy: dict[str, bool] = {}  # logs that it is asked about, and whether there is something new about them
        self._pause = float("-inf")

    def add(self, log: str) -> None:
        """There is something new about `log`. One that waits for its time waits on."""
        if log in self._busy:
            self._busy[log] = True
        elif log not in self._held:
            self._ready[log] = None

    def take(self, now: float) -> str | None:
        """A log to ask about now, until `done` or `again`; None if none is due."""
        if now < self._pause:
            return None
        while self._times and self._times[0][0] <= now:
            log = heappop(self._times)[1]
            del self._held[log]
            self._ready[log] = None
        if not self._ready:
            return None
        log = next(iter(self._ready))
        del self._ready[log]
        self._busy[log] = False
        return log

    def due(self) -> float | None:
        """When `take` gives a log, if nothing new comes; None: never."""
        if self._ready:
            return self._pause
        return max(self._times[0][0], self._pause) if self._times else None

    def done(self, log: str) -> None:
        """It was asked about `log`."""
        if self._busy.pop(log):
            self._ready[log] = None

    def again(self, log: str, at: float) -> None:
        """It is to be asked about `log` again, not before `at`."""
        del self._busy[log]
        self._held[log] = None
        heappush(self._times, (at, log))

    def pause(self, until: float) -> None:
        """It is to be asked nothing before `until`."""
        self._pause = max(self._pause, until)

    def is_paused(self, now: float) -> bool:
        return now < self._pause

    def waits(self, log: str, now: float) -> bool:
        """Whether it is not to be asked about `log` yet."""
        return now < self._pause or log in self._held
