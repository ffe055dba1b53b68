"""Settles a hit in the duplicate window by reading what was journaled under the same key."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from indelible.journal.port import Frame, Place, Position, Reader
from indelible.log.places import Places
from indelible.model import strict
from indelible.model.conflict import ConflictEntry, conflict_entry
from indelible.model.entry import SALT, Entries, Origin, entries
from indelible.model.event import Event
from indelible.model.receipt import Status

FRAMES = 8  # kept at hand: a producer that repeats itself repeats what it sent together


class Sent(NamedTuple):
    """An event as it stands in a frame. `line` is its body, `salt` its 16 bytes."""

    log: str
    source: str
    id: str
    line: bytes
    salt: bytes
    origin: Origin


class Settled(NamedTuple):
    """What stands for an event that is no new entry as it came. `recorded` is in microseconds since 1970."""

    status: Status
    index: int  # type: ignore[assignment]  # over tuple.index, which nobody calls on it
    leaf: bytes
    recorded: int


class Duplicates:
    """Reads entries below the fold's own size: what it says depends on the journal's prefix alone."""

    def __init__(self, reader: Reader, places: Places) -> None:
        self._reader = reader
        self._places = places
        self._frame = lru_cache(FRAMES)(self._read)

    def settle(self, sent: Sent, positions: Iterable[int]) -> Settled | int | None:
        """What the journal says of an event whose key stands at `positions`.

        The receipt of the same bytes sent before, the index that holds its id with other bytes, or None: the id is new.
        """
        first: int | None = None
        for position in positions:
            earlier, _ = self._at(position)
            if (earlier.log, earlier.source, earlier.id) != (sent.log, sent.source, sent.id):
                continue
            index = self._places.index(position)
            if earlier.line == sent.line:
                return self._receipt(sent.log, index)
            held = self._places.conflict_with(self._places.position(sent.log, index))
            first = index if held is None else held
        if first is not None and self._at(self._places.position(sent.log, first))[0].line == sent.line:
            return self._receipt(sent.log, first)  # the window holds a conflict with it, and no longer the first itself
        return first

    def _receipt(self, log: str, index: int) -> Settled:
        position = self._places.position(log, index)
        sent, made = self._at(position)
        first = self._places.conflict_with(position)
        if first is None:
            return Settled(Status.duplicate, index, made.leaves[0], sent.origin.recorded)
        return Settled(Status.conflict, index, conflict_of(sent, first).leaf, sent.origin.recorded)

    def _at(self, position: int) -> tuple[Sent, Entries]:
        """The event journaled at `position`, and the entry it would be."""
        place = self._places.frame(position)
        frame, lines = self._frame(place)
        at = position - place.position
        event: Event = strict.decoded(lines[at] + b"\n")[0]
        salt = frame.salts[SALT * at : SALT * (at + 1)]
        origin = Origin(frame.recorded, frame.writer, frame.dialect)
        made = entries([event], [lines[at]], salt, origin, {0: frame.ids[at]} if at in frame.ids else {})
        return Sent(frame.log, event.source, made.ids[0], lines[at], salt, origin), made

    def _read(self, place: Place) -> tuple[Frame, list[bytes]]:
        frame = next(iter(self._reader.frames(place, Position(place.position + 1)))).frame
        return frame, frame.text.split(b"\n")


def conflict_of(sent: Sent, first: int) -> ConflictEntry:
    """The entry that takes the place of `sent`, whose id the entry at `first` holds."""
    return conflict_entry(sent.source, sent.id, first, sent.line, sent.salt, sent.origin)
