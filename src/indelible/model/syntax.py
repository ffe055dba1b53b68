"""JSON as text: how deep it nests, what it holds with every repeated name kept, and why some bytes are not JSON."""

from __future__ import annotations

import re
from itertools import accumulate
from json import JSONDecodeError, JSONDecoder, dumps

SHOWN = 60  # characters of a value that a message shows
_BRACKETS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
_LONE = re.compile(r"(?:\\[^u])+|\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)")


class NotOneValue(ValueError):
    """The text is not one JSON value; the message says where it goes wrong."""


class TooDeep(ValueError):
    """It may be JSON, but nests deeper than can be read."""


def depth(text: bytes) -> int:
    """How deep the one JSON value `text` nests: `{}` is 1, brackets inside strings do not count."""
    outside = b"".join(text.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    steps = memoryview(outside.translate(_BRACKETS, _NO_BRACKETS)).cast("b")
    return max(accumulate(steps), default=0)


def parse(text: bytes) -> object:
    """The one JSON value in `text`: objects are tuples of (name, value) in order with repeats, numbers are their own bytes.

    Accepts what RFC 8259 does, lone surrogate escapes too. Raises NotOneValue, or TooDeep far beyond any limit of ours.
    """
    try:
        characters = text.decode()
    except UnicodeDecodeError as error:
        raise NotOneValue(f"not UTF-8: byte {error.start} is 0x{text[error.start]:02x}, {error.reason}") from None
    try:
        return _DECODER.decode(characters)
    except JSONDecodeError as error:
        raise NotOneValue(_broken(characters, error)) from None
    except RecursionError:
        raise TooDeep("nested too deep to be read") from None


def lone_surrogate(text: bytes) -> tuple[int, str] | None:
    """Byte offset and text of the first escape that is half a surrogate pair, in what `parse` takes; None without one."""
    if not _HALF.search(text):
        return None
    for match in _LONE.finditer(text.decode("latin-1")):
        if match[1]:
            return match.start(), match[0]
    return None


def shown(value: object) -> str:
    """A parsed value as JSON, cut so that a message stays one line; safe to encode whatever came in."""
    pieces: list[str] = []
    _write(value, pieces, SHOWN)
    written = "".join(pieces)
    return written if len(written) <= SHOWN else written[:SHOWN] + "…"


def _write(value: object, pieces: list[str], room: int) -> int:
    """Appends JSON of `value` until `room` characters are used up; returns the room that is left."""
    if room < 0:
        return room
    if isinstance(value, tuple | list):
        opener, closer = "{}" if isinstance(value, tuple) else "[]"
        pieces.append(opener)
        room -= 2
        for place, item in enumerate(value):
            if room < 0:
                break
            if place:
                pieces.append(", ")
            if isinstance(value, tuple):
                room = _write(item[0], pieces, room) - 4
                pieces.append(": ")
            room = _write(item[1] if isinstance(value, tuple) else item, pieces, room)
        pieces.append(closer)
        return room
    pieces.append(_scalar(value))
    return room - len(pieces[-1])


def _scalar(value: object) -> str:
    if isinstance(value, str):
        text = value[: SHOWN + 1]
        return dumps(text, ensure_ascii=not text.isprintable())
    if isinstance(value, bytes):
        return value[: SHOWN + 1].decode()
    return {None: "null", True: "true", False: "false"}[value]  # type: ignore[index]


def _broken(text: str, error: JSONDecodeError) -> str:
    """Where and why the parser gave up, in bytes and in words."""
    at = len(text[: error.pos].encode())
    stood = text[error.pos : error.pos + 20]
    stood = f"`{stood}`" if stood.isprintable() else shown(stood)
    if error.msg.startswith("Extra data"):
        return f"more than one JSON value: another begins at byte {at} with {stood}"
    if error.msg.startswith("Unterminated string") or error.pos >= len(text):
        return f"not JSON: it ends inside a value, after {len(text.encode())} bytes"
    if error.msg.startswith("Invalid control"):
        return f"not JSON: byte {at} is a raw control character, {stood}: escape it"
    return f"not JSON: {error.msg.removesuffix(' at').lower()} at byte {at}, where {stood} stands"


def _constant(name: str) -> object:
    raise NotOneValue(f"not JSON: {name} is no JSON number; write null, or the name as text")


_DECODER = JSONDecoder(
    object_pairs_hook=tuple,  # called with a list of pairs; this keeps them all, at C speed
    parse_int=str.encode,
    parse_float=str.encode,
    parse_constant=_constant,
)
