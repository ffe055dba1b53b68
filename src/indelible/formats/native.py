"""Indelible's own dialect: one event, a JSON array of events, or NDJSON. Bodies are sliced, never re-rendered."""

from __future__ import annotations

import re
from itertools import islice
from operator import itemgetter
from typing import TypeVar

from msgspec import MsgspecError, Raw
from msgspec.json import Decoder

from indelible.errors import Fault, NotAnEvent, NotJSON, TooLarge
from indelible.formats.lines import Lines, media_type
from indelible.model import syntax, wording
from indelible.model.event import Limits

JSON = "application/json"
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_OPEN, _CLOSE = {ord("{")}, {ord("}")}
_FIRST, _LAST = itemgetter(0), itemgetter(-1)
_BREAKS = bytes.maketrans(b"\r\n", b"  ")
_FILLED = re.compile(rb"[^ \t\r\n][^\n]*")
_BYTE = re.compile(r"\(byte ([0-9]+)\)")
_GAP = re.compile(rb"[ \t\r\n,]*")
_T = TypeVar("_T")
_CROWDED = 64  # commas for each event allowed; with more, an array's elements are counted before they are sliced
_VALUE = Decoder(Raw)
_VALUES = Decoder(list[Raw])


def split(body: bytes, content_type: str, limits: Limits) -> Lines:
    """The events in `body`, unchecked but for their borders; a byte order mark before them is skipped.

    In NDJSON a line that is not JSON stays, to be refused with its place. Raises NotJSON if there is nothing to split,
    NotAnEvent if there is no event or it is neither object nor array, TooLarge, and Unsupported for a charset other than UTF-8.
    """
    if len(body) > limits.batch_bytes:
        raise TooLarge(f"the body has {len(body)} bytes: send at most {limits.batch_bytes} at once")
    kind = media_type(content_type)
    body = body.removeprefix(_BOM)
    return _json(body, limits) if kind == JSON else _ndjson(body, limits)


def _ndjson(body: bytes, limits: Limits) -> Lines:
    if body[-1:] == b"}":
        body += b"\n"
    if body[:1] == b"{" and body[-2:] == b"}\n" and b"\r" not in body:
        lines = body.split(b"\n", limits.batch_events)
        rest = lines.pop()
        if not rest and all(lines) and set(map(_FIRST, lines)) == _OPEN and set(map(_LAST, lines)) == _CLOSE:
            return Lines(body, lines, False)
    lines = [_line(found[0]) for found in islice(_FILLED.finditer(body), limits.batch_events + 1)]
    if len(lines) > limits.batch_events:
        raise _too_many(limits)
    return _lines(lines)


def _line(line: bytes) -> bytes:
    """Without the space around it, and without CR inside; a CR in a string stays, for that is no JSON."""
    line = line.strip(_SPACE)
    if b"\r" in line:
        try:
            _VALUE.decode(line)
        except (MsgspecError, ValueError, RecursionError):
            return line
    return line.translate(_BREAKS)


def _json(body: bytes, limits: Limits) -> Lines:
    start = len(body) - len(body.lstrip(_SPACE))
    if body[start : start + 1] == b"[":
        return _lines([element.translate(_BREAKS) for element in _elements(body, limits)])
    try:
        _decoded(_VALUE, body)
    except RecursionError:
        raise _too_deep() from None
    except (MsgspecError, ValueError) as error:
        raise _not_json(body, error) from None
    line = body.strip(_SPACE).translate(_BREAKS)
    if line[:1] != b"{":
        raise _refused(f"send one event or a list of them, not {_shown(line)}")
    return Lines(line + b"\n", [line], True)


def _elements(body: bytes, limits: Limits) -> list[bytes]:
    """The array's elements, as they stand in the body."""
    if body.count(b",") > _CROWDED * limits.batch_events:
        _check_crowd(body, limits)
    try:
        plain, found = _decoded(_VALUES, body)
    except RecursionError:
        raise _too_deep() from None
    except (MsgspecError, ValueError) as error:
        raise _not_json(body, error) from None
    if len(found) > limits.batch_events:
        raise _too_many(limits)
    if plain is body:
        return [bytes(element) for element in found]
    elements, end = [], 0
    for element in map(bytes, found):
        start = plain.index(element, end)  # exact: between two elements there are only commas and spaces
        end = start + len(element)
        elements.append(body[start:end])
    return elements


def _decoded(decoder: Decoder[_T], body: bytes) -> tuple[bytes, _T]:
    """The body's value, or its elements, and the text that it was found in: the body, or the same with plain escapes for surrogates.

    Half a pair makes an event bad, but not the list that it is in: borders are found in that text, bytes are taken from the body.
    """
    try:
        return body, decoder.decode(body)
    except (MsgspecError, ValueError):
        plain = _plain(body)
        if plain is body:
            raise
        return plain, decoder.decode(plain)


def _plain(body: bytes) -> bytes:
    """The body with other escapes of the same length in place of those of surrogates, which begin with a d."""
    return body.replace(b"\\ud", b"\\u0").replace(b"\\uD", b"\\u0")


def _check_crowd(body: bytes, limits: Limits) -> None:
    """Stops a body of millions of tiny elements before each becomes an object; big events with many commas pass."""
    text = _plain(body)
    rest = memoryview(text)
    at = text.index(b"[") + 1
    for _ in range(limits.batch_events + 1):
        at = _GAP.match(text, at).end()  # type: ignore[union-attr]
        if text[at : at + 1] in (b"]", b""):
            return
        try:
            _VALUE.decode(rest[at:])
        except (MsgspecError, RecursionError) as error:
            if "trailing characters" not in str(error) or not (found := _BYTE.search(str(error))):
                return  # said better, and with its place, where the array is decoded
            at += int(found[1]) - 1
    raise _too_many(limits)


def _lines(lines: list[bytes]) -> Lines:
    if not lines:
        raise _refused("there is no event in the body: send at least one")
    return Lines(b"".join([line + b"\n" for line in lines]), lines, False)


def _not_json(body: bytes, error: Exception) -> NotJSON:
    """Where splitting stopped, and what stood there."""
    found = _BYTE.search(str(error))
    if not body.strip(_SPACE):
        return NotJSON("the body is empty: send one event, or a list of them")
    if not found:
        return NotJSON(f"the body ends too early: after {len(body)} bytes a value is still open")
    at = int(found[1])
    if "trailing characters" in str(error):
        at -= 1  # the decoder has read one byte of it
        if body[at : at + 1] == b"{":
            return NotJSON(f"a second value begins at byte {at}: send lines of events as Content-Type: {NDJSON[0]}, or put them into [ ]")
    reason = str(error).removeprefix("JSON is malformed: ").replace(found[0], "").strip()
    return NotJSON(f"the body is not JSON: {reason} at byte {at}, where {_shown(body[at : at + 20])} stands")


def _shown(some: bytes) -> str:
    text = some[: syntax.SHOWN].decode("utf-8", "replace")
    return f"`{text}`" if text.isprintable() else syntax.shown(text)


def _too_many(limits: Limits) -> TooLarge:
    return TooLarge(f"more than {limits.batch_events} events in one batch: send several batches")


def _too_deep() -> NotAnEvent:
    return _refused(wording.too_deep("hundreds of"))


def _refused(detail: str) -> NotAnEvent:
    return NotAnEvent(detail, (Fault(detail, pointer="#"),), 0)  # there was no event to refuse
