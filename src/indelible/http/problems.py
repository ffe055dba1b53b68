"""Every error as it leaves the service: problem details (RFC 9457), and one line in the log for those that are our fault."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType
from msgspec.json import encode
from starlette.responses import Response
from starlette.types import Scope

from indelible.errors import Busy, Fault, IndelibleError
from indelible.http.log import say, trace

MEDIA_TYPE = "application/problem+json"
MOST_FAULTS = 100


class Problem(Struct, frozen=True):
    """An error's answer. `errors` are the first 100 faults; `total` counts them all where there are more.

    `index` stands on a conflict only: the entry that records it.
    """

    type: str
    title: str
    status: int
    detail: str
    errors: list[Fault] = []
    total: int | UnsetType = UNSET
    index: int | UnsetType = UNSET


def problem(error: IndelibleError) -> Problem:
    """What the outside learns of `error`: all of a refusal, of a failure of ours no more than its name."""
    if error.status == 500:
        return Problem(f"/problems/{error.name}", error.title, 500, "the server's log says more")
    cut = error.total > len(error.faults) or len(error.faults) > MOST_FAULTS
    index = getattr(error, "index", None)
    return Problem(
        f"/problems/{error.name}",
        error.title,
        error.status,
        error.detail,
        list(error.faults[:MOST_FAULTS]),
        max(error.total, len(error.faults)) if cut else UNSET,
        index if isinstance(index, int) else UNSET,
    )


def response(error: IndelibleError, allow: str = "") -> Response:
    """The answer to a request that ended in `error`; `allow` are the methods that a 405 names."""
    headers = {"Allow": allow} if allow else {}
    if error.status in (503, 507):
        headers["Retry-After"] = str(getattr(error, "retry_after", Busy.retry_after))
    elif error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="indelible"'
    return Response(encode(problem(error)), error.status, headers, MEDIA_TYPE)


def translated(error: Exception, scope: Scope) -> IndelibleError:
    """Our own error for whatever a handler raised; those that are our fault are logged on stderr.

    A failed journal is not, however many requests meet it: the process ends, and says so once.
    """
    ours = error if isinstance(error, IndelibleError) else IndelibleError()
    if ours.status == 500:
        say(
            "failed",
            "error",
            method=scope["method"],
            path=scope["path"][:200],
            error=type(error).__name__,
            detail=error.detail if isinstance(error, IndelibleError) else "",  # a foreign error may quote what was sent
            trace=trace(error.__traceback__),
        )
    return ours
