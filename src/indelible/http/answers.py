"""What the routes answer with, as types: handlers encode them and the OpenAPI document is made from them."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from indelible.errors import Fault
from indelible.model.event import Event
from indelible.model.receipt import Receipt, Record


class Batch(Struct, frozen=True):
    """What became of an array or of NDJSON: counts first, receipts of all but the refused, faults of those.

    `errors` are the first 100 faults; `total` counts them all where there are more.
    """

    stored: int
    duplicates: int
    conflicts: int
    refused: int
    receipts: list[Receipt]
    errors: list[Fault]
    total: int | UnsetType = UNSET


class Kept(Event, kw_only=True):
    """An event as it is read back: the bytes that came in, with `record` spliced in front."""

    record: Record


class Events(Struct, frozen=True):
    """A page, newest first by index. `next` is the cursor of the page after it; null means that there is none.

    `complete` is false when some of the range could not be read.
    """

    events: list[Kept]
    next: str | None
    complete: bool


class Count(Struct, frozen=True):
    """How many entries match."""

    count: int


class Log(Struct, frozen=True):
    """A log and how many entries it holds; their indexes run from 0 to size-1."""

    name: str
    size: int


class Logs(Struct, frozen=True):
    """The logs that this server is configured for; no others exist."""

    logs: list[Log]


class Health(Struct, frozen=True):
    """`up`: the process answers. `ready`: the journal is replayed and writes are taken."""

    status: str
