"""A stream of NDJSON as events to send: lines with their places, a lasting id for those that have none, requests of a fitting size."""

from __future__ import annotations

import select
from collections.abc import Iterable, Iterator
from hashlib import sha256
from json import JSONDecoder
from typing import BinaryIO, NamedTuple
from uuid import UUID

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.json import Decoder

from indelible.errors import TooLarge

EVENTS, BYTES = 1000, 8 << 20  # of a request
LONGEST = 64 << 20  # bytes of a line: far above what a server takes, so that a stream without line ends fills no memory
LINGER = 0.1  # s that lines wait for company while the stream pauses
_PIECE = 1 << 20
_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r"
_READER = JSONDecoder(parse_int=str, parse_float=str)


class Line(NamedTuple):
    """An event to send, and the number of its line, from 1."""

    number: int
    text: bytes


class _Named(Struct):
    id: Raw | UnsetType = UNSET


_NAMED = Decoder(_Named)


def requests(stream: BinaryIO, most: int = EVENTS) -> Iterator[list[Line]]:
    """The stream's events in lists of at most `most` events and 8 MiB, sooner where it pauses; blank lines are left out.

    Holds one request and one line at a time. Raises TooLarge for a line that never ends, OSError.
    """
    waiting: list[Line] = []
    size = 0
    for line in named(_lines(_pieces(stream))):
        if waiting and (line is None or len(waiting) == most or size + len(line.text) >= BYTES):
            yield waiting
            waiting, size = [], 0
        if line is not None:
            waiting.append(line)
            size += len(line.text) + 1
    if waiting:
        yield waiting


def named(lines: Iterable[bytes | None]) -> Iterator[Line | None]:
    """The lines that are not blank. Those without an id get one: the first 16 bytes of SHA-256 over the input up to and including
    that line, an LF after each, as UUIDv8 (RFC 9562, 5.8). The same input again makes the same ids; nothing else of a line changes."""
    running = sha256()
    number = 0
    for line in lines:
        if line is None:
            yield None
            continue
        number += 1
        running.update(line)
        running.update(b"\n")
        text = (line.removeprefix(_BOM) if number == 1 else line).strip(_SPACE)
        if text:
            yield Line(number, text if _has_id(text) else with_id(text, _uuid(running.digest())))


def with_id(text: bytes, id: str) -> bytes:
    """The event with this id as its first member, or in place of an `id` that is null; unchanged if it is no JSON object with members."""
    try:
        place = _null_id(text)
    except (ValueError, RecursionError):
        return text
    if place is None:
        return b'{"id":"%b",%b' % (id.encode(), text[1:])
    return b'%b"%b"%b' % (text[:place], id.encode(), text[place + 4 :])


def _has_id(text: bytes) -> bool:
    """Also for what is no event at all: the server says best what is wrong with it."""
    try:
        id = _NAMED.decode(text).id
    except (ValueError, RecursionError):
        return True
    return id is not UNSET and bytes(id) != b"null"


def _null_id(text: bytes) -> int | None:
    """Where the top-level member `id` has its null; None without such a member. ValueError if there is no member or no JSON."""
    characters = text.decode("latin-1")  # a character a byte: names are compared after their escapes are resolved
    at = _skip(characters, 1)
    if characters[at : at + 1] != '"':
        raise ValueError(text)
    while characters[at : at + 1] == '"':
        name, at = _READER.raw_decode(characters, at)
        at = _skip(characters, _skip(characters, at) + 1)  # over the colon
        start = at
        value, at = _READER.raw_decode(characters, at)
        if name == "id" and value is None:
            return start
        at = _skip(characters, _skip(characters, at) + 1)  # over the comma
    return None


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t", "\r", "\n"):
        at += 1
    return at


def _uuid(digest: bytes) -> str:
    number = int.from_bytes(digest[:16], "big")
    return str(UUID(int=number & ~(0xF << 76) & ~(3 << 62) | 8 << 76 | 2 << 62))


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes | None]:
    """Lines without their LF; None where the stream pauses."""
    rest = b""
    for piece in pieces:
        if not piece:
            yield None
            continue
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
        if len(rest) > LONGEST:
            raise TooLarge(f"a line goes on for more than {LONGEST} bytes: NDJSON is one event a line")
    if rest:
        yield rest


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    """What comes, as it comes; an empty piece where nothing more came for a while."""
    read = getattr(stream, "read1", stream.read)
    while piece := read(_PIECE):
        yield piece
        if not _more(stream):
            yield b""


def _more(stream: BinaryIO) -> bool:
    """Whether there is something to read, or the end; a file always has."""
    try:
        return bool(select.select([stream], [], [], LINGER)[0])
    except (OSError, ValueError):  # no descriptor: it lies in memory
        return True
