"""What the process looks at once a minute, whoever asks or not: how fast the journal grows, what was refused, whether there is room."""

from __future__ import annotations

import asyncio
from collections import Counter
from time import monotonic

from indelible.http.log import say
from indelible.http.service import Service

EVERY = 60.0  # s
_REASONS = 10  # in a line of the log


class Watch:
    """`run` it beside the server; `look` is one round."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._refused: Counter[str] = Counter()
        self._full = False

    async def run(self) -> None:
        """For ever."""
        while True:
            self.look(monotonic())
            await asyncio.sleep(EVERY)

    def look(self, now: float) -> None:
        """Note and tell what has changed since the last round."""
        self._grow(now)
        self._tell_refusals()
        self._tell_room()

    def _grow(self, now: float) -> None:
        try:
            self._service.rate.note(now, self._service.journal.usage().held)
        except OSError:
            return

    def _tell_refusals(self) -> None:
        """By reason alone: a line of the log names no source that anybody may make up."""
        counts: Counter[str] = Counter()
        for (reason, _), count in self._service.refusals.counts.items():
            counts[reason.partition(" ")[0]] += count
        new = counts - self._refused
        if new:
            say("refused", "warning", count=new.total(), reasons=dict(new.most_common(_REASONS)))
        self._refused = counts

    def _tell_room(self) -> None:
        full = self._service.metrics.full
        if full and not self._full:
            say("disk-full", "error", detail="events are answered 507 and not stored; reading goes on")
        elif self._full and not full:
            say("disk-room", detail="events are stored again")
        self._full = full
