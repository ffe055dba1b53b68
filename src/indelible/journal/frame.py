"""The bytes of a frame: one JSON line about a request, then its event lines verbatim (docs/format.md, "The journal")."""

from __future__ import annotations

import time
from binascii import b2a_base64
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec
from msgspec import UNSET, Struct, UnsetType
from xxhash import xxh3_128, xxh3_128_hexdigest

from indelible.journal.port import Frame

MAGIC = b'{"v":1,'  # no event line begins like this: the door refuses unknown members
_SEAL = b',"checksum":"'
_TAIL = len(_SEAL) + 32 + len(b'"}\n')
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Broken(Exception):
    """These bytes are no whole frame; says why in a few words."""


class After(Struct, frozen=True):
    """Which file a file follows, that file's final length in bytes and the checksum of its last frame."""

    file: str
    length: int
    checksum: str


class _Head(Struct, gc=False):
    v: Literal[1]
    log: str
    count: int
    length: int = msgspec.field(name="bytes")
    recorded: str
    writer: str
    dialect: str
    salts: bytes
    leaves: str
    prev: str
    safe: int
    checksum: str
    ids: dict[int, str] = {}
    known: dict[int, int] = {}
    position: int | UnsetType = UNSET
    after: After | None | UnsetType = UNSET


class Found(NamedTuple):
    """A frame whose checksum holds, as it stands in a file. `start`, `text` and `end` are bytes from the file's beginning."""

    frame: Frame
    start: int
    text: int
    end: int
    prev: str
    safe: int
    checksum: str
    position: int | None  # given by the first frame of a file only
    after: After | None


_decode_head = msgspec.json.Decoder(_Head).decode
_encode_json = msgspec.json.encode


def seed(file: str) -> str:
    """What stands for the checksum before the first frame of `file`: a frame cannot move to another file."""
    return xxh3_128_hexdigest(file.encode())


def opening(position: int, after: After | None) -> str:
    """The members that only the first frame of a file has."""
    return f',"position":{position},"after":{_encode_json(after).decode()}'


def encode(frame: Frame, prev: str, safe: int, opening: str = "") -> tuple[bytes, str]:
    """The frame's line (with its LF) and its checksum; the event lines follow the line verbatim.

    `prev` is the checksum before it, `safe` the durable bytes of its file, `opening` what `opening()` gives for the first frame of a file.
    """
    seconds, micros = divmod(frame.recorded, 1_000_000)
    ids = f',"ids":{_encode_json(frame.ids).decode()}' if frame.ids else ""
    known = f',"known":{_encode_json(frame.known).decode()}' if frame.known else ""
    head = (
        f'{{"v":1,"log":{_quoted(frame.log)},"count":{frame.count},"bytes":{len(frame.text)},"recorded":"{_second(seconds)}.{micros:06d}Z",'
        f'"writer":{_quoted(frame.writer)},"dialect":{_quoted(frame.dialect)},"salts":"{b2a_base64(frame.salts, newline=False).decode()}"'
        f'{ids}{known},"leaves":"{frame.leaves.hex()}","prev":"{prev}","safe":{safe}{opening}'
    ).encode()
    digest = xxh3_128(head)
    digest.update(frame.text)
    checksum = digest.hexdigest()
    return b'%b,"checksum":"%b"}\n' % (head, checksum.encode()), checksum


def decode(buffer: bytes, at: int, start: int) -> Found | int:
    """The frame at `buffer[at:]`, which is byte `start` of its file; or how many bytes from there are needed to tell.

    Raises Broken if no frame begins there or its checksum does not hold.
    """
    if not buffer.startswith(MAGIC, at):
        if MAGIC.startswith(buffer[at:]):
            return len(MAGIC)
        raise Broken("no frame begins here")
    stop = buffer.find(b"\n", at) + 1
    if not stop:
        return 2 * (len(buffer) - at)
    line = buffer[at:stop]
    if line[-_TAIL : len(_SEAL) - _TAIL] != _SEAL:
        raise Broken("the frame's line has no checksum")
    head = _head(line)
    end = stop + head.length
    if end > len(buffer):
        return end - at
    text = buffer[stop:end]
    if xxh3_128_hexdigest(line[:-_TAIL] + text) != head.checksum:
        raise Broken("the frame's checksum does not hold")
    position = None if head.position is UNSET else head.position
    after = None if head.after is UNSET else head.after
    try:
        frame = _frame(head, text)
    except (ValueError, TypeError):
        raise Broken("the frame's line cannot be read") from None
    return Found(frame, start, start + stop - at, start + end - at, head.prev, head.safe, head.checksum, position, after)


def _head(line: bytes) -> _Head:
    try:
        head = _decode_head(line)
    except (msgspec.MsgspecError, ValueError):
        raise Broken("the frame's line cannot be read") from None
    if head.length < 0:
        raise Broken("the frame's line cannot be read")
    return head


def _frame(head: _Head, text: bytes) -> Frame:
    leaves = bytes.fromhex(head.leaves)
    return Frame(head.log, head.count, text, _micros(head.recorded), head.writer, head.dialect, head.salts, leaves, head.ids, head.known)


@lru_cache(64)  # frames that became durable together often share it
def _micros(recorded: str) -> int:
    since = datetime.fromisoformat(recorded) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


@lru_cache(1024)
def _quoted(text: str) -> str:
    return _encode_json(text).decode()


@lru_cache(16)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
