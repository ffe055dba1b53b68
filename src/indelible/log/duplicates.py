"""Settles a hit in the duplicate window by reading what was journaled under the same key."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from itertools import accumulate
from typing import NamedTuple

from msgspec import structs

from indelible.journal.port import Frame, Place, Position, Reader
from indelible.log.places import Places
from indelible.model import strict
from indelible.model.conflict import ConflictEntry, conflict_entry
from indelible.model.entry import SALT, Origin, entries, names_of
from indelible.model.event import Event
from indelible.model.receipt import Status

FRAMES = 2048  # whose outlines are kept: 20 bytes an event, and old events come in any order when a producer sends them again
EVENTS = 4  # read once for the comparison and once for the receipt


class Sent(NamedTuple):
    """An event as it stands in a frame. `line` is its body, `salt` its 16 bytes."""

    log: str
    source: str
    id: str
    line: bytes
    salt: bytes
    origin: Origin

    def digest(self) -> bytes:
        """The same for the same bytes under the same id, and for nothing else."""
        named = "\0".join((self.log, self.source, self.id, ""))  # U+0000 stands in no name
        return sha256(named.encode() + self.line).digest()[:16]


class Settled(NamedTuple):
    """What stands for an event that is no new entry as it came. `recorded` is in microseconds since 1970."""

    status: Status
    index: int  # type: ignore[assignment]  # over tuple.index, which nobody calls on it
    leaf: bytes
    recorded: int


class _Outline(NamedTuple):
    """A frame without its lines, which begin at `text` in its unit, each at its place in `starts`; the last of these is their end."""

    frame: Frame
    text: int
    starts: array[int]


class Duplicates:
    """Reads entries below the fold's own size: what it says depends on the journal's prefix alone."""

    def __init__(self, reader: Reader, places: Places) -> None:
        self._reader = reader
        self._places = places
        self._outline = lru_cache(FRAMES)(self._outlined)
        self._at = lru_cache(EVENTS)(self._read)

    def settle(self, sent: Sent, positions: Iterable[int]) -> Settled | int | None:
        """What the journal says of an event whose key stands at `positions`.

        The receipt of the same bytes sent before, the index that holds its id with other bytes, or None: the id is new.
        """
        first: int | None = None
        for position in positions:
            _, earlier = self._at(position)
            if (earlier.log, earlier.source, earlier.id) != (sent.log, sent.source, sent.id):
                continue
            index = self._places.index(position)
            if earlier.line == sent.line:
                return self._receipt(sent.log, index)
            held = self._places.conflict_with(self._places.position(sent.log, index))
            first = index if held is None else held
        if first is not None and self._at(self._places.position(sent.log, first))[1].line == sent.line:
            return self._receipt(sent.log, first)  # the window holds a conflict with it, and no longer the first itself
        return first

    def _receipt(self, log: str, index: int) -> Settled:
        position = self._places.position(log, index)
        event, sent = self._at(position)
        first = self._places.conflict_with(position)
        if first is None:
            made = entries([event], [sent.line], sent.salt, sent.origin, {0: sent.id})
            return Settled(Status.duplicate, index, made.leaves[0], sent.origin.recorded)
        return Settled(Status.conflict, index, conflict_of(sent, first).leaf, sent.origin.recorded)

    def _read(self, position: int) -> tuple[Event, Sent]:
        """The event journaled at `position`. Its frame's checksum was looked at when its outline was made."""
        place = self._places.frame(position)
        frame, text, starts = self._outline(place)
        at = position - place.position
        line = self._reader.text(place.unit, text + starts[at], starts[at + 1] - starts[at])
        event: Event = strict.decoded(line)[0]
        salt = frame.salts[SALT * at : SALT * (at + 1)]
        id = names_of([event], salt, frame.recorded, {0: frame.ids[at]} if at in frame.ids else {})[0]
        return event, Sent(frame.log, event.source, id, line[:-1], salt, Origin(frame.recorded, frame.writer, frame.dialect))

    def _outlined(self, place: Place) -> _Outline:
        placed = next(iter(self._reader.frames(place, Position(place.position + 1))))
        lengths = [len(line) + 1 for line in placed.frame.text.split(b"\n")[:-1]]
        return _Outline(structs.replace(placed.frame, text=b""), placed.text, array("I", accumulate(lengths, initial=0)))


def conflict_of(sent: Sent, first: int) -> ConflictEntry:
    """The entry that takes the place of `sent`, whose id the entry at `first` holds."""
    return conflict_entry(sent.source, sent.id, first, sent.line, sent.salt, sent.origin)
