"""A frame that was folded long ago, read and hashed once more in small pieces: for whoever has time, beside those who have none."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from msgspec import MsgspecError

from indelible.journal.port import Placed
from indelible.log.prepare import Forged, origin_of
from indelible.model import strict
from indelible.model.conflict import conflict_header
from indelible.model.entry import SALT, entries
from indelible.store.port import Refusals
from indelible.tree.merkle import leaf_hash

EVENTS = 64  # hashed at once: a third of a millisecond


def reread(placed: Placed, refusals: Refusals) -> Iterator[list[bytes]]:
    """The leaves of the frame's entries, some at a time, without those that the fold refused.

    Raises Forged, at the latest after the last, if its events are not those that were hashed.
    """
    frame, position = placed.frame, placed.place.position
    lines = frame.text.split(b"\n")[:-1]
    origin, digest = origin_of(frame), sha256()
    for first in range(0, len(lines), EVENTS):
        some = lines[first : first + EVENTS]
        salts = frame.salts[SALT * first : SALT * (first + len(some))]
        derived = {place - first: id for place, id in frame.ids.items() if first <= place < first + len(some)} if frame.ids else {}
        try:
            events = strict.outlined(b"\n".join(some))
            made = entries(events, some, salts, origin, derived)
        except (MsgspecError, ValueError, RecursionError):
            raise Forged(frame.log) from None
        digest.update(b"".join(made.leaves))
        found: list[bytes] = []
        for place, leaf in enumerate(made.leaves):
            at = position + first + place
            if at in refusals.conflicts:
                salt = salts[SALT * place : SALT * (place + 1)]
                named = events[place].source, made.ids[place], refusals.conflicts[at]
                found.append(leaf_hash(conflict_header(*named, some[place], salt, origin)))
            elif at not in refusals.dropped:
                found.append(leaf)
        yield found
    if digest.digest() != frame.leaves or len(lines) != frame.count:
        raise Forged(frame.log)
