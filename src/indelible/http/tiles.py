"""The log as files: checkpoints, keys, tiles and bundles, where programs that know C2SP's tlog-tiles look for them."""

from __future__ import annotations

import asyncio
import gzip
import re
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from indelible.errors import Malformed, NotFound, NotYet
from indelible.http.proofs import loss
from indelible.http.read import asked, no_parameters
from indelible.http.service import Service
from indelible.log.shown import Shown
from indelible.tree.tiles import ENTRIES, tile_at

TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"
FOREVER = "max-age=31536000, immutable"
FRESH = "no-cache"
_NUMBER = re.compile("[1-9][0-9]{0,8}")  # of a generation


async def checkpoint(request: Request) -> Response:
    """The newest signed checkpoint. Raises NotYet while the log has none."""
    _, shown = _tree(request)
    if shown.latest is None:
        raise NotYet(f"the log {shown.origin} has no checkpoint yet: its first one comes a second after its first entry")
    return await _answer(request, shown.latest.note, TEXT, FRESH)


async def vkey(request: Request) -> Response:
    """The public keys under which the log signs now, newest first, a line each."""
    service, shown = _tree(request)
    keys = service.publisher.vkeys(shown.log, shown.generation.number)
    return await _answer(request, "".join(f"{key}\n" for key in keys).encode(), TEXT, FRESH)


async def tile(request: Request) -> Response:
    """A tile or a bundle, of those that the published entries have. Raises NotFound."""
    service, shown = _tree(request)
    try:
        wanted = tile_at(f"tile/{request.path_params['tile']}")
    except Malformed as error:
        raise NotFound(error.detail) from None
    if not wanted.is_in(shown.size):
        raise NotFound(f"{wanted.path} is beyond the {shown.size} entries that {shown.origin} shows{loss(service, shown)}")
    data = await service.proofs.tile(shown.log, shown.generation, wanted)
    return await _answer(request, data, BYTES, FOREVER, pack=wanted.level == ENTRIES)


def _tree(request: Request) -> tuple[Service, Shown]:
    """What is shown of the generation that the path names, the current one if it names none. Raises NotFound."""
    service, log = asked(request)
    no_parameters(request)
    named = request.path_params.get("generation")
    if named is not None and not _NUMBER.fullmatch(named):
        raise NotFound(f"{named[:40]!r} is the number of no generation: 1, 2 and so on are")
    return service, service.publisher.shown(log, None if named is None else int(named))


async def _answer(request: Request, data: bytes, media: str, caching: str, *, pack: bool = False) -> Response:
    """All of it, or 304 if the client has it; packed where it may be, which takes up to 80 ms: not in the event loop."""
    headers = {"Content-Type": media, "Cache-Control": caching}
    packed = pack and takes_gzip(request.headers.getlist("accept-encoding"))
    tag = sha256(data).hexdigest()[:32] + ("-gzip" if packed else "")
    if pack:
        headers["Vary"] = "Accept-Encoding"
    headers["ETag"] = f'"{tag}"'
    if _has(request.headers.getlist("if-none-match"), tag):
        del headers["Content-Type"]
        return Response(status_code=304, headers=headers)
    if packed:
        headers["Content-Encoding"] = "gzip"
        data = await asyncio.to_thread(gzip.compress, data, 6, mtime=0)
    return Response(data, headers=headers)


def takes_gzip(accepted: list[str]) -> bool:
    """Whether gzip is among the codings that a client accepts (RFC 9110, 12.5.3)."""
    weights = {}
    for part in ",".join(accepted).lower().split(","):
        name, _, weight = part.partition(";")
        weights[name.strip()] = weight.replace(" ", "")
    weight = weights.get("gzip", weights.get("x-gzip", weights.get("*", "q=0")))
    try:
        return not weight or float(weight.removeprefix("q=")) > 0
    except ValueError:
        return False


def _has(given: list[str], tag: str) -> bool:
    """Whether an If-None-Match names what would be sent (RFC 9110, 13.1.2)."""
    names = [each.strip().removeprefix("W/") for each in ",".join(given).split(",")]
    return "*" in names or f'"{tag}"' in names
