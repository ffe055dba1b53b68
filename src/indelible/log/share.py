"""How much is prepared in one turn of the event loop, whoever sent it: a thousand requests at once keep nobody else waiting for long."""

from __future__ import annotations

import asyncio
from collections import deque

MOST = 64 << 10  # bytes of lines in a turn: a millisecond, or some if each event is refused in words


class Share:
    """Who comes when nothing is left of this turn waits for one of the next, first come, first served. Belongs to one event loop.

    What is more than a turn's share, for an event is prepared whole, is owed: as many turns then belong to others.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._left = most
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size: int) -> None:
        """Return when `size` bytes may be prepared."""
        if self._left > 0 and not self._waiting:
            self._give(size)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, future))
        await future

    def _give(self, size: int) -> None:
        if self._left == self._most:
            asyncio.get_running_loop().call_soon(self._next)
        self._left -= max(size, 1)

    def _next(self) -> None:
        self._left = min(self._most, self._left + self._most)
        if self._left < self._most:
            asyncio.get_running_loop().call_soon(self._next)
        while self._waiting and self._left > 0:
            size, future = self._waiting.popleft()
            if not future.done():  # cancelled
                self._give(size)
                future.set_result(None)
