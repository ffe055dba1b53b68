"""The Store port: where questions are answered."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from msgspec import Struct

from indelible.journal.port import Position
from indelible.model.query import Query


class Refusals(Struct, frozen=True):
    """What the fold did not take as it came, between two positions; everything else became the next entry of its log."""

    dropped: frozenset[int] = frozenset()  # positions of duplicates and repeated conflicts: no entry
    conflicts: dict[int, int] = {}  # position → index of the first: an `indelible.conflict` entry in the event's place


class Fold(Protocol):
    """What a store may ask of the recorder."""

    @property
    def folded(self) -> Position:
        """Everything below is durable and has its index. A store never shows what lies beyond."""

    def refusals(self, start: Position, stop: Position) -> Refusals:
        """What the fold refused in [start, stop)."""


class Row(NamedTuple):
    """One entry as it is read: its body verbatim and what the service knows about it. Times are microseconds since 1970."""

    log: str
    index: int  # type: ignore[assignment]  # over tuple.index, which nobody calls on it
    id: str
    time: int
    recorded: int
    writer: str
    assigned: tuple[str, ...]  # of ("id", "time"): those that the service gave
    body: bytes


class Page(NamedTuple):
    """Rows newest first; `next` is the index below which to go on, None when the question is exhausted.

    `complete` is False when some of the range could not be read.
    """

    rows: list[Row]
    next: int | None
    complete: bool


class Store(Protocol):
    """Where questions are answered. Every answer holds all that was folded when the question was asked.

    Any number of questions may run at once; none of them delays a write.
    """

    trouble: str  # why the last look at the journal failed; empty if it did not

    def retry(self) -> None:
        """Try that look again, soon."""

    async def page(self, query: Query, below: int | None, limit: int, size: int) -> Page:
        """At most `limit` matching rows with an index below `below`, newest first by index.

        Ends early once the bodies would pass `size` bytes (the first row is always given); such a page has `next`.
        Paging from `next` to `next` gives each matching row exactly once, whatever arrives meanwhile.
        """

    async def count(self, query: Query) -> int:
        """How many entries match."""

    async def named(self, log: str, id: str) -> list[Row]:
        """The entries of this id, at most one a source (the lowest index of it), by index; empty if there is none."""

    async def entry(self, log: str, index: int) -> Row | None:
        """The entry at `index`, or None beyond the log's end."""

    async def close(self) -> None:
        """Let go of everything the store holds; what it derived from the journal may vanish."""
