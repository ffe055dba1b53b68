"""The headers of entries, made again from the frames that hold them: no tile waits for a reader's load."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import MsgspecError

from indelible.errors import Damaged
from indelible.journal.port import Placed, Reader
from indelible.log.places import Held
from indelible.log.prepare import origin_of
from indelible.model import strict
from indelible.model.conflict import conflict_header
from indelible.model.entry import SALT, body_digests, headers, names_of


class Entry(NamedTuple):
    """What is hashed of an entry beside its body: `header` is under its leaf, and the digest in it is over the 16 bytes of `salt` and the
    body."""

    header: bytes
    salt: bytes


def headers_of(reader: Reader, held: Held) -> list[Entry]:
    """What the leaves of these entries hash, in order; 4 µs each and some 0.2 ms a run of frames. Blocks.

    Raises Damaged if the journal does not hold what was journaled.
    """
    made: list[Entry] = []
    for place, stop in held.runs:
        for placed in reader.frames(place, stop):
            try:
                made += _of_frame(placed, held)
            except (MsgspecError, ValueError, RecursionError, IndexError):
                raise Damaged(f"the frame at position {placed.place.position} does not hold the events that were journaled there") from None
    return made


def _of_frame(placed: Placed, held: Held) -> list[Entry]:
    frame, position = placed.frame, placed.place.position
    dropped, conflicts = held.refusals.dropped, held.refusals.conflicts
    span = range(max(0, held.start - position), min(frame.count, held.stop - position))
    places = [at for at in span if position + at not in dropped]
    if not places:
        return []
    every = frame.text.split(b"\n")
    lines = [every[at] for at in places]
    salts = [frame.salts[SALT * at : SALT * (at + 1)] for at in places]
    together = b"".join(salts)
    origin = origin_of(frame)
    events = strict.outlined(b"\n".join(lines) + b"\n")
    ids = names_of(events, together, frame.recorded, {row: frame.ids[at] for row, at in enumerate(places) if at in frame.ids})
    made = headers(events, ids, body_digests(lines, together), origin)
    for row, at in enumerate(places):
        if (first := conflicts.get(position + at)) is not None:
            made[row] = conflict_header(events[row].source, ids[row], first, lines[row], salts[row], origin)
    return list(map(Entry, made, salts))
