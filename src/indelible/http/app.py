"""The service as one ASGI callable: the gate, the short way to the write path, and the routes of everything else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from indelible.errors import Damaged, IndelibleError, JournalFull, NotAllowed, NotAnEvent, NotFound
from indelible.http import climb, evidence, health, named, problems, proofs, read, status, tiles
from indelible.http.about import pages
from indelible.http.auth import Gate
from indelible.http.ingest import Ingest
from indelible.http.service import Service

HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)
"""On every answer but receipts: an audit trail is embedded by nobody, and stays in no cache but where a route says so: tiles do."""


def build(service: Service) -> Door:
    """The application; `service` is in `request.app.state.service`."""
    return Door(service, Ingest(service))


def routes() -> list[Route]:
    """Every route. Those of a log stand twice: `/v1/x` is `/v1/logs/{log}/x` of the default log."""
    of_a_log = (
        ("/events", post_elsewhere, "POST"),
        ("/events", read.events, "GET"),
        ("/events/{id:path}", named.event, "GET"),
        ("/count", read.count, "GET"),
        ("/receipts/{id:path}", climb.receipt, "GET"),
        ("/proof/inclusion", proofs.inclusion, "GET"),
        ("/proof/consistency", proofs.consistency, "GET"),
    )
    of_a_tree = (("checkpoint", tiles.checkpoint), ("vkey", tiles.vkey), ("tile/{tile:path}", tiles.tile))
    return [
        *(Route(f"{start}{path}", to, methods=[method]) for start in ("/v1", "/v1/logs/{log}") for path, to, method in of_a_log),
        Route("/v1/logs", read.logs),
        Route("/v1/status", status.status),
        Route("/v1/logs/{log}/entries", evidence.entries),
        Route("/v1/logs/{log}/entries/{index}", read.entry),
        Route("/v1/logs/{log}/trees", evidence.trees),
        *(Route(f"/v1/logs/{{log}}/{path}", to) for path, to in of_a_tree),
        *(Route(f"/v1/logs/{{log}}/g{{generation}}/{path}", to) for path, to in of_a_tree),
        Route("/", pages.home),
        Route("/docs", pages.docs),
        Route("/problems/{name}", pages.problem),
        Route("/openapi.json", pages.openapi),
        Route("/healthz", health.healthz),
        Route("/readyz", health.readyz),
        Route("/metrics", health.metrics),
    ]


async def post_elsewhere(request: Request) -> Response:
    """POST of events to no log of ours; to those that there are the door has the short way. Raises NotFound."""
    _, log = read.asked(request)
    raise NotFound(f"write the path plainly: /v1/logs/{log}/events")


class Door:
    """What every request passes: who may ask, where it goes, and the one place where errors become answers.

    POST of events goes straight on to `ingest`, with `scope["path_params"]["log"]` set and nothing else in its way.
    Until it begins its answer it may raise any IndelibleError; the answers it sends itself it counts itself.
    """

    def __init__(self, service: Service, ingest: Ingest) -> None:
        self._metrics = service.metrics
        self._refusals = service.refusals
        self._scrub = service.scrub
        self.check = Gate(service.key).check
        self.ingest = ingest
        self.posts = {f"/v1/logs/{log}/events".encode(): log for log in service.logs}
        if read.DEFAULT in service.logs:
            self.posts[b"/v1/events"] = read.DEFAULT
        # Starlette's own stack would answer errors in plain text, so its router is called and its stack is not.
        self._inner = Starlette(routes=routes())
        self._inner.state.service = service
        self._inner.router.redirect_slashes = False
        self._plain = _plain_paths(self._inner.routes, service.logs)  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
        try:
            self.check(scope["method"], path, scope["headers"], scope["http_version"])
            if scope["method"] == "POST" and (log := self.posts.get(path)) is not None:
                scope["path_params"] = {"log": log}
                await self.ingest(scope, receive, send)
                return
        except Exception as error:
            ours = self._ours(error, scope)
            if scope["method"] == "POST":
                self._not_taken(ours)
            await self._answer(problems.response(ours), scope, receive, send)
            return
        await self._ask(scope, path.decode("latin-1"), receive, send)

    def _ours(self, error: Exception, scope: Scope) -> IndelibleError:
        """What is answered; damage that a request met counts as found."""
        ours = problems.translated(error, scope)
        if isinstance(ours, Damaged) and self._scrub:
            self._scrub.tell(ours.detail)
        return ours

    def _not_taken(self, error: IndelibleError) -> None:
        if not isinstance(error, NotAnEvent):  # those are counted one by one, where their lines are known
            self._refusals.request(error)
        if isinstance(error, JournalFull):
            self._metrics.full = True

    async def _ask(self, scope: Scope, path: str, receive: Receive, send: Send) -> None:
        """Everything but the write path. Routes match the raw path: a %2F ends no segment, and handlers decode once."""
        scope = {**scope, "path": path, "root_path": "", "app": self._inner}
        watch = _Watch(send, scope["method"] == "HEAD")
        try:
            await self._inner.router(scope, receive, watch.send)
        except HTTPException:
            await self._answer(self._astray(scope["method"], path), scope, receive, send)
        except Exception as error:
            answer = problems.response(self._ours(error, scope))
            if not watch.status:  # else the server closes the connection: half an answer must not look like a whole one
                await self._answer(answer, scope, receive, send)
        else:
            self._metrics.answered(watch.status)

    async def _answer(self, answer: Response, scope: Scope, receive: Receive, send: Send) -> None:
        self._metrics.answered(answer.status_code)
        await answer(scope, receive, _Watch(send, scope["method"] == "HEAD").send)

    def _astray(self, method: str, path: str) -> Response:
        """The answer where no route takes this method and path: the nearest path, or the methods there are."""
        slashed = path.endswith("/") and path.rstrip("/") in self._plain  # /v1/events/ is no event without a name
        if slashed or not (methods := self._methods(path)):
            near = get_close_matches(path[:80].rstrip("/"), self._plain, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else "/docs lists what there is"
            return problems.response(NotFound(f"there is no {path[:80]}: {hint}"))
        allow = ", ".join(sorted({*methods, "OPTIONS"}))
        if method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": allow})
        return problems.response(NotAllowed(f"{path[:80]} takes {allow}, not {method[:20]}"), allow)

    def _methods(self, path: str) -> set[str]:
        fitting = (route for route in self._inner.routes if isinstance(route, Route) and route.path_regex.match(path))
        return {method for route in fitting for method in route.methods or ()}


class _Watch:
    """A `send` that adds HEADERS, remembers the status, and keeps the body of an answer to HEAD."""

    def __init__(self, send: Send, head: bool) -> None:
        self._send = send
        self._head = head
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = {name for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *(each for each in HEADERS if each[0] not in given)]
        elif self._head:
            message = {**message, "body": b""}
        await self._send(message)


def _plain_paths(table: Sequence[Route], logs: Iterable[str]) -> list[str]:
    """The paths without anything to fill in but a log, which is filled in."""
    filled = (route.path.replace("{log}", log) for route in table for log in logs)
    return list(dict.fromkeys(path for path in filled if "{" not in path))
