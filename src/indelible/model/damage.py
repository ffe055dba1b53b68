"""The entry that a repair leaves where something was damaged, and what it says."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from indelible.model.conflict import opening

DAMAGE = "indelible.damage"


class Gap(NamedTuple):
    """Bytes [start, stop) of a file that do not hold what was written. `lost`: something that was acknowledged stood there.

    `reason` says in a few words what was seen.
    """

    file: str
    start: int
    stop: int
    lost: bool
    reason: str

    @property
    def where(self) -> str:
        """Where in the file, for people."""
        return f"bytes {self.start} to {self.stop}" if self.stop > self.start else f"byte {self.start}"


class Repair(NamedTuple):
    """What a look at a journal found: damage in the order of the chain, and how much is whole.

    `aside` is where the old journal is now, None if nothing was changed; `finished`: a repair that was interrupted was finished first.
    """

    gaps: list[Gap]
    frames: int
    events: int
    aside: Path | None
    finished: bool


class Head(NamedTuple):
    """A log as it stands: its last index (None if it has no entry), and the size, root and number of its current generation."""

    index: int | None  # type: ignore[assignment]  # over tuple.index, which nobody calls on it
    size: int
    root: bytes
    generation: int


class Damage(Struct, frozen=True):
    """What a damage event says: where, whether acknowledged bytes are lost, and the log as it was before (docs/format.md)."""

    file: str
    start: int = msgspec.field(name="from")
    stop: int = msgspec.field(name="to")
    lost: bool
    index: int | None
    size: int
    root: str
    generation: int


class _Event(Struct):
    data: Damage


_START = opening(DAMAGE)
_decode = msgspec.json.Decoder(_Event).decode
_encode = msgspec.json.encode


def damage_body(gap: Gap, head: Head) -> bytes:
    """The event's bytes: one line, its members in this order."""
    data = Damage(gap.file, gap.start, gap.stop, gap.lost, head.index, head.size, b64encode(head.root).decode(), head.generation)
    return b'%b"data":%b}' % (_START, _encode(data))


def damage_in(line: bytes) -> Damage | None:
    """What the event in `line` says, if it is a damage event."""
    return _decode(line).data if line.startswith(_START) else None
