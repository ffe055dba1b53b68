"""The OpenAPI document: shapes from the msgspec types, routes from the table in operations.py."""

from __future__ import annotations

from functools import cache
from typing import Any

from msgspec.json import encode, schema_components

from indelible.errors import IndelibleError, Refused, Unauthorized, WrongHost
from indelible.http.about.operations import OPERATIONS, Answer, Operation
from indelible.http.about.proving import PROVING
from indelible.http.answers import (
    Batch,
    ConsistencyProof,
    Count,
    Events,
    Health,
    InclusionProof,
    Kept,
    Logs,
    ProvenEvent,
    Ready,
    ServerStatus,
)
from indelible.http.evidence import Entries, LogTrees
from indelible.http.problems import MEDIA_TYPE, Problem
from indelible.http.proofs import FORMS
from indelible.model.event import Event
from indelible.model.query import FIELDS, MOST, USUAL
from indelible.model.receipt import Receipt, State

Node = dict[str, Any]

_SHAPES = (
    *(Event, Kept, Receipt, Batch, Events, Count, Logs, Health, Ready, ServerStatus, Problem),
    *(InclusionProof, ConsistencyProof, ProvenEvent, Entries, LogTrees),
)
_TEXT: Node = {"type": "string"}
_NUMBER: Node = {"type": "integer", "minimum": 0}
_STATES = [state.value for state in State]
_MOMENT: Node = {"type": "string", "format": "date-time"}

_PATH = {
    "log": "A configured log; GET /v1/logs lists them.",
    "generation": "The number of one of the log's trees; the log's own path means the current one.",
    "tile": "What the tile is called behind `tile/`.",
    "id": "The event's id, percent-encoded: it may hold a slash (%2F), spaces, anything.",
    "index": "The entry's index in its log, from 0.",
    "name": "The last part of a problem's type.",
}
_OF_FILTERS = {
    "type": "The member `type` is this text, or begins with it where it ends in *: `payment.*`.",
    "outcome": "`outcome.result` is this: success, failure, denied, unknown or pending.",
}


_ALL = (*OPERATIONS, *PROVING)


def text() -> bytes:
    """The document as JSON."""
    return encode(document())


@cache
def document() -> Node:
    """OpenAPI 3.1. Nothing in it depends on the configuration."""
    _, shapes = schema_components(_SHAPES, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Indelible", "version": "1", "description": "The audit trail of a system of services: what, when, where, who."},
        "paths": _paths(),
        "components": {
            "schemas": shapes,
            "parameters": _parameters(),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "Where the server has a key."}},
        },
    }


def _paths() -> Node:
    paths: Node = {}
    for operation in _ALL:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    for operation in _ALL:
        if operation.of_a_log:
            path = operation.path.replace("/v1/", "/v1/logs/{log}/", 1)
            twin = operation._replace(path=path, name=f"{operation.name}_of_log", summary=f"{operation.summary}, in one log")
            paths.setdefault(path, {})[operation.method.lower()] = _operation(twin)
    return paths


def _operation(operation: Operation) -> Node:
    names = [f"path.{name}" for name in _PATH if f"{{{name}}}" in operation.path]
    for name in operation.parameters:
        names += _GROUPS.get(name, (name,))
    made: Node = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": operation.about,
        "parameters": [{"$ref": f"#/components/parameters/{name.replace(' ', '-')}"} for name in names],
        "responses": {str(answer.status): _answer(answer) for answer in operation.answers},
        "security": [] if operation.open else [{}, {"key": []}],
        "x-curl": operation.curl,
    }
    for status, errors in sorted(_by_status(operation).items()):
        about = "; ".join(f"{error.name}: {error.title}" for error in errors)
        made["responses"][str(status)] = _answer(Answer(status, about, ("Problem",), MEDIA_TYPE))
    if operation.body:
        event = _shape("Event")
        array = {"type": "array", "items": event, "minItems": 1}
        content = {"application/json": {"schema": {"oneOf": [event, array]}}, "application/x-ndjson": {"schema": _TEXT}}
        made["requestBody"] = {"required": True, "description": operation.body, "content": content}
    return made


def _answer(answer: Answer) -> Node:
    shapes = [_shape(name) for name in answer.shapes]
    schema = {"oneOf": shapes} if len(shapes) > 1 else shapes[0] if shapes else {} if answer.media.endswith("json") else _TEXT
    return {"description": answer.about, "content": {answer.media: {"schema": schema}}}


def _shape(name: str) -> Node:
    return {"$ref": f"#/components/schemas/{name}"}


def _by_status(operation: Operation) -> dict[int, list[type[IndelibleError]]]:
    """The problems of an operation by status, with those that any request may meet."""
    everywhere = (Refused, WrongHost, IndelibleError) if operation.open else (Refused, WrongHost, IndelibleError, Unauthorized)
    by_status: dict[int, list[type[IndelibleError]]] = {}
    for error in (*everywhere, *operation.problems):
        by_status.setdefault(error.status, []).append(error)
    return by_status


_GROUPS = {"filters": (*FIELDS, "labels", "since", "until"), "paging": ("limit", "cursor")}


def _parameters() -> Node:
    filters = {name: _parameter(name, _OF_FILTERS.get(name, f"The member `{name}` is this text."), _TEXT) for name in FIELDS}
    paths = {f"path.{name}": _parameter(name, about, _TEXT, "path") for name, about in _PATH.items()}
    skip = "`skip` stores the good events of a batch and reports the others; else all are stored or none."
    again = "Gives each event without an id one that is the same when the request is sent again."
    pages = {"type": "integer", "minimum": 1, "default": USUAL}
    return {
        **filters,
        "labels": _parameter("labels.{name}", "The label of this name is this text: its own name stands after `labels.`.", _TEXT),
        "since": _parameter("since", "`time` at or after this: RFC 3339 with an offset.", _MOMENT),
        "until": _parameter("until", "`time` before this.", _MOMENT),
        "limit": _parameter("limit", f"Events a page; above {MOST:,} means {MOST:,}.", pages),
        "cursor": _parameter("cursor", "`next` of the page before, with the same filters.", _TEXT),
        "deciding-source": _parameter("source", "The one whose event is meant, where several sent this id.", _TEXT),
        "ack": _parameter("ack", "What to wait for, at most `ack_timeout` seconds; the receipts say how far it came.", {"enum": _STATES}),
        "proof": _parameter("proof", "1 gives `event` and `proof`: that it is in the log.", {"enum": ["1"]}),
        "format": _parameter("format", "json, or tlog-proof: the proof as a file.", {"enum": list(FORMS)}),
        "proven-id": _parameter("id", "The event's id.", _TEXT),
        "proven-index": _parameter("index", "The entry's index in its log, from 0.", _NUMBER),
        "size": _parameter("size", "Prove it to the root of the first so many entries of its tree.", _NUMBER),
        "from": _parameter("from", "The smaller size.", _NUMBER),
        "to": _parameter("to", "The larger size.", _NUMBER),
        "first": _parameter("from", "Entries from this index on.", _NUMBER),
        "below": _parameter("to", "Entries below this index; `next` of the answer before.", _NUMBER),
        "for": _parameter("for", "What it should be ready for; `read` unless said otherwise.", {"enum": ["read", "write"]}),
        "on_error": _parameter("on_error", skip, {"enum": ["skip"]}),
        "Idempotency-Key": _parameter("Idempotency-Key", again, _TEXT, "header"),
        **paths,
    }


def _parameter(name: str, about: str, schema: Node, place: str = "query") -> Node:
    required = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, **required, "description": about, "schema": schema}
