"""The pages for people, made on the server: no script, and nothing from another host."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from msgspec import DecodeError, Struct
from msgspec.json import Decoder
from starlette.requests import Request
from starlette.responses import Response

from indelible.errors import NotFound
from indelible.http.about import openapi as document
from indelible.http.about.meanings import BY_NAME, MEANINGS
from indelible.http.read import DEFAULT
from indelible.http.service import Service
from indelible.model import times
from indelible.model.query import Query
from indelible.store.port import Row

LAST = 20
_SIZE = 1 << 20  # bytes of bodies that the first page looks at
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
h1{font-size:1.7rem;margin-bottom:0}
h2{font-size:1.2rem;margin-top:2.2rem;border-top:1px solid #ccc;padding-top:1rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid #e4e4e4;vertical-align:top;overflow-wrap:anywhere}
code,pre{font:.9em ui-monospace,monospace;background:#f4f4f4;border-radius:3px}
code{padding:0 .2em}
pre{padding:.6rem;overflow-x:auto}
a{color:#0645ad}
nav a{margin-right:1.2rem}
.wide{overflow-x:auto}
summary{cursor:pointer}
@media(prefers-color-scheme:dark){
body{color:#e6e6e6;background:#161616}
code,pre{background:#262626}
th,td,h2{border-color:#3a3a3a}
a{color:#8ab4f8}
}
"""


async def home(request: Request) -> Response:
    """What this is, the last events, where the docs are."""
    service: Service = request.app.state.service
    return _page("Indelible", f"{_ABOUT}<h2>The last {LAST} events</h2>{await _last(service)}{_FIRST}")


async def docs(request: Request) -> Response:
    """The interface, from its OpenAPI document."""
    made = document.document()
    parts = [_route(made, path, method, each) for path, item in made["paths"].items() for method, each in item.items()]
    problems = (f"<tr><td>{error.status}<td>{_problem_link(error.name)}<td>{escape(error.title)}" for error in MEANINGS)
    return _page("The interface", f"{_READING}{''.join(parts)}<h2>Problems</h2>{_table(('status', 'name', 'meaning'), problems)}")


async def problem(request: Request) -> Response:
    """What one problem means. Raises NotFound, with the list."""
    error = BY_NAME.get(request.path_params["name"])
    if error is None:
        raise NotFound(f"there is no problem of this name; there are: {', '.join(BY_NAME)}")
    about = escape(MEANINGS[error])
    return _page(error.title, f"<p>Status <code>{error.status}</code>, type <code>/problems/{error.name}</code></p><p>{about}</p>")


async def openapi(request: Request) -> Response:
    """The OpenAPI document."""
    return Response(document.text(), media_type="application/json")


_ABOUT = """<p>The audit trail of a system of services: they forward events, and Indelible keeps
<b>what</b> happened, <b>when</b>, <b>where</b> and by <b>whom</b>.
An event that was acknowledged is on the disk, and nothing changes it any more.</p>"""

_FIRST = """<h2>Forward an event</h2>
<pre>curl --json '{"type":"customer.billed","source":"billing","actor":{"id":"42"}}' http://127.0.0.1:8080/v1/events</pre>
<p>Read it back: <a href="/v1/events?type=customer.*"><code>/v1/events?type=customer.*</code></a></p>"""

_READING = """<p>Made from <a href="/openapi.json">/openapi.json</a>. Every <code>/v1/x</code> is also <code>/v1/logs/{log}/x</code>.
Errors are problem details (RFC 9457). Send the same bytes again after 408, 429 and 5xx, after nothing else.
Where the server has a key, add <code>-H "Authorization: Bearer $INDELIBLE_KEY"</code>.</p>"""

_COLUMNS = ("index", "time", "type", "source", "actor", "outcome")


class _Named(Struct):
    id: str | None = None
    result: str | None = None


class _Glance(Struct):
    """The few members that the first page shows; all others are left undecoded."""

    type: str
    source: str
    actor: _Named | None = None
    outcome: _Named | None = None


_GLANCE = Decoder(_Glance)


async def _last(service: Service) -> str:
    if service.key is not None:
        return "<p>This server has a key, and this page asks for none: it shows no events.</p>"
    if not service.recorder.ready:
        return "<p>The journal is being replayed: ask again in a moment.</p>"
    log = DEFAULT if DEFAULT in service.logs else service.logs[0]
    page = await service.store.page(Query(log), None, LAST, _SIZE)
    short = "" if page.complete and service.recorder.complete else "<p>Some could not be read.</p>"
    if not page.rows:
        return short or "<p>None yet.</p>"
    return f"{short}{_table(_COLUMNS, map(_row, page.rows))}"


def _row(row: Row) -> str:
    try:
        glance = _GLANCE.decode(row.body)
    except DecodeError:  # one odd body takes no other event off the page
        glance = _Glance("?", "?")
    link = f'<a href="/v1/logs/{escape(row.log)}/entries/{row.index}">{row.index}</a>'
    actor = glance.actor.id if glance.actor else None
    outcome = glance.outcome.result if glance.outcome else None
    cells = (times.text(row.time), glance.type, glance.source, actor or "", outcome or "")
    return f"<tr><td>{link}" + "".join(f"<td><bdi>{escape(cell)}</bdi>" for cell in cells)


def _route(made: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> str:
    parameters = [made["components"]["parameters"][each["$ref"].rpartition("/")[2]] for each in operation["parameters"]]
    rows = (f"<tr><td><code>{escape(each['name'])}</code><td>{each['in']}<td>{_prose(each['description'])}" for each in parameters)
    answers = (f"<tr><td>{status}<td>{_prose(answer['description'])}" for status, answer in operation["responses"].items())
    title = (
        f'<h2 id="{operation["operationId"]}"><code>{method.upper()} {escape(path)}</code></h2><p><b>{escape(operation["summary"])}.</b> '
    )
    if operation["operationId"].endswith("_of_log"):
        short = operation["operationId"].removesuffix("_of_log")
        return f'{title}As <a href="#{short}">the short form</a>.</p>'
    inputs = (
        f"<details><summary>{len(parameters)} parameters</summary>{_table(('name', 'in', 'meaning'), rows)}</details>" if parameters else ""
    )
    body = _prose(operation["requestBody"]["description"]) if "requestBody" in operation else ""
    curl = f"<pre>{escape(operation['x-curl'])}</pre>"
    return f"{title}{_prose(operation['description'])}</p><p>{body}</p>{curl}{inputs}{_table(('status', 'answer'), answers)}"


def _prose(text: str) -> str:
    """Escaped, with `code` in backticks set as such."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))


def _problem_link(name: str) -> str:
    return f'<a href="/problems/{name}">{name}</a>'


def _table(columns: Iterable[str], rows: Iterable[str]) -> str:
    head = "".join(f"<th>{column}" for column in columns)
    return f'<div class="wide"><table><tr>{head}{"".join(rows)}</table></div>'


def _page(title: str, body: str) -> Response:
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>"
        f'<nav><a href="/">home</a> <a href="/docs">docs</a> <a href="/openapi.json">openapi.json</a> <a href="/v1/events">events</a> '
        f'<a href="/metrics">metrics</a></nav>{body}</html>'
    )
    return Response(text, headers={"Content-Security-Policy": _POLICY}, media_type="text/html")
