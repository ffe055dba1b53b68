"""What the write path did not take, counted by reason and source: for the operator who asks which service sends what is refused."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder

from indelible.errors import Fault, IndelibleError, NotAnEvent

SOURCES = 50  # that have a name here; what others send counts under OTHER
REASONS = 200  # of reason and source together: a pointer may hold any name
OTHER = "other"
NOBODY = "-"  # where no source could be read
_SHOWN = 80  # characters of a pointer and of a source


class _Sourced(Struct):
    source: str


_SOURCED = Decoder(_Sourced)


class Refusals:
    """Counts since the start, of events and of requests in which no event could be told from another. Costs nothing while all is taken.

    A reason is a problem's name, for events with the place in them: `not-an-event #/actor/id`.
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._sources: set[str] = set()

    def events(self, faults: Iterable[Fault], total: int, lines: Sequence[bytes]) -> None:
        """`total` events of a request were refused, for the first of which `faults` say why; `lines` are all that were sent."""
        told = set()
        for fault in faults:
            if isinstance(fault.index, int) and fault.index not in told:
                told.add(fault.index)
                pointer = re.sub(r"/\d+(?=/|$)", "/*", fault.pointer)[:_SHOWN] if isinstance(fault.pointer, str) else ""
                line = lines[fault.index] if fault.index < len(lines) else b""
                self._count(f"{NotAnEvent.name} {pointer}".strip(), _source(line))
        if total > len(told):
            self._count(NotAnEvent.name, OTHER, total - len(told))

    def request(self, error: IndelibleError) -> None:
        """A request was refused as a whole."""
        self._count(error.name, NOBODY)

    def _count(self, reason: str, source: str, count: int = 1) -> None:
        if source not in (OTHER, NOBODY) and source not in self._sources:
            if len(self._sources) < SOURCES:
                self._sources.add(source)
            else:
                source = OTHER
        if (reason, source) not in self.counts and len(self.counts) >= REASONS:
            reason, source = OTHER, OTHER
        self.counts[reason, source] += count


def _source(line: bytes) -> str:
    """Who sent it, as far as that can be read."""
    try:
        return _SOURCED.decode(line).source[:_SHOWN] or NOBODY
    except (MsgspecError, ValueError, RecursionError):
        return NOBODY
