"""From lines to events, a whole batch at a time, letting in nothing that some store could not hold (docs/format.md).

A clean batch is proven clean by a few cheap tests over all of its bytes; what these cannot prove is looked at line by line,
and only what is refused there is looked at in words (refusal.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import itemgetter

from msgspec import MsgspecError
from msgspec.json import Decoder, Encoder

from indelible.errors import Fault, NotAnEvent, TooLarge
from indelible.model import refusal, syntax, times, wording
from indelible.model.event import DEPTH, RESERVED, Event, Limits, Outline

LISTED = 100  # bad events that a refusal describes; further ones are only counted
_TOGETHER = 32  # lines tried at once where some are expected to be bad
_EVENTS = Decoder(Event)
_OUTLINES = Decoder(Outline)
_ENCODER = Encoder()
_FIRST, _LAST = itemgetter(0), itemgetter(-1)
_OPEN, _CLOSE = {ord("{")}, {ord("}")}
_NOT_OPENERS = bytes(set(range(256)) - set(b"{[\n"))
_UNSAID = Fault("refused, and no rule says why: please report this event as a defect", pointer="#")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")  # Cc


def decoded(text: bytes) -> list[Event]:
    """Events that were accepted once, from their lines. Trusting: no limit and no test that may change takes part."""
    return _EVENTS.decode_lines(text)


def outlined(text: bytes) -> list[Outline]:
    """The same, of which only what a header holds is decoded."""
    return _OUTLINES.decode_lines(text)


def decode(text: bytes, lines: list[bytes], limits: Limits, listed: int = LISTED) -> list[Event]:
    """The events in `lines`, one each, without raw CR or LF; `text` is the same lines with an LF after each.

    All of them, or NotAnEvent with what is wrong in the first `listed` bad ones, or TooLarge.
    """
    if not lines:
        return []
    _check_count(lines, limits)
    if len(text) > limits.event_bytes:
        check_sizes(lines, limits)
    events = clean(text, lines, limits)
    if events is not None:
        return events
    if len(lines) == 1:
        raise refused(_faults(lines[0], 0, limits), 1, 1)
    good, faults, total = decode_each(lines, limits, listed)
    if total:
        raise refused(faults, total, len(lines))
    return [event for _, _, event in good]


def decode_each(lines: list[bytes], limits: Limits, listed: int = LISTED) -> tuple[list[tuple[int, bytes, Event]], list[Fault], int]:
    """The good ones of `lines` with their places, the faults of the first `listed` bad ones and how many are bad.

    Raises TooLarge only if there are too many lines: an event that is too large is a bad one here.
    """
    _check_count(lines, limits)
    good: list[tuple[int, bytes, Event]] = []
    faults: list[Fault] = []
    for start in range(0, len(lines), _TOGETHER):
        some = lines[start : start + _TOGETHER]
        events = clean(b"".join([line + b"\n" for line in some]), some, limits)
        if events is not None:
            good += zip(range(start, start + len(some)), some, events, strict=True)
            continue
        for place, line in enumerate(some, start):
            alone = clean(line + b"\n", [line], limits) if len(some) > 1 else None
            if alone is not None:
                good.append((place, line, alone[0]))
            elif place - len(good) < listed:
                faults += _faults(line, place, limits)
    return good, faults, len(lines) - len(good)


def refused(faults: Sequence[Fault], total: int, sent: int) -> NotAnEvent:
    """The error for `total` bad events among `sent`, with the faults of the first 100 bad ones."""
    if sent == 1:
        detail = "; ".join(fault.detail for fault in faults[:3])
    else:
        detail = f"{total} of {sent} events are refused; the first, at index {faults[0].index}: {faults[0].detail}"
    return NotAnEvent(detail, tuple(faults), total)


def _faults(line: bytes, place: int, limits: Limits) -> list[Fault]:
    return [Fault(fault.detail, place, fault.pointer) for fault in refusal.faults_of(line, limits) or [_UNSAID]]


def _check_count(lines: Sequence[bytes], limits: Limits) -> None:
    if len(lines) > limits.batch_events:
        raise TooLarge(f"{len(lines)} events in one batch: send at most {limits.batch_events} at once")


def check_sizes(lines: Sequence[bytes], limits: Limits, start: int = 0) -> None:
    """Raises TooLarge with the places of lines that are too long; `start` is the first one's."""
    over = [place for place, line in enumerate(lines) if len(line) > limits.event_bytes]
    if over:
        faults = [Fault(wording.oversized(len(lines[place]), limits), start + place, "#") for place in over[:LISTED]]
        raise TooLarge(faults[0].detail, tuple(faults), len(over))


