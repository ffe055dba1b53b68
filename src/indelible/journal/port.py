"""The Journal port: where an acknowledgement becomes a promise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, NewType, Protocol

from msgspec import Struct

from indelible.errors import Damaged

Position = NewType("Position", int)
"""The number of events journaled before this one. Opaque outside the service; survives the start-up rewrite."""


class Frame(Struct, frozen=True, gc=False):
    """One request's events, as they wait to be journaled and as they are read back."""

    log: str
    count: int
    text: bytes  # the events' lines verbatim, each with its LF
    recorded: int  # microseconds since 1970, one for the frame
    writer: str
    dialect: str
    salts: bytes  # 16 bytes an event
    leaves: bytes  # SHA-256 over the concatenated leaves as prepared
    ids: dict[int, str] = {}  # place in the frame → id derived from an Idempotency-Key
    known: dict[int, int] = {}  # place in the frame → index that a look-up before the window found


class Place(NamedTuple):
    """Where a frame begins. `unit` and `offset` belong to the backend (a file and a byte, a message and a byte)."""

    position: Position
    unit: int
    offset: int


class Placed(NamedTuple):
    """A frame and where it stands. The frame's text begins at byte `text` of unit `place.unit`; `next` is the place after it."""

    place: Place
    text: int
    frame: Frame
    next: Place


class Reader(Protocol):
    """Reads durable frames. Can be pickled: another process reads along without a lock."""

    def frames(self, start: Place, stop: Position) -> Iterator[Placed]:
        """The frames from `start` up to the position `stop`, in order, each one whole.

        `stop` is a position that the journal has called durable. Raises Damaged if a frame does not hold its checksum.
        """

    def text(self, unit: int, offset: int, length: int) -> bytes:
        """`length` bytes of event lines at `offset` of `unit`, as `Placed` names them. Raises Damaged if they are gone."""

    def damaged(self, place: Place, reason: str) -> Damaged:
        """The error for the frame at `place`, which is whole but wrong for this `reason`: says where it stands and what helps."""


class Usage(NamedTuple):
    """Bytes: what the journal holds, how many there is room for, and how many it takes at once when it grows."""

    held: int
    free: int
    step: int


class Dropped(NamedTuple):
    """Bytes [start, stop) of a file that are in no frame that counts, and the copy of them that was made first."""

    file: str
    start: int
    stop: int
    kept: Path


class Journal(Protocol):
    """Where an acknowledgement becomes a promise.

    One process appends; a second one on the same journal is refused by name (InUse). A start destroys nothing: what it cannot take for
    a frame is copied before it is dropped. After a clean stop it takes all that was acknowledged, or raises Damaged.
    """

    id: str  # names this history; a position means nothing in another
    largest: int  # bytes of event lines that one frame may hold
    read_only: bool  # it takes no frame
    damage: Damaged | None  # where a journal that is only read had to end, if that was damage
    dropped: Sequence[Dropped]  # by this start

    @property
    def complete(self) -> bool:
        """Whether `end` is all that there is. A journal that takes frames always says True."""

    @property
    def first(self) -> Place:
        """Where the oldest frame that is still there begins."""

    @property
    def end(self) -> Place:
        """Where the next durable frame will begin: everything before it survives a power cut."""

    async def append(self, frame: Frame) -> Placed:
        """Return once the frame and all appended before it survive a killed process and a lost power supply.

        All of its events or none; frames stand in the order of the calls, and return in that order.
        Raises JournalFull when it was not and will not be stored, JournalFailed when the outcome is unknown: the caller must stop and
        find out by reading.
        """

    async def append_all(self, frames: Sequence[Frame]) -> list[Placed]:
        """As `append` for each of `frames`, in their order and next to each other, with one wait for all of them.

        Each frame is whole or not there. JournalFull means that none of them was stored.
        """

    def reader(self) -> Reader:
        """A reader for this process or another."""

    def resume(self, position: Position, leaves: bytes) -> Place:
        """The place of the frame at `position`, which must still be there and hold these `leaves`.

        Raises Damaged if it was trimmed, never was there, or is of another history.
        """

    def trim(self, below: Position) -> None:
        """Let go of what lies strictly below the frame at `below`; that frame itself stays. May keep more than asked."""

    def usage(self) -> Usage:
        """What it takes and what is left. Raises OSError if nobody can say."""

    async def close(self) -> None:
        """Finish what is in flight and release the journal. Appends after it raise JournalFailed."""
