"""From a request's lines to a frame ready for the journal: decode, check, salt, hash, a slice at a time."""

from __future__ import annotations

import asyncio
import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import accumulate
from typing import NamedTuple

from msgspec import MsgspecError, Struct

from indelible.errors import Fault, NotAnEvent, TooLarge
from indelible.formats.lines import Lines
from indelible.journal.port import Frame
from indelible.log.share import Share
from indelible.model import strict
from indelible.model.entry import SALT, Origin, derived_id, entries
from indelible.model.event import Event, Limits

SLICE = 64 << 10  # bytes of lines between two turns of the event loop: fair to others, and the processor's cache likes it
SHOWN = 100  # faults that an answer lists
_FEW = 2  # lines that are looked at one by one before others may have a turn
_DEAR = 32  # times as long as an event that is taken


class Terms(Struct, frozen=True):
    """What comes with a request's bytes, and what the door adds. `recorded` is in microseconds since 1970."""

    log: str
    recorded: int
    limits: Limits
    writer: str = "-"
    dialect: str = "native"
    skip: bool = False  # store the good events and report the others
    key: str | None = None  # Idempotency-Key


class Prepared(Struct, frozen=True, gc=False):
    """A frame and what the fold needs of its events: the same from a request and from a replay.

    `at` gives each event's place among those sent, where some were left out; `faults` (the first 100 of `refused`) say why.
    """

    frame: Frame
    lines: list[bytes]
    sources: list[str]
    ids: list[str]
    leaves: list[bytes]
    at: list[int] | None = None
    faults: tuple[Fault, ...] = ()
    refused: int = 0


class Forged(Exception):
    """A frame whose checksum holds, though its events are not those that were hashed. Who knows its place says where it stands."""

    def __init__(self, log: str) -> None:
        super().__init__(f"a frame of log {log} holds other events than those that were hashed: its checksum was made anew")


class Stock:
    """Random bytes out of a stock: each call of the system's generator lets another thread take the interpreter."""

    def __init__(self) -> None:
        self._stock = b""
        self._used = 0

    def __call__(self, size: int) -> bytes:
        if self._used + size > len(self._stock):
            self._stock, self._used = os.urandom(max(size, _STOCK)), 0
        self._used += size
        return self._stock[self._used - size : self._used]


_STOCK = 64 << 10
stock = Stock()


class _Slice(NamedTuple):
    lines: Sequence[bytes]
    events: list[Event]
    at: list[int] | None = None
    faults: Sequence[Fault] = ()
    refused: int = 0


async def prepare(batch: Lines, terms: Terms, randomness: Callable[[int], bytes] = stock, share: Share | None = None) -> Prepared:
    """All of the batch, or with `terms.skip` its good events. A pure function of its arguments and the random bytes.

    `share`: what may be prepared in a turn of the event loop, where others prepare in it too.

    Raises TooLarge, or NotAnEvent with every bad event if one is bad (with `skip`: if none is good).
    """
    if len(batch.lines) > terms.limits.batch_events:
        raise TooLarge(f"{len(batch.lines):,} events in one request; at most {terms.limits.batch_events:,}: send several")
    origin = Origin(terms.recorded, terms.writer, terms.dialect)
    lines: list[bytes] = []
    sources: list[str] = []
    ids: list[str] = []
    leaves: list[bytes] = []
    at: list[int] = []
    salts: list[bytes] = []
    derived: dict[int, str] = {}
    faults: list[Fault] = []
    refused = 0
    for start, stop, text in _slices(batch):
        if start:
            await asyncio.sleep(0)
        if share:
            await share.take(len(text))
        part = await _read(batch.lines[start:stop], text, start, terms, max(SHOWN - refused, 1), share)
        faults += part.faults
        refused += part.refused
        if refused and not terms.skip:
            continue
        names = _derived(part, start, terms)
        salt = randomness(SALT * len(part.events))
        made = entries(part.events, part.lines, salt, origin, names)
        derived.update((len(ids) + place, name) for place, name in names.items())
        lines += part.lines
        sources += [event.source for event in part.events]
        ids += made.ids
        leaves += made.leaves
        at += part.at or ()
        salts.append(salt)
    if refused and not (terms.skip and ids):
        raise strict.refused(faults[:SHOWN], refused, len(batch.lines))
    text = batch.text if len(lines) == len(batch.lines) else b"".join([line + b"\n" for line in lines])
    frame = framed(terms, text, b"".join(salts), leaves, derived)
    return Prepared(frame, lines, sources, ids, leaves, at if refused else None, tuple(faults[:SHOWN]), refused)


def framed(terms: Terms, text: bytes, salts: bytes, leaves: Sequence[bytes], ids: dict[int, str]) -> Frame:
    """The frame of the events in `text`, whose leaves are `leaves`."""
    digest = sha256(b"".join(leaves)).digest()
    return Frame(terms.log, len(leaves), text, terms.recorded, terms.writer, terms.dialect, salts, digest, ids)


