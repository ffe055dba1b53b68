"""What all connections of a server may hold together, and how long the server waits for any of them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from time import monotonic
from typing import NamedTuple, Protocol

from indelible.http.metrics import Metrics

ROUND = 1.0  # s between two looks at every connection: a time-out may come twice as much too late
HURRY = 2.0  # s that a connection may take for what it began once there is no more room
RATE = 1024  # bytes/s, averaged over `stall` seconds, that a body must bring and an answer must be taken at
_HELD = 16 << 20  # bytes of requests that wait behind others of their connection


class Patience(NamedTuple):
    """How many connections there may be, and the seconds that one may take: for a head, between signs of life, between requests."""

    connections: int = 4096
    head: int = 10
    stall: int = 30
    idle: int = 75


class Haste(NamedTuple):
    """What there is no room for: then those who take long give way to those who come."""

    connections: bool = False
    bytes: bool = False


class Watched(Protocol):
    """A connection, as the warden sees it."""

    def look(self, now: float, haste: Haste) -> None:
        """End what has taken too long at `now`, a time of the warden's clock."""


class Warden:
    """Counts what connections hold, and looks at each of them once a second: no request costs a timer.

    `room` is how many bytes of answers that are not taken it tolerates.
    """

    def __init__(self, patience: Patience, room: int, metrics: Metrics) -> None:
        self.patience = patience
        self.room = room
        self.answered = metrics.answered
        self.now = monotonic() + ROUND  # coarse, of the next round: no time-out comes too early
        self.held = 0  # bytes that were received and wait for their turn
        self.unsent = 0  # bytes of answers that clients do not take
        self.crowded = False  # a connection was refused since the last round
        self._metrics = metrics
        self._turned_away = 0

    @property
    def overfull(self) -> bool:
        """Whether the requests that wait take more memory than they may."""
        return self.held > _HELD

    def refuses(self, writes: bool) -> bool:
        """Whether an answer must not be begun now; those that acknowledge events have twice the room."""
        return self.unsent > (2 * self.room if writes else self.room)

    async def watch(self, connections: Collection[Watched]) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(ROUND)
            self.look(connections, monotonic())

    def look(self, connections: Collection[Watched], now: float) -> None:
        """One round."""
        turned_away = self._metrics.turned_away
        haste = Haste(self.crowded, turned_away > self._turned_away or self.unsent > self.room // 2)
        self.now, self._turned_away, self.crowded = now + ROUND, turned_away, False
        for connection in list(connections):
            connection.look(now, haste)
