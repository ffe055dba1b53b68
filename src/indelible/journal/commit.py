"""Group commit: what arrives while one write and its sync run goes into the next, on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from indelible.errors import IndelibleError
from indelible.journal.port import Frame, Placed

GROUP = 8 << 20  # event bytes after which a group is closed: what arrives later waits for the next sync

_Waiting = tuple[Sequence[Frame], "asyncio.Future[list[Placed]]"]


class GroupCommit:
    """Calls `write` with frames in the order in which they were appended. Belongs to one event loop."""

    def __init__(self, write: Callable[[Sequence[Frame]], list[Placed]]) -> None:
        """`write` blocks until its frames are durable, and raises an IndelibleError for all of them or none."""
        self._write = write
        self._waiting: deque[_Waiting] = deque()
        self._busy = False  # a group is being gathered or written
        self._jobs: SimpleQueue[tuple[asyncio.AbstractEventLoop, list[_Waiting]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    async def append(self, frames: Sequence[Frame]) -> list[Placed]:
        """Where the frames stand once they are durable; they share a group. Raises what `write` does."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Placed]] = loop.create_future()
        self._waiting.append((frames, future))
        if not self._busy:
            self._busy = True
            loop.call_soon(self._flush, loop)  # after all that this turn of the loop brings
        return await future

    async def close(self) -> None:
        """Finish what is in flight. Nothing may be appended after it."""
        while self._waiting:
            self._flush(asyncio.get_running_loop())
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        group: list[_Waiting] = []
        size = 0
        while self._waiting and size < GROUP:
            group.append(self._waiting.popleft())
            size += sum(len(frame.text) for frame in group[-1][0])
        if group:  # none if `close` was faster
            self._jobs.put((loop, group))

    def _work(self) -> None:
        while job := self._jobs.get():
            loop, group = job
            outcome: list[Placed] | IndelibleError
            try:
                outcome = self._write([frame for frames, _ in group for frame in frames])
            except IndelibleError as error:
                outcome = error
            try:
                loop.call_soon_threadsafe(self._settle, loop, group, outcome)
            except RuntimeError:  # the loop is closed, and with it everyone who waited
                self._busy = False

    def _settle(self, loop: asyncio.AbstractEventLoop, group: list[_Waiting], outcome: list[Placed] | IndelibleError) -> None:
        stop = 0
        for frames, future in group:
            start, stop = stop, stop + len(frames)
            if future.done():  # cancelled
                continue
            if isinstance(outcome, IndelibleError):
                future.set_exception(type(outcome)(outcome.detail))
            else:
                future.set_result(outcome[start:stop])
        if self._waiting:
            loop.call_soon(self._flush, loop)  # after those that were just answered have spoken again
        else:
            self._busy = False
