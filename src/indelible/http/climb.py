"""How far an event has come since its receipt: GET /v1/receipts/{id}, and what a sender may wait for."""

from __future__ import annotations

from base64 import b64encode

from msgspec.json import encode
from starlette.requests import Request
from starlette.responses import Response

from indelible.http.read import JSON, asked, id_in, one_each, row_named
from indelible.http.service import Service
from indelible.log.recorder import Recorded
from indelible.model import times
from indelible.model.conflict import is_conflict
from indelible.model.receipt import Receipt, State, Status
from indelible.tree.merkle import leaf_hash


async def receipt(request: Request) -> Response:
    """The receipt of an event as of now. One of an attempt under a known id says `conflict`."""
    service, log = asked(request)
    row = await row_named(service, log, id_in(request), one_each(request, ("source",)).get("source"))
    shown = service.publisher.holding(log, row.index)
    place = row.index - shown.generation.start
    (entry,) = await service.proofs.entries(log, shown.generation, range(place, place + 1))
    leaf = b64encode(leaf_hash(entry.header)).decode()
    status = Status.conflict if is_conflict(row.body) else Status.stored
    made = Receipt(row.id, log, row.index, leaf, times.text(row.recorded), status, shown.state(row.index))
    return Response(encode(made), media_type=JSON)


async def reached(service: Service, recorded: Recorded, asked: State) -> State:
    """The state that all events of a request have reached, once that is the one `asked` for or the time for waiting is over."""
    if asked in (State.durable, State.sequenced):
        return State.sequenced
    new = len(recorded.prepared.ids) - len(recorded.settled)
    last = max([recorded.first + new - 1, *(settled.index for settled in recorded.settled.values())])
    return await service.publisher.reached(recorded.prepared.frame.log, last, asked, service.ack_timeout)
