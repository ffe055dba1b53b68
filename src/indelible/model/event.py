"""What an event is: its members, their types, and the limits checked at the door."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

RESERVED = "indelible."  # types under it are the service's own
DEPTH = 64  # the event's own `{` is depth 1; a rule, not a limit: some store could not hold more


class Limits(Struct, frozen=True):
    """What the door lets in. Configurable, and never looked at again: a replay knows no limits."""

    event_bytes: int = 1 << 20
    batch_bytes: int = 16 << 20
    batch_events: int = 10_000
    header_characters: int = 256  # of `type`, `source` and `id`
    targets: int = 64
    labels: int = 64


class Result(Enum):
    """How it went."""

    success = "success"
    failure = "failure"
    denied = "denied"
    unknown = "unknown"
    pending = "pending"


# A member that is missing (UNSET) and one that is null mean the same to a reader; they are kept apart here because
# the strict decoder compares an event's encoding with its bytes to prove that no member was dropped.
Text = str | None | UnsetType
Name = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]


class Part(Struct, forbid_unknown_fields=True, gc=False):
    """A JSON object inside an event; unknown members are refused by name."""


class Outcome(Part):
    result: Result | None | UnsetType = UNSET
    code: Text = UNSET
    reason: Text = UNSET


class Change(Part):
    path: Text = UNSET
    old: Raw | UnsetType = UNSET
    new: Raw | UnsetType = UNSET


class Target(Part):
    type: Text = UNSET
    id: Text = UNSET
    name: Text = UNSET
    changes: list[Change] | None | UnsetType = UNSET


class Where(Part):
    environment: Text = UNSET
    region: Text = UNSET
    host: Text = UNSET
    instance: Text = UNSET
    version: Text = UNSET


class Actor(Part):
    type: Text = UNSET
    id: Text = UNSET
    name: Text = UNSET
    on_behalf_of: Text = UNSET


class Context(Part):
    """The caller's side only."""

    ip: Text = UNSET
    user_agent: Text = UNSET
    location: Text = UNSET
    session_id: Text = UNSET
    request_id: Text = UNSET


class Trace(Part):
    traceparent: Text = UNSET
    tracestate: Text = UNSET
    correlation_id: Text = UNSET
    causation_id: Text = UNSET


class Producer(Part):
    """One run of a sending process: `id` is new at each start, `sequence` counts 1, 2, …, `last` marks a clean stop."""

    id: Text = UNSET
    sequence: Count | None | UnsetType = UNSET
    last: bool | None | UnsetType = UNSET


class Event(Part):
    """One event as a producer sends it. `time` stays text: msgspec would round `.9999999` into the next second."""

    type: Name
    source: Name
    id: Name | None | UnsetType = UNSET
    time: Text = UNSET
    outcome: Outcome | None | UnsetType = UNSET
    targets: list[Target] | None | UnsetType = UNSET
    where: Where | None | UnsetType = UNSET
    actor: Actor | None | UnsetType = UNSET
    context: Context | None | UnsetType = UNSET
    trace: Trace | None | UnsetType = UNSET
    producer: Producer | None | UnsetType = UNSET
    schema: Text = UNSET
    labels: dict[str, str] | None | UnsetType = UNSET
    data: Raw | UnsetType = UNSET


class OutlinedOutcome(Struct, gc=False):
    """Of an outcome, what a header holds."""

    result: Result | None | UnsetType = UNSET


class Outline(Struct, gc=False):
    """Of an event that was accepted once, what its header holds. To read no more of it costs a third."""

    type: str
    source: str
    id: Text = UNSET
    time: Text = UNSET
    outcome: OutlinedOutcome | None | UnsetType = UNSET


_TWINS = {
    "type": "event event_type event_name action kind verb operation name",
    "source": "service service_name app application system component origin producer_name logger",
    "time": "timestamp ts @timestamp date datetime event_time occurred_at created_at when at",
    "actor": "user user_id username user_name subject principal who account performed_by",
    "targets": "target resource resources resource_id object entity",
    "data": "payload metadata meta details body message msg attributes properties params extra fields custom content",
    "labels": "tags label annotations",
    "outcome": "status result success state",
    "id": "event_id uuid guid message_id",
    "where": "location hostname environment env region host instance version",
    "context": "ip ip_address user_agent session session_id request request_id client",
    "trace": "trace_id traceparent tracestate span_id correlation_id causation_id",
    "producer": "sequence seq",
    "schema": "schema_url dataschema $schema",
}
TWINS = {twin: member for member, twins in _TWINS.items() for twin in twins.split()}
"""What an unknown top-level member was probably meant to be; names are looked up in lower case, `-` as `_`."""
