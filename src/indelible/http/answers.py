"""What the routes answer with, as types: handlers encode them and the OpenAPI document is made from them."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType, field

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
    """How many entries match. `complete` is false when some of the range could not be read: then there may be more."""

    count: int
    complete: bool


class Log(Struct, frozen=True):
    """A log and how many entries it holds; their indexes run from 0 to size-1."""

    name: str
    size: int


class Logs(Struct, frozen=True):
    """The logs that this server is configured for; no others exist. `complete` is false when some could not be read: they may be larger."""

    logs: list[Log]
    complete: bool


class InclusionProof(Struct, frozen=True):
    """That an entry is in a log. Hashes, `leaf` and `salt` are base64; `checkpoint` is null for a size of which none is kept.

    `leaf` is SHA-256 of a zero byte and `header`; `header` holds SHA-256 of `salt` and the event's bytes. The entry is leaf
    `index` − `start` of the tree named `origin`; `start` is 0 unless acknowledged events were lost.
    """

    log: str
    origin: str
    index: int
    start: int
    size: int
    leaf: str
    hashes: list[str]
    checkpoint: str | None
    header: str
    salt: str


class ConsistencyProof(Struct, frozen=True):
    """That the first `old` entries of a log are the beginning of its first `new`. `checkpoint` is that of `new`, if it is kept."""

    log: str
    origin: str
    old: int = field(name="from")
    new: int = field(name="to")
    hashes: list[str] = []
    checkpoint: str | None = None


class ProvenEvent(Struct, frozen=True):
    """An event with the proof that it is in the log."""

    event: Kept
    proof: InclusionProof


class Health(Struct, frozen=True):
    """`up`: the process answers."""

    status: str


class Ready(Struct, frozen=True):
    """`ready`, and the checks that hold, each `ok`."""

    status: str
    checks: dict[str, str]


class Disk(Struct, frozen=True):
    """Bytes: what the journal holds, what is free, and what an hour adds at the rate of this process or of its last day.

    `per_hour` is null in the first minute, `hours_left` while nothing is added.
    """

    journal: int
    free: int
    per_hour: int | None
    hours_left: float | None


class NotTaken(Struct, frozen=True):
    """So many events (or requests, where no event could be told from another) were refused since the start, by reason and source."""

    reason: str
    source: str
    count: int


class LastEvent(Struct, frozen=True):
    """The newest entry of a source; `time` is when it was recorded."""

    log: str
    source: str
    time: str
    index: int


class LogTree(Struct, frozen=True):
    """A generation of a log's tree: `size` leaves, the first of which is the entry at index `start`; `root` in base64.

    `since` is when the damage event was recorded that begins it; null for the first.
    """

    generation: int
    start: int
    size: int
    root: str
    since: str | None


class Void(Struct, frozen=True):
    """Receipts for this index or a higher one, recorded before that time, no longer hold: their events are lost or have another index."""

    index: int = field(name="from")
    before: str


class LogStatus(Struct, frozen=True):
    name: str
    size: int
    trees: list[LogTree]
    void: list[Void]


class WitnessStatus(Struct, frozen=True):
    """A witness of the policy since the start. `behind` counts the logs whose newest checkpoint it has not cosigned; `lag` is the
    seconds since the first that it owes was published. `alarms` says by log what is wrong: docs/witnesses.md.
    """

    name: str
    url: str
    last_ok: str | None
    last_outcome: str | None
    last_detail: str
    behind: int
    lag: float
    alarms: dict[str, str]


class Scrubbed(Struct, frozen=True):
    """The slow look at the journal: how far this round is, and when the last one ended, null before the first. `position` counts events.

    `findings` are what it and requests found damaged (at most 20), until a whole round has not found it.
    """

    position: int
    findings: list[str]
    finished: str | None


class ServerStatus(Struct, frozen=True):
    """How the server is doing. `ready` says for `read` and `write` what /readyz would: `ok`, or which check fails.

    `position` counts the events journaled and folded. `fsync_p99` is in seconds, of the latest 1,024 syncs; null where there was none.
    `damage` is where a server that only reads had to stop. `signing` is `ok`, or why no checkpoint is signed and the command that
    helps; null where the server only reads.
    `fsck` is null where `fsck_rate` is 0 and nothing was found. `sources` are at most the 1,000 heard of last, newest first.
    """

    version: str
    started: str
    ready: dict[str, str]
    read_only: bool
    complete: bool
    damage: str | None
    position: int
    disk: Disk | None
    fsck: Scrubbed | None
    fsync_p99: float | None
    refused: list[NotTaken]
    sources: list[LastEvent]
    logs: list[LogStatus]
    signing: str | None
    witnesses: list[WitnessStatus]
