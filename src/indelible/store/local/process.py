"""The parent's end of the loader: starts it when there is something to load, and knows when it is gone."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import suppress

from msgspec import msgpack

from indelible.errors import Damaged, IndelibleError
from indelible.store.local.loader import PREFIX, Answer, Failed, Loaded, Task

_ANSWERS: msgpack.Decoder[Answer] = msgpack.Decoder(Answer)


class LoaderDied(Exception):
    """The child ended before its task did; what it answered stays good."""


class Loader:
    """One child at a time, one task at a time. Belongs to one event loop."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def load(self, task: Task) -> AsyncGenerator[Loaded, None]:
        """The files of `task` as they become whole; finished when it is. A child that is left in the middle of a task is ended.

        Raises LoaderDied if the child does not live to its end, Damaged if the journal does not hold, IndelibleError for all else.
        """
        busy = True
        try:
            process = await self._started()
            await _send(process, msgpack.encode(task))
            while isinstance(answer := _ANSWERS.decode(await _received(process)), Loaded):
                yield answer
            busy = False
        except (OSError, EOFError) as error:
            busy = False
            raise LoaderDied(await self._epitaph(error)) from error
        finally:
            if busy:
                self._kill()
        if isinstance(answer, Failed):
            raise Damaged(answer.detail) if answer.damaged else IndelibleError(f"the tail cannot be loaded: {answer.detail}")

    async def close(self) -> None:
        """End the child. A task that is under way ends with LoaderDied."""
        self._closed = True
        if process := self._process:
            self._kill()
            await process.wait()

    async def _started(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "indelible.store.local.loader"),
                stdin=PIPE,
                stdout=PIPE,
                start_new_session=True,  # signals of a terminal are for the parent
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},  # what is importable here is importable there
            )
            if self._closed:  # before it was there to be ended
                self._kill()
        return self._process

    async def _epitaph(self, error: Exception) -> str:
        """Its pipes have ended, so it has or soon will; to kill it now would take its status away from asyncio, which then warns."""
        if self._process is None:
            return f"the loader cannot be started: {error}"
        if self._process.stdin:
            self._process.stdin.close()
        return f"the loader ended with status {await self._process.wait()}"

    def _kill(self) -> None:
        if self._process:
            with suppress(ProcessLookupError):
                self._process.kill()


async def _send(process: Process, message: bytes) -> None:
    assert process.stdin
    process.stdin.write(len(message).to_bytes(PREFIX) + message)
    await process.stdin.drain()


async def _received(process: Process) -> bytes:
    """Raises EOFError if the pipe ends first."""
    assert process.stdout
    length = int.from_bytes(await process.stdout.readexactly(PREFIX))
    return await process.stdout.readexactly(length)
