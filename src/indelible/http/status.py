"""How this server is doing, for whoever keeps it running: GET /v1/status."""

from __future__ import annotations

from base64 import b64encode
from time import monotonic

from msgspec.json import encode
from starlette.requests import Request
from starlette.responses import Response

from indelible import __version__
from indelible.errors import IndelibleError
from indelible.http import witnesses
from indelible.http.answers import Disk, LastEvent, LogStatus, LogTree, NotTaken, Scrubbed, ServerStatus, Void
from indelible.http.checks import FOR, failing, replaced
from indelible.http.read import no_parameters
from indelible.http.service import Service
from indelible.log.generations import Generation
from indelible.model import times


async def status(request: Request) -> Response:
    """Everything that an operator asks first. It answers in every state, also while the journal is replayed."""
    no_parameters(request)
    return Response(encode(look(request.app.state.service)), media_type="application/json")


def look(service: Service) -> ServerStatus:
    recorder = service.recorder
    refused = service.refusals.counts.most_common()
    other = replaced(service)
    heard = recorder.heard.sources().items() if recorder.ready else ()  # a replay in its thread changes it under us
    return ServerStatus(
        version=__version__,
        started=times.text(service.started),
        ready={purpose: _standing(service, names) for purpose, names in FOR.items()},
        read_only=service.read_only,
        complete=recorder.ready and not other and recorder.complete,
        damage=other.detail if other else recorder.damage.detail if recorder.damage else None,
        position=recorder.folded,
        disk=_disk(service),
        fsck=_scrubbed(service),
        fsync_p99=service.syncs.percentile(0.99),
        refused=[NotTaken(reason, source, count) for (reason, source), count in refused],
        sources=[LastEvent(log, source, times.text(last.recorded), last.index) for (log, source), last in heard],
        logs=[_log(name, recorder.size(name), recorder.generations(name)) for name in service.logs],
        signing=_signing(service),
        witnesses=witnesses.status(service.witnesses.reports()) if service.witnesses else [],
    )


def _standing(service: Service, names: tuple[str, ...]) -> str:
    """`ok`, or what the first check says that fails."""
    errors: list[IndelibleError] = [error for name in names if (error := failing(service, name))]
    return errors[0].detail if errors else "ok"


def _signing(service: Service) -> str | None:
    """`ok`, or why nothing is signed."""
    publisher = service.publisher
    return None if service.read_only else publisher.halted or publisher.trouble or "ok"


def _disk(service: Service) -> Disk | None:
    try:
        usage = service.journal.usage()
    except OSError:
        return None
    rate = service.rate.per_hour(monotonic(), usage.held)
    return Disk(usage.held, usage.free, round(rate) if rate is not None else None, round(usage.free / rate, 1) if rate else None)


def _scrubbed(service: Service) -> Scrubbed | None:
    scrub = service.scrub
    if scrub is None or not (scrub.rate or scrub.findings):
        return None
    finished = None if scrub.finished is None else times.text(scrub.finished * 1_000_000)
    return Scrubbed(scrub.position, list(scrub.findings), finished)


def _log(name: str, size: int, generations: tuple[Generation, ...]) -> LogStatus:
    trees = [_tree(each) for each in generations]
    void: dict[int, int] = {}
    for each in generations[1:]:
        void[each.since] = min(each.lost, void.get(each.since, each.lost))
    return LogStatus(name, size, trees, [Void(lost, times.text(since)) for since, lost in sorted(void.items())])


def _tree(of: Generation) -> LogTree:
    since = times.text(of.since) if of.since else None
    return LogTree(of.number, of.start, of.tree.size, b64encode(of.tree.root()).decode(), since)
