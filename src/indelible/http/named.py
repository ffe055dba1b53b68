"""One event by its id, with its proof if that is asked for."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from indelible.http.proofs import form_of, proven
from indelible.http.read import JSON, asked, bad, id_in, one_each, row_named, spliced


async def event(request: Request) -> Response:
    """The one event with this id; with proof=1, that it is in the log too."""
    service, log = asked(request)
    id = id_in(request)
    given = one_each(request, ("source", "proof", "format"))
    if given.get("proof", "1") != "1" or ("format" in given and "proof" not in given):
        raise bad("proof", "proof=1 gives the event with its proof, and format goes with it")
    row = await row_named(service, log, id, given.get("source"))
    if "proof" not in given:
        return Response(spliced(row), media_type=JSON)
    return await proven(service, row, form_of(request, given))