def origin_of(frame: Frame) -> Origin:
    return Origin(frame.recorded, frame.writer, frame.dialect)


def replayed(frames: Sequence[Frame]) -> list[Prepared]:
    """What `prepare` made of frames of one origin that were journaled. Raises Forged if their events are not those that were hashed."""
    text = b"".join([frame.text for frame in frames])
    lines = text.split(b"\n")[:-1]
    starts = list(accumulate([frame.count for frame in frames], initial=0))
    ids = {start + place: id for start, frame in zip(starts, frames, strict=False) for place, id in frame.ids.items()}
    try:
        events = strict.outlined(text)
        made = entries(events, lines, b"".join([frame.salts for frame in frames]), origin_of(frames[0]), ids)
    except (MsgspecError, ValueError, RecursionError):
        raise Forged(frames[0].log) from None
    if len(lines) != starts[-1]:
        raise Forged(frames[0].log)
    sources = [event.source for event in events]
    prepared = []
    for frame, start, stop in zip(frames, starts, starts[1:], strict=False):
        leaves = made.leaves[start:stop]
        if sha256(b"".join(leaves)).digest() != frame.leaves or (len(frames) > 1 and frame.text.count(b"\n") != frame.count):
            raise Forged(frame.log)
        prepared.append(Prepared(frame, lines[start:stop], sources[start:stop], made.ids[start:stop], leaves))
    return prepared


def _slices(batch: Lines) -> Iterator[tuple[int, int, bytes]]:
    """Places [start, stop) of runs of at least one line and about SLICE bytes, and their text."""
    ends = list(accumulate(map(len, batch.lines)))
    start = done = 0
    while start < len(ends):
        stop = max(start + 1, bisect_right(ends, done + SLICE))
        yield start, stop, batch.text[done + start : ends[stop - 1] + stop]  # an LF a line
        start, done = stop, ends[stop - 1]


async def _read(lines: list[bytes], text: bytes, start: int, terms: Terms, listed: int, share: Share | None) -> _Slice:
    """The events of one slice, and with `skip` which were left out; faults (of `listed` events) count from the batch's first event.

    What is not clean is looked at a few lines a turn: to refuse an event in words takes as long as to take many.
    """
    if len(lines) <= _FEW:
        if not terms.skip:
            strict.check_sizes(lines, terms.limits, start)
        return _sifted(lines, text, start, terms, listed)
    events = strict.clean(text, lines, terms.limits)
    if events is not None:
        return _Slice(lines, events, list(range(start, start + len(lines))) if terms.skip else None)
    if not terms.skip:
        strict.check_sizes(lines, terms.limits, start)
    good: list[tuple[int, bytes, Event]] = []
    faults: list[Fault] = []
    for first in range(start, start + len(lines), _FEW):
        some = lines[first - start : first - start + _FEW]
        if first > start:
            await (share.take(_DEAR * sum(map(len, some))) if share else asyncio.sleep(0))
        taken, bad, _ = strict.decode_each(some, terms.limits, max(0, listed - (first - start - len(good))))
        good += [(first + place, line, event) for place, line, event in taken]
        faults += _moved(bad, first)
    return _sliced(good, faults, len(lines) - len(good))


def _sifted(lines: list[bytes], text: bytes, start: int, terms: Terms, listed: int) -> _Slice:
    """The same for all of them at once."""
    if terms.skip:
        good, bad, total = strict.decode_each(lines, terms.limits, listed)
        return _sliced([(start + place, line, event) for place, line, event in good], _moved(bad, start), total)
    try:
        return _Slice(lines, strict.decode(text, lines, terms.limits, listed))
    except NotAnEvent as error:
        return _Slice(lines, [], None, _moved(error.faults, start), error.total)


def _sliced(good: list[tuple[int, bytes, Event]], faults: list[Fault], refused: int) -> _Slice:
    return _Slice([line for _, line, _ in good], [event for _, _, event in good], [place for place, _, _ in good], faults, refused)


def _moved(faults: Sequence[Fault], start: int) -> list[Fault]:
    return [Fault(fault.detail, (fault.index or 0) + start, fault.pointer) for fault in faults]


def _derived(part: _Slice, start: int, terms: Terms) -> dict[int, str]:
    """Place in the slice → id, for the events that have none, if the request carries an Idempotency-Key."""
    if terms.key is None:
        return {}
    at = part.at or range(start, start + len(part.events))
    return {
        place: derived_id(terms.log, event.source, terms.key, sent)
        for place, (event, sent) in enumerate(zip(part.events, at, strict=True))
        if not isinstance(event.id, str)
    }
