"""Who was heard of last: the newest entry of each source, for the operator who asks which service has gone silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from indelible.log.duplicates import Settled

_FEW = 16  # sources that are looked for from the end faster than all are counted through
SOURCES = 1000  # of all logs; the one that was silent longest makes room


class Last(NamedTuple):
    """A source's newest entry. `recorded` is in microseconds since 1970."""

    recorded: int
    index: int  # type: ignore[assignment]  # over tuple.index, which nobody calls on it


class Heard:
    """By (log, source), longest silent first. Costs a large frame about 20 ns an event."""

    def __init__(self, most: int = SOURCES) -> None:
        self._most = most
        self._last: dict[tuple[str, str], Last] = {}

    def note(self, log: str, sources: Sequence[str], recorded: int, first: int, settled: Mapping[int, Settled]) -> None:
        """A frame's events were folded: its entries begin at index `first`. Duplicates add none and are not heard."""
        last = self._last
        places = _entries(sources, first, settled) if settled else _places(sources, first)
        for source, index in places.items():
            last.pop((log, source), None)
            last[log, source] = Last(recorded, index)
        while len(last) > self._most:
            del last[next(iter(last))]

    def sources(self) -> dict[tuple[str, str], Last]:
        """(log, source) → its newest entry, newest first."""
        return dict(reversed(self._last.items()))


def _places(sources: Sequence[str], first: int) -> dict[str, int]:
    """Each source's last index where every event is an entry."""
    if len(sources) == 1:
        return {sources[0]: first}
    distinct = set(sources)
    if len(distinct) > _FEW:
        return dict(zip(sources, range(first, first + len(sources)), strict=True))
    backwards = sources[::-1]
    end = first + len(sources) - 1
    return {source: end - backwards.index(source) for source in distinct}


def _entries(sources: Sequence[str], first: int, settled: Mapping[int, Settled]) -> dict[str, int]:
    """Each source's last entry where some events are none."""
    places = {}
    for at, source in enumerate(sources):
        if at not in settled or settled[at].index == first:  # its own entry, be it the record of a conflict
            places[source] = first
            first += 1
    return places
