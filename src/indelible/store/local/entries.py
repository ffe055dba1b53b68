"""From frames to entries: what the fold refused is left out or recorded as a conflict, each other event gets its id, index and place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate, compress
from typing import NamedTuple

from msgspec import Struct

from indelible.journal.port import Placed
from indelible.model.conflict import CONFLICT, SOURCE
from indelible.model.entry import SALT, assigned_id, names_of
from indelible.model.event import Event
from indelible.model.strict import decoded
from indelible.store.port import Refusals

SLICE = 256 << 10  # bytes of event lines that are decoded at once: more falls out of the processor's cache and costs twice as much


class Taken(NamedTuple):
    """What a conflict entry's body is made of besides the refused line: `first` is the index that holds the id."""

    first: int
    source: str
    id: str


class Slice(Struct, gc=False):
    """Some entries in journal order, as parallel lists. `offsets` and `lengths` are bytes in the entry's unit of the journal.

    A conflict stands as its own event, at the place of the line that was refused.
    """

    events: list[Event]
    ids: list[str]
    logs: list[str]
    indices: list[int]
    units: list[int]
    offsets: list[int]
    lengths: list[int]
    recorded: list[int]
    writers: list[str]
    conflicts: dict[int, Taken]


class _Piece(NamedTuple):
    """Some lines of a frame: from line `first` on, which begins at byte `offset` of the unit."""

    placed: Placed
    first: int
    offset: int
    lines: list[bytes]


def slices(frames: Iterable[Placed], indices: dict[str, int], refusals: Refusals) -> Iterator[Slice]:
    """The entries of `frames`, some at a time. `indices` holds each log's next index and is moved on."""
    gathered: list[_Piece] = []
    size = 0
    for placed in frames:
        for piece in _pieces(placed):
            gathered.append(piece)
            size += sum(map(len, piece.lines))
            if size >= SLICE:
                yield _slice(gathered, indices, refusals)
                gathered, size = [], 0
    if gathered:
        yield _slice(gathered, indices, refusals)


def _pieces(placed: Placed) -> Iterator[_Piece]:
    """The frame in pieces of about SLICE bytes."""
    text, offset = placed.frame.text, placed.text
    lines = text.split(b"\n")
    del lines[-1]  # nothing follows the last LF
    step = max(1, len(lines) * SLICE // len(text))
    for first in range(0, len(lines), step):
        some = lines[first : first + step]
        yield _Piece(placed, first, offset, some)
        offset += sum(map(len, some)) + len(some)


def _slice(pieces: list[_Piece], indices: dict[str, int], refusals: Refusals) -> Slice:
    lines = [line for piece in pieces for line in piece.lines]
    slice = Slice(decoded(b"\n".join(lines)), [], [], [], [], [], list(map(len, lines)), [], [], {})
    if len(slice.events) != len(lines):
        raise ValueError(f"{len(lines)} lines of the journal hold {len(slice.events)} events")
    kept: list[bool] = []
    for piece in pieces:
        keep = _add(slice, piece, refusals)
        count = sum(keep)
        log = piece.placed.frame.log
        first = indices.get(log, 0)
        indices[log] = first + count
        slice.indices += range(first, first + count)
        kept += keep
    return slice if all(kept) else _without_dropped(slice, kept)


def _add(slice: Slice, piece: _Piece, refusals: Refusals) -> list[bool]:
    """Append all of the piece but its indices; answer which of its lines are entries."""
    (position, unit, _), _, frame, _ = piece.placed
    count, begin = len(piece.lines), len(slice.ids)
    salts = frame.salts[SALT * piece.first : SALT * (piece.first + count)]
    derived = {place - piece.first: id for place, id in frame.ids.items()} if frame.ids else {}
    slice.ids += names_of(slice.events[begin : begin + count], salts, frame.recorded, derived)
    slice.logs += [frame.log] * count
    slice.units += [unit] * count
    offsets = list(accumulate((length + 1 for length in slice.lengths[begin : begin + count]), initial=piece.offset))
    slice.offsets += offsets[:-1]
    slice.recorded += [frame.recorded] * count
    slice.writers += [frame.writer] * count
    positions = range(position + piece.first, position + piece.first + count)
    if refusals.conflicts:
        for place, at in enumerate(positions):
            if at in refusals.conflicts:
                salt = salts[SALT * place : SALT * (place + 1)]
                _record_conflict(slice, begin + place, refusals.conflicts[at], assigned_id(frame.recorded, salt))
    if not refusals.dropped:
        return [True] * count
    return [at not in refusals.dropped for at in positions]


def _record_conflict(slice: Slice, row: int, first: int, id: str) -> None:
    slice.conflicts[row] = Taken(first, slice.events[row].source, slice.ids[row])
    slice.events[row] = Event(type=CONFLICT, source=SOURCE)
    slice.ids[row] = id


def _without_dropped(slice: Slice, kept: list[bool]) -> Slice:
    lists = (slice.events, slice.ids, slice.logs, slice.units, slice.offsets, slice.lengths, slice.recorded, slice.writers)
    events, ids, logs, units, offsets, lengths, recorded, writers = (list(compress(each, kept)) for each in lists)
    rows = list(accumulate(kept, initial=0))
    conflicts = {rows[row]: taken for row, taken in slice.conflicts.items()}
    return Slice(events, ids, logs, slice.indices, units, offsets, lengths, recorded, writers, conflicts)  # type: ignore[arg-type]
