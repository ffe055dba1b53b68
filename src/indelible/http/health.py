"""What machines ask about this process: is it up, does it take events, what has it counted."""

from __future__ import annotations

from msgspec.json import encode
from starlette.requests import Request
from starlette.responses import Response

from indelible.http.answers import Health, Ready
from indelible.http.checks import FOR, checks
from indelible.http.metrics import CONTENT_TYPE, checkpoints_text, fsck_text
from indelible.http.read import bad, parameters
from indelible.http.service import Service


async def healthz(request: Request) -> Response:
    """The process answers: restart it when it does not."""
    return Response(encode(Health("up")), media_type="application/json")


async def readyz(request: Request) -> Response:
    """Whether it answers questions, or with ?for=write whether it takes events. Raises what the first check says that fails."""
    pairs = parameters(request.scope["query_string"])
    if pairs not in ([], *([("for", purpose)] for purpose in FOR)):
        raise bad(pairs[0][0][:80], "only for=read or for=write may stand here")
    holding = checks(request.app.state.service, pairs[0][1] if pairs else "read")
    return Response(encode(Ready("ready", holding)), media_type="application/json")


async def metrics(request: Request) -> Response:
    """The counters, for Prometheus."""
    service: Service = request.app.state.service
    recorder = service.recorder
    sizes = {log: recorder.size(log) for log in service.logs}
    try:
        usage = service.journal.usage()
    except OSError:
        usage = None
    reports = service.witnesses.reports() if service.witnesses else []
    text = service.metrics.text(recorder.folded, recorder.ready and not recorder.failed, sizes, service.syncs, usage, reports)
    publisher = service.publisher
    halted = bool(publisher.halted or publisher.trouble) and not service.read_only
    text += checkpoints_text(publisher.signed, publisher.syncs, publisher.sizes(), halted)
    if (scrub := service.scrub) and (scrub.rate or scrub.findings):
        text += fsck_text(scrub.position, len(scrub.findings), scrub.finished or service.started // 1_000_000)
    return Response(text, headers={"Content-Type": CONTENT_TYPE})
