"""Questions: pages of events, one event by id or index, counts, and the logs that there are (docs/http-api.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote_to_bytes

from msgspec import Struct
from msgspec.json import Decoder, encode
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from indelible.errors import Ambiguous, BadParameter, Busy, Fault, NotFound
from indelible.http.answers import Count, Log, Logs
from indelible.http.service import Service
from indelible.log.generations import voided
from indelible.model import times
from indelible.model.query import cursor, parse
from indelible.model.receipt import Record
from indelible.store.port import Row

DEFAULT = "default"  # the log that a short path means
ANSWER = 8 << 20  # bytes at which a page ends, with a cursor
MOST_PARAMETERS = 200  # each unknown one costs a search for its likely twin
MOST_DIGITS = 18  # of an index
JSON = "application/json"


async def events(request: Request) -> Response:
    """A page of the events that match, newest first."""
    service, log = asked(request)
    question = parse(log, parameters(request.scope["query_string"]))
    page = await service.store.page(question.query, question.below, question.limit, ANSWER)
    texts, more = _fitting(page.rows, page.next)
    after = encode(None if more is None else cursor(question.query, more))
    complete = encode(page.complete and service.recorder.complete)
    return Response(b'{"events":[%b],"next":%b,"complete":%b}' % (b",".join(texts), after, complete), media_type=JSON)


async def entry(request: Request) -> Response:
    """The event at this index of a log."""
    service, log = asked(request)
    no_parameters(request)
    text = request.path_params["index"]
    index = number(request.path_params, "index")
    row = await service.store.entry(log, index)
    if row is None:
        size, void = service.recorder.size(log), voided(service.recorder.generations(log), index)
        raise NotFound(f"log {log!r} has no entry {text[:40]}: it has {size}, counted from 0{void}{_short(service)}")
    return Response(spliced(row), media_type=JSON)


async def count(request: Request) -> Response:
    """How many events match."""
    service, log = asked(request)
    question = parse(log, parameters(request.scope["query_string"]), paging=False)
    found = await service.store.count(question.query)
    return Response(encode(Count(found, service.recorder.complete)), media_type=JSON)


async def logs(request: Request) -> Response:
    """The configured logs and their sizes."""
    service: Service = request.app.state.service
    no_parameters(request)
    wait_until_ready(service)
    sizes = [Log(name, service.recorder.size(name)) for name in service.logs]
    return Response(encode(Logs(sizes, service.recorder.complete)), media_type=JSON)


def id_in(request: Request) -> str:
    """The id in the path, decoded once."""
    raw = request.path_params["id"]
    if not raw:  # /v1/events/ is no event but a path with a slash too many
        raise HTTPException(404)
    return decoded(raw.encode("latin-1"), "id")


async def row_named(service: Service, log: str, id: str, source: str | None) -> Row:
    """The one entry with this id. Raises NotFound, and Ambiguous where `source` does not say which of several it is."""
    rows = await service.store.named(log, id)
    fitting = [row for row in rows if source is None or source_of(row) == source]
    if not fitting:
        raise _nothing_named(log, id, source, rows, _short(service))
    if len(fitting) > 1:
        faults = tuple(Fault(f"?source={quote(source_of(row), safe='')}", parameter="source") for row in fitting)
        raise Ambiguous(f"{len(fitting)} sources sent the id {id[:80]!r}: say which with ?source=", faults)
    return fitting[0]


def spliced(row: Row) -> bytes:
    """The event's own bytes with `record` in front: nothing of them is rendered again."""
    record = Record(row.log, row.index, row.id, times.text(row.time), times.text(row.recorded), row.writer, list(row.assigned))
    return b'{"record":%b,%b' % (encode(record), row.body[1:])


def asked(request: Request) -> tuple[Service, str]:
    """The service and the log that the path names. Raises NotFound for a log that is not configured, Busy before the replay's end."""
    service: Service = request.app.state.service
    raw = request.path_params.get("log")
    log = DEFAULT if raw is None else decoded(raw.encode("latin-1"), "log")
    known_log(service, log)
    wait_until_ready(service)
    return service, log