def clean(text: bytes, lines: Sequence[bytes], limits: Limits) -> list[Event] | None:
    """The events if every line is a good one, else None. How many lines there are is not looked at.

    The tests go from the cheap and coarse to the exact.
    """
    try:
        events = _EVENTS.decode_lines(text)
        if not _one_a_line(lines, events) or not _utf8(text, lines):
            return None
    except (MsgspecError, ValueError, RecursionError, IndexError):
        return None
    if (
        (len(text) > limits.event_bytes and max(map(len, lines)) > limits.event_bytes)
        or not _shallow(text, lines)
        or not _types_allowed(events)
        or not _within(events, limits)
        or not _counted(events, limits)
        or not _timed(events)
        or not _unrepeated(text, lines, events)
        or not _without_nul(text, lines)
    ):
        return None
    return events


def _one_a_line(lines: Sequence[bytes], events: Sequence[Event]) -> bool:
    """`decode_lines` takes no notice of line breaks. Between `}` and `{` JSON can only end, so equal counts prove one each."""
    return len(events) == len(lines) and set(map(_FIRST, lines)) == _OPEN and set(map(_LAST, lines)) == _CLOSE


def _utf8(text: bytes, lines: Sequence[bytes]) -> bool:
    """True, or UnicodeDecodeError: what stays Raw is never looked at by the decoder."""
    if not text.isascii():
        for line in lines:
            if not line.isascii():
                line.decode()
    return True


def _shallow(text: bytes, lines: Sequence[bytes]) -> bool:
    openers = text.translate(None, _NOT_OPENERS)
    if len(openers) <= DEPTH or max(map(len, openers.split(b"\n"))) <= DEPTH:
        return True
    widths = map(len, openers.split(b"\n"))
    return all(syntax.depth(line) <= DEPTH for line, width in zip(lines, widths, strict=False) if width > DEPTH)


def _types_allowed(events: Sequence[Event]) -> bool:
    """No control characters, and none of the service's own types."""
    types = [event.type for event in events]
    joined = " ".join(types)
    if not joined.isprintable() and _CONTROL.search(joined):
        return False
    return RESERVED not in joined or not any(type_.startswith(RESERVED) for type_ in types)


def _within(events: Sequence[Event], limits: Limits) -> bool:
    """A batch has few types and sources: only the distinct ones are measured."""
    named = [event.id for event in events]
    names = named if all(named) else [name for name in named if name]  # an empty id never gets here
    longest = max(map(len, {event.type for event in events} | {event.source for event in events}))
    return max(longest, max(map(len, names), default=0)) <= limits.header_characters  # type: ignore[arg-type]


def _counted(events: Sequence[Event], limits: Limits) -> bool:
    """What is missing, null or empty is left out first."""
    targets = [event.targets for event in events if event.targets]
    labels = [event.labels for event in events if event.labels]
    return max(map(len, targets), default=0) <= limits.targets and max(map(len, labels), default=0) <= limits.labels


def _timed(events: Sequence[Event]) -> bool:
    claimed = [time for time in [event.time for event in events] if isinstance(time, str)]  # "" is a claim too
    return times.canonical_batch(claimed) is not None


def _unrepeated(text: bytes, lines: Sequence[bytes], events: Sequence[Event]) -> bool:
    """No member was dropped because another of its name came later.

    The encoder writes the shortest JSON there is, so equal lengths prove that nothing is missing. Where spaces or escapes make the
    text longer, a dropped member would still be missing its quotes. Last comes the slow look, which allows repeated labels.
    """
    encoded = _ENCODER.encode_lines(events)
    if len(encoded) == len(text):
        return True
    if encoded.count(b'"') == text.count(b'"') and (b"\\" not in text or b"\\u0022" not in text):
        return True
    return not any(_suspect(line, event) and refusal.repeats(line) for line, event in zip(lines, events, strict=True))


def _suspect(line: bytes, event: Event) -> bool:
    encoded = _ENCODER.encode(event)
    return len(encoded) != len(line) and (encoded.count(b'"') != line.count(b'"') or b"\\u0022" in line)


def _without_nul(text: bytes, lines: Sequence[bytes]) -> bool:
    """No U+0000 where a store would search; inside data and a change's old and new it is kept.

    The events would not show it in a label that stands twice, so it is the lines that are looked at.
    """
    if b"\\" not in text or b"\\u0000" not in text:
        return True
    return not any(b"\\u0000" in line and refusal.holds_nul(line) for line in lines)
