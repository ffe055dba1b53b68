"""What machines ask about this process: is it up, does it take events, what has it counted."""

from __future__ import annotations

from msgspec.json import encode
from starlette.requests import Request
from starlette.responses import Response

from indelible.errors import Busy, JournalFailed
from indelible.http.answers import Health
from indelible.http.metrics import CONTENT_TYPE
from indelible.http.service import Service


async def healthz(request: Request) -> Response:
    """The process answers: restart it when it does not."""
    return Response(encode(Health("up")), media_type="application/json")


async def readyz(request: Request) -> Response:
    """The journal is replayed and takes events: send it none while it is not ready. Raises Busy or JournalFailed."""
    service: Service = request.app.state.service
    if service.recorder.failed:
        raise JournalFailed("a write failed: this process is about to end")
    if not service.recorder.ready:
        raise Busy("the journal is being replayed")
    return Response(encode(Health("ready")), media_type="application/json")


async def metrics(request: Request) -> Response:
    """The counters, for Prometheus."""
    service: Service = request.app.state.service
    recorder = service.recorder
    sizes = {log: recorder.size(log) for log in service.logs}
    text = service.metrics.text(recorder.folded, recorder.ready and not recorder.failed, sizes)
    return Response(text, headers={"Content-Type": CONTENT_TYPE})