def known_log(service: Service, log: str) -> None:
    """Raises NotFound, with the list, for a log that is not configured."""
    if log not in service.logs:
        raise NotFound(f"there is no log {log[:80]!r}; this server has: {', '.join(service.logs)}")


def wait_until_ready(service: Service) -> None:
    """Raises Busy while the journal is replayed: an answer now would not be a full look."""
    if not service.recorder.ready:
        raise Busy("the journal is being replayed: ask again in a moment")


def parameters(query_string: bytes) -> list[tuple[str, str]]:
    """The names and values of a query string, decoded once; `+` is a space. Raises BadParameter."""
    parts = [part for part in query_string.split(b"&") if part]
    if len(parts) > MOST_PARAMETERS:
        raise BadParameter(f"{len(parts)} parameters are more than {MOST_PARAMETERS}")
    pairs = (part.partition(b"=") for part in parts)
    return [
        (decoded(name.replace(b"+", b" "), "the query string"), decoded(value.replace(b"+", b" "), name.decode("latin-1")[:80]))
        for name, _, value in pairs
    ]


def decoded(raw: bytes, name: str) -> str:
    """Percent-decoded once. Raises BadParameter where that is not UTF-8."""
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError as error:
        detail = f"percent-decoded, {name} is not UTF-8 from byte {error.start} on"
        raise BadParameter(detail, (Fault(detail, parameter=name),)) from None


class _Sourced(Struct):
    """All that a look at a body's source decodes."""

    source: str


_SOURCED = Decoder(_Sourced)


def source_of(row: Row) -> str:
    """The service that sent it."""
    return _SOURCED.decode(row.body).source


def one_each(request: Request, names: Sequence[str]) -> dict[str, str]:
    """The parameters by name. Raises BadParameter unless each is one of `names` and stands once."""
    given: dict[str, str] = {}
    faults = []
    for name, value in parameters(request.scope["query_string"]):
        if name not in names:
            known = ("only " if len(names) == 1 else "") + " and ".join(names) if names else "none"
            faults.append(Fault(f"unknown parameter {name[:80]!r}: {known} may stand here", parameter=name[:80]))
        elif name in given:
            faults.append(Fault(f"{name} stands twice: give it once", parameter=name))
        given[name] = value
    if faults:
        raise BadParameter(faults[0].detail, tuple(faults))
    return given


def number(given: Mapping[str, str], name: str) -> int:
    """The parameter as a whole number. Raises BadParameter."""
    text = given[name]
    if not (text.isascii() and text.isdigit()):
        raise bad(name, f"{name} is {text[:40]!r}: a whole number from 0 belongs there")
    return int(text[: MOST_DIGITS + 1])


def bad(name: str, detail: str) -> BadParameter:
    """The error about one parameter."""
    return BadParameter(detail, (Fault(detail, parameter=name),))


def no_parameters(request: Request) -> None:
    """Raises BadParameter if there is one."""
    one_each(request, ())


def _short(service: Service) -> str:
    """What a detail says where nothing was found and not all could be read."""
    return "" if service.recorder.complete else "; but this server only reads, and there is more than it could read"


def _nothing_named(log: str, id: str, source: str | None, rows: list[Row], short: str) -> NotFound:
    if not rows:
        return NotFound(f"no event in log {log!r} has the id {id[:80]!r}{short}")
    others = ", ".join(source_of(row)[:80] for row in rows[:10])
    return NotFound(f"{(source or '')[:80]!r} sent no event with the id {id[:80]!r}; these did: {others}{short}")


def _fitting(rows: list[Row], more: int | None) -> tuple[list[bytes], int | None]:
    """The rows' texts up to ANSWER bytes, at least one, and the index below which to go on."""
    texts: list[bytes] = []
    size = 0
    for place, row in enumerate(rows):
        text = spliced(row)
        size += len(text) + 1
        if size > ANSWER and texts:
            return texts, rows[place - 1].index
        texts.append(text)
    return texts, more
