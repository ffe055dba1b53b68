"""The headers of entries, made again from the frames that hold them: no tile waits for a reader's load."""

from __future__ import annotations

from msgspec import MsgspecError

from indelible.errors import Damaged
from indelible.journal.port import Placed, Reader
from indelible.log.places import Held
from indelible.log.prepare import origin_of
from indelible.model import strict
from indelible.model.conflict import conflict_header
from indelible.model.entry import SALT, body_digests, headers, names_of


def headers_of(reader: Reader, held: Held) -> list[bytes]:
    """The texts that the leaves of these entries hash, in order; 4 µs each and some 0.2 ms a run of frames. Blocks.

    Raises Damaged if the journal does not hold what was journaled.
    """
    made: list[bytes] = []
    for place, stop in held.runs:
        for placed in reader.frames(place, stop):
            try:
                made += _of_frame(placed, held)
            except (MsgspecError, ValueError, RecursionError, IndexError):
                raise Damaged(f"the frame at position {placed.place.position} does not hold the events that were journaled there") from None
    return made


def _of_frame(placed: Placed, held: Held) -> list[bytes]:
    frame, position = placed.frame, placed.place.position
    dropped, conflicts = held.refusals.dropped, held.refusals.conflicts
    span = range(max(0, held.start - position), min(frame.count, held.stop - position))
    places = [at for at in span if position + at not in dropped]
    if not places:
        return []
    every = frame.text.split(b"\n")
    lines = [every[at] for at in places]
    salts = b"".join([frame.salts[SALT * at : SALT * (at + 1)] for at in places])
    origin = origin_of(frame)
    events = strict.decoded(b"\n".join(lines) + b"\n")
    ids = names_of(events, salts, frame.recorded, {row: frame.ids[at] for row, at in enumerate(places) if at in frame.ids})
    made = headers(events, ids, body_digests(lines, salts), origin)
    for row, at in enumerate(places):
        if (first := conflicts.get(position + at)) is not None:
            made[row] = conflict_header(events[row].source, ids[row], first, lines[row], salts[SALT * row : SALT * (row + 1)], origin)
    return made
