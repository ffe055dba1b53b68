"""Receipts as JSON: a batch that is new to the last event, the usual one, costs a third of a microsecond an event."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from itertools import count, repeat

from msgspec import UNSET, Struct, structs
from msgspec.json import Encoder, encode

from indelible.errors import Conflict, Fault
from indelible.http.answers import Batch
from indelible.log.duplicates import Settled
from indelible.log.recorder import Recorded
from indelible.model import times
from indelible.model.receipt import Receipt, State, Status

_SEQUENCED = State.sequenced._value_


class _New(Struct, frozen=True, gc=False):
    """A Receipt whose leaf is still bytes and whose status is known: a batch of them is encoded at one go."""

    id: str
    log: str
    index: int
    leaf: bytes
    recorded: str
    status: str = Status.stored._value_
    state: str = _SEQUENCED


_encode = Encoder().encode
_LISTED = 100  # conflicts that a problem describes


def counts(recorded: Recorded) -> tuple[int, int, int]:
    """How many events were stored, duplicates, conflicts."""
    if not recorded.settled:
        return len(recorded.prepared.ids), 0, 0
    became = Counter(settled.status for settled in recorded.settled.values())
    return len(recorded.prepared.ids) - len(recorded.settled), became[Status.duplicate], became[Status.conflict]


def light(recorded: Recorded) -> Recorded:
    """What receipts are made of, and no more: without the events themselves."""
    prepared = recorded.prepared
    return recorded._replace(prepared=structs.replace(prepared, frame=structs.replace(prepared.frame, text=b"", salts=b""), lines=[]))


def of_one(recorded: Recorded, state: State = State.sequenced) -> tuple[int, bytes]:
    """The status and the receipt of a single event. Raises Conflict."""
    if not recorded.settled:
        return 201, _encode(_new(recorded, state)[0])
    if recorded.settled[0].status is Status.conflict:
        raise _conflict(recorded)
    return 200, encode(_receipts(recorded, state)[0])


def of_batch(recorded: Recorded, stored: int, duplicates: int, conflicts: int, state: State = State.sequenced) -> tuple[int, bytes]:
    """The status and the counts, receipts and faults of a batch. Raises Conflict if every event is one."""
    prepared = recorded.prepared
    if not recorded.settled and prepared.at is None:
        head = b'{"stored":%d,"duplicates":0,"conflicts":0,"refused":0,"receipts":' % stored
        return 201, b'%b%b,"errors":[]}' % (head, _encode(_new(recorded, state)))
    if conflicts == len(prepared.ids) + prepared.refused:
        raise _conflict(recorded)
    total = UNSET if prepared.refused <= _LISTED else prepared.refused
    batch = Batch(stored, duplicates, conflicts, prepared.refused, _receipts(recorded, state), list(prepared.faults), total)
    return 201 if stored == len(prepared.ids) + prepared.refused else 200, encode(batch)


def _new(recorded: Recorded, state: State = State.sequenced) -> list[_New]:
    """The receipts of events that all became entries."""
    prepared = recorded.prepared
    moment = times.text(prepared.frame.recorded)
    told = (prepared.ids, repeat(prepared.frame.log), count(recorded.first), prepared.leaves, repeat(moment))
    if state is State.sequenced:
        return list(map(_New, *told))
    return list(map(_New, *told, repeat(Status.stored._value_), repeat(state._value_)))


def _receipts(recorded: Recorded, state: State = State.sequenced) -> list[Receipt]:
    """The receipts of events of which some are duplicates, conflicts, or had refused ones beside them."""
    prepared, frame = recorded.prepared, recorded.prepared.frame
    index = recorded.first
    made = []
    for place, id in enumerate(prepared.ids):
        new = Settled(Status.stored, index, prepared.leaves[place], frame.recorded)
        status, own, leaf, moment = recorded.settled.get(place, new)
        index += own == index  # an entry of its own, be it the record of a conflict
        where = UNSET if prepared.at is None else prepared.at[place]
        made.append(Receipt(id, frame.log, own, b64encode(leaf).decode(), times.text(moment), status, state, where))
    return made


def _conflict(recorded: Recorded) -> Conflict:
    """Every event of the request is one. The attempts are kept: `index` is the entry that records the first."""
    prepared, settled = recorded.prepared, recorded.settled
    faults = tuple(
        Fault(
            f"the id {prepared.ids[place][:80]!r} of source {prepared.sources[place][:80]!r} is taken by other bytes; "
            f"entry {settled[place].index} keeps the attempt",
            prepared.at[place] if prepared.at else place,
        )
        for place in range(min(_LISTED, len(prepared.ids)))
    )
    return Conflict(faults[0].detail, faults, len(prepared.ids), settled[0].index)
