"""A repair's way through the log: whole frames are folded again as they are written, and each damage becomes an event of every log."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from indelible.journal.port import Frame, Placed
from indelible.log.prepare import Forged, Terms, framed, replayed
from indelible.log.recorder import Recorder
from indelible.model.conflict import SOURCE
from indelible.model.damage import DAMAGE, Gap, damage_body
from indelible.model.entry import SALT, Origin, entries
from indelible.model.event import Event, Limits

Write = Callable[[Frame], Placed]


class Logs(NamedTuple):
    """Those of which whole frames are known, and those that the service is configured for: all frames of one may be lost."""

    known: set[str]
    configured: set[str]


def wrong(frame: Frame) -> str:
    """Why a frame cannot be folded though its checksum holds; empty if it can."""
    try:
        replayed([frame])
    except Forged as error:
        return str(error)
    return ""


def rebuild(
    recorder: Recorder, write: Write, pieces: Iterable[Frame | Gap], logs: Logs, recorded: int, randomness: Callable[[int], bytes]
) -> None:
    """Write and fold the pieces in their order: a frame as it is, a gap as one damage event in each log that may miss something.

    `recorded` (µs since 1970) and `randomness` are for those events. The recorder has folded what stands before.
    """
    for piece in pieces:
        if isinstance(piece, Frame):
            recorder.fold((write(piece),))
        else:
            for log in sorted(logs.known | logs.configured if piece.lost else logs.known or logs.configured):
                recorder.fold((write(damage_frame(log, piece, recorder, recorded, randomness(SALT))),))


def damage_frame(log: str, gap: Gap, recorder: Recorder, recorded: int, salt: bytes) -> Frame:
    """The frame of one damage event: what `log` was before it."""
    body = damage_body(gap, recorder.head(log))
    terms = Terms(log, recorded, Limits())
    made = entries([Event(DAMAGE, SOURCE)], [body], salt, Origin(recorded, terms.writer, terms.dialect))
    return framed(terms, body + b"\n", salt, made.leaves, {})
