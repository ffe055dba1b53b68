"""What a producer gets back for an event, and what a reader gets for an entry."""

from __future__ import annotations

from enum import Enum

from msgspec import UNSET, Struct, UnsetType


class Status(Enum):
    """What became of one event."""

    stored = "stored"
    duplicate = "duplicate"  # the same bytes were there already: this is their first receipt
    conflict = "conflict"  # other bytes hold this id: `index` is the entry that records the attempt


class State(Enum):
    """How far an event has come; a receipt never promises a state before it is reached."""

    durable = "durable"  # survives a killed process and a lost power supply
    sequenced = "sequenced"  # has its index
    proven = "proven"  # under a signed checkpoint
    witnessed = "witnessed"  # under a checkpoint that others have cosigned


class Receipt(Struct, frozen=True, gc=False):
    """The promise for one event. `leaf` is the RFC 6962 leaf hash in base64, `recorded` RFC 3339 in UTC.

    `at` is the event's place among those sent, given where `on_error=skip` left some out.
    """

    id: str
    log: str
    index: int
    leaf: str
    recorded: str
    status: Status
    state: State
    at: int | UnsetType = UNSET


class Record(Struct, frozen=True, gc=False):
    """The one member that is spliced in front of an event's own bytes when it is read back."""

    log: str
    index: int
    id: str
    time: str
    recorded: str
    writer: str
    assigned: list[str]
