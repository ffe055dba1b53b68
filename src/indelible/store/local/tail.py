"""The embedded store: what the journal holds, loaded when somebody reads and answered from mapped Arrow files."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from contextlib import aclosing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from indelible.errors import IndelibleError
from indelible.journal.port import Place, Position, Reader
from indelible.model.query import Query
from indelible.store.local import answers
from indelible.store.local.chunk import Chunk
from indelible.store.local.loader import Loaded, Task
from indelible.store.local.mapped import MEMORY, Mapped
from indelible.store.local.process import Loader, LoaderDied
from indelible.store.port import Fold, Page, Row

DEATHS = 3  # of the loader at the same place, after which a question fails

T = TypeVar("T")
Chunks = tuple[Chunk, ...]


class Tail:
    """The Store port over a journal's durable frames. Belongs to one event loop; `reader` is used from several threads at once.

    `directory` is a cache: whatever an earlier process left there goes, and nothing in it is ever synced. None is one of its own that
    goes at the end.
    """

    # TODO(segments): everything is tail: the whole journal is mapped and loaded anew by each process; sealed Parquet segments end that.

    def __init__(self, directory: Path | None, reader: Reader, first: Place, fold: Fold, memory: int = MEMORY) -> None:
        """`first` is where the journal begins. Nothing is loaded until somebody asks. `memory`: bytes of files kept mapped."""
        self.loader = Loader()
        self.trouble = ""
        self._own = None if directory else TemporaryDirectory(prefix="indelible-")
        self._directory = directory = directory or Path(self._own.name if self._own else "")
        self._reader = reader
        self._first = first
        self._fold = fold
        self._mapped = Mapped(memory)
        self._chunks: Chunks = ()
        self._loading: asyncio.Task[None] | None = None
        self._closed = False
        with suppress(OSError):  # what the disk does not take is kept in memory
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()

    async def page(self, query: Query, below: int | None, limit: int, size: int) -> Page:
        """At most `limit` matching rows with an index below `below`, newest first (store/port.py)."""
        return await self._answer(answers.page, self._reader, query, below, limit, size)

    async def count(self, query: Query) -> int:
        """How many entries match."""
        return await self._answer(answers.count, query)

    async def named(self, log: str, id: str) -> list[Row]:
        """The entries of this id, at most one a source, by index."""
        return await self._answer(answers.named, self._reader, log, id)

    async def entry(self, log: str, index: int) -> Row | None:
        """The entry at `index`, or None beyond the log's end."""
        return await self._answer(answers.entry, self._reader, log, index)

    async def close(self) -> None:
        """End the loader and delete the cache. Questions that still wait for a load fail."""
        self._closed = True
        await self.loader.close()
        if self._loading:
            await asyncio.wait([self._loading])
        self._chunks = ()
        self._sweep()
        if self._own:
            self._own.cleanup()

    def retry(self) -> None:
        """Load what the last load did not, though nobody asks: whoever asks only while there is no trouble would wait for ever."""
        if not self._closed and (self._loading is None or self._loading.done()):
            self._begin()

    async def _answer(self, question: Callable[..., T], *arguments: Any) -> T:
        """Raises Damaged if the journal does not hold, IndelibleError if the loader cannot live: no answer rather than half of one."""
        chunks = await self._loaded(self._fold.folded)
        return await asyncio.to_thread(question, chunks, *arguments)

    async def _loaded(self, stop: Position) -> Chunks:
        """Chunks of everything below `stop`. One load at a time; whoever comes meanwhile waits for it and looks again."""
        while self._end.position < stop:
            if self._closed:
                raise IndelibleError("the store is closed")
            if self._loading is None or self._loading.done():  # to wait for one that is done would give nobody a turn
                self._begin()
            assert self._loading
            await asyncio.shield(self._loading)  # who stops waiting does not stop it for the others
        return self._chunks

    def _begin(self) -> None:
        self._loading = asyncio.create_task(self._load(self._fold.folded))
        self._loading.add_done_callback(self._seen)

    @property
    def _end(self) -> Place:
        return self._chunks[-1].next if self._chunks else self._first

    async def _load(self, stop: Position) -> None:
        deaths = 0
        while self._end.position < stop:
            before = self._end.position
            try:
                await self._load_on(stop)
                if self._end.position == before:
                    raise IndelibleError(f"the journal gave no frame at position {before}, though {stop} events are folded")
            except LoaderDied as died:
                self._sweep()
                deaths = deaths + 1 if self._end.position == before else 1
                if self._closed or deaths == DEATHS:
                    reason = "the store was closed" if self._closed else f"{died}, {deaths} times"
                    raise IndelibleError(f"the tail could not be loaded between positions {before} and {stop}: {reason}") from died

    async def _load_on(self, stop: Position) -> None:
        """Load from the tail's end, or from where its last chunk begins if that is small: chunks stay few."""
        last = self._chunks[-1] if self._chunks else None
        start, indices = (last.next, last.indices_next) if last else (self._first, {})
        if last and last.small:
            start, indices = last.start, last.indices
        refusals = self._fold.refusals(start.position, stop)
        task = Task(str(self._directory), pickle.dumps(self._reader), start, indices, stop, refusals)
        async with aclosing(self.loader.load(task)) as files:
            async for loaded in files:
                self._adopt(loaded)

    def _adopt(self, loaded: Loaded) -> None:
        replaced = [chunk for chunk in self._chunks[-1:] if chunk.start.position >= loaded.start.position]
        self._chunks = (*self._chunks[: len(self._chunks) - len(replaced)], Chunk(loaded, self._mapped))
        for chunk in replaced:
            chunk.forget()

    def _seen(self, load: asyncio.Task[None]) -> None:
        """Its failure is told to all who wait; asyncio would complain if they have gone."""
        if not load.cancelled():
            error = load.exception()
            self.trouble = str(error) if error else ""

    def _sweep(self) -> None:
        """Delete what no chunk stands for, as far as the disk lets it go."""
        held = {chunk.path for chunk in self._chunks}
        for path in self._directory.glob("*.arrow"):
            if str(path) not in held:
                with suppress(OSError):
                    path.unlink()
