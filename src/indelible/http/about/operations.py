"""What each route is for, in words: the table that the OpenAPI document and /docs are made from."""

from __future__ import annotations

from typing import NamedTuple

from indelible import errors
from indelible.errors import IndelibleError

JSON = "application/json"
HERE = "http://127.0.0.1:8080"


class Answer(NamedTuple):
    """An answer that is no problem. `shapes` name schemas; none of them means text."""

    status: int
    about: str
    shapes: tuple[str, ...] = ()
    media: str = JSON


class Operation(NamedTuple):
    """A method on a path. `parameters` are query parameters and headers; `paging` and `filters` stand for several.

    `of_a_log`: the same stands under /v1/logs/{log}. `open`: asks for no key. `body`: what the request brings.
    """

    name: str
    method: str
    path: str
    summary: str
    about: str
    curl: str
    answers: tuple[Answer, ...]
    problems: tuple[type[IndelibleError], ...] = ()
    parameters: tuple[str, ...] = ()
    of_a_log: bool = False
    open: bool = False
    body: str = ""


_LOST = (errors.NotFound, errors.Busy, errors.Replaced)

OPERATIONS = (
    Operation(
        "store_events",
        "POST",
        "/v1/events",
        "Store one event or many",
        "Answers once every event is durable. All are stored or none, unless on_error=skip. An event sent again with the same bytes is a "
        "duplicate and harmless; the same id and source with other bytes is a conflict, and the attempt is kept.",
        f'curl --json \'{{"type":"customer.billed","source":"billing"}}\' {HERE}/v1/events',
        (
            Answer(201, "All were stored: the receipt of one event, or the counts and receipts of a batch.", ("Receipt", "Batch")),
            Answer(200, "All were duplicates, or the batch was mixed: look at the counts.", ("Receipt", "Batch")),
        ),
        (
            *(errors.NotJSON, errors.BadParameter, errors.CrossSite, errors.NotFound, errors.Conflict, errors.TooLarge),
            *(errors.Unsupported, errors.NotAnEvent, errors.Busy, errors.JournalFailed, errors.ReadOnly, errors.JournalFull),
        ),
        ("on_error", "ack", "Idempotency-Key"),
        of_a_log=True,
        body="One event or an array as application/json, or one event a line as application/x-ndjson; gzip is taken.",
    ),
    Operation(
        "list_events",
        "GET",
        "/v1/events",
        "Events, newest first",
        "Filters carry the member's own path. A name twice is OR, names are AND; a trailing * in type is a prefix. Follow next with the "
        "same filters until it is null: pages stay stable while events arrive. A page may end early, at 8 MiB.",
        f"curl '{HERE}/v1/events?type=customer.*&actor.id=42&limit=10'",
        (Answer(200, "A page.", ("Events",)),),
        (errors.BadParameter, *_LOST),
        ("filters", "paging"),
        of_a_log=True,
    ),
    Operation(
        "get_event",
        "GET",
        "/v1/events/{id}",
        "One event by its id",
        "The id is percent-decoded once. Where several sources sent this id, ?source= says which.",
        f"curl {HERE}/v1/events/0192f3a1-7c4e-7b1d-9f00-1d2e3f405162",
        (Answer(200, "The event, or with proof=1 the event and its proof.", ("Kept", "ProvenEvent")),),
        (errors.BadParameter, errors.Ambiguous, *_LOST, errors.NotYet),
        ("deciding source", "proof", "format"),
        of_a_log=True,
    ),
    Operation(
        "count_events",
        "GET",
        "/v1/count",
        "How many events match",
        "The filters of GET /v1/events, without paging.",
        f"curl '{HERE}/v1/count?source=billing&since=2026-01-01T00:00:00Z'",
        (Answer(200, "The count.", ("Count",)),),
        (errors.BadParameter, *_LOST),
        ("filters",),
        of_a_log=True,
    ),
    Operation(
        "list_logs",
        "GET",
        "/v1/logs",
        "The logs and their sizes",
        "A log is one trail with its own sequence. Every /v1/x is /v1/logs/default/x.",
        f"curl {HERE}/v1/logs",
        (Answer(200, "The logs.", ("Logs",)),),
        (errors.BadParameter, errors.Busy, errors.Replaced),
    ),
    Operation(
        "get_entry",
        "GET",
        "/v1/logs/{log}/entries/{index}",
        "One event by its index",
        "Indexes run from 0 without gaps.",
        f"curl {HERE}/v1/logs/default/entries/0",
        (Answer(200, "The event.", ("Kept",)),),
        (errors.BadParameter, *_LOST),
    ),
    Operation(
        "get_status",
        "GET",
        "/v1/status",
        "How the server is doing",
        "For whoever keeps it running: readiness, whether checkpoints are signed, what was found damaged, how long the disk lasts, the "
        "slowest syncs, what was refused, who was heard of last, how witnesses stand, and which receipts no longer hold after a repair.",
        f"curl {HERE}/v1/status",
        (Answer(200, "The status.", ("ServerStatus",)),),
        (errors.BadParameter,),
    ),
    Operation(
        "home",
        "GET",
        "/",
        "What this is, and the last 20 events",
        "A page for people. It shows no events where the server has a key.",
        f"curl {HERE}/",
        (Answer(200, "HTML.", media="text/html"),),
        open=True,
    ),
    Operation(
        "docs",
        "GET",
        "/docs",
        "This page",
        "Made from the document below.",
        f"curl {HERE}/docs",
        (Answer(200, "HTML.", media="text/html"),),
        open=True,
    ),
    Operation(
        "problem",
        "GET",
        "/problems/{name}",
        "What a problem means and what to do",
        "The `type` of every error answer leads here.",
        f"curl {HERE}/problems/conflict",
        (Answer(200, "HTML.", media="text/html"),),
        (errors.NotFound,),
        open=True,
    ),
    Operation(
        "openapi",
        "GET",
        "/openapi.json",
        "This interface as an OpenAPI document",
        "Version 3.1.",
        f"curl {HERE}/openapi.json",
        (Answer(200, "The document."),),
        open=True,
    ),
    Operation(
        "healthz", "GET", "/healthz", "Is the process up", "", f"curl {HERE}/healthz", (Answer(200, "It is.", ("Health",)),), open=True
    ),
    Operation(
        "readyz",
        "GET",
        "/readyz",
        "Does it answer questions, does it take events",
        "Questions, unless for=write is asked. The checks that hold are listed; where one fails, the detail begins with its name.",
        f"curl '{HERE}/readyz?for=write'",
        (Answer(200, "It does.", ("Ready",)),),
        (errors.BadParameter, errors.Busy, errors.JournalFailed, errors.ReadOnly, errors.JournalFull),
        ("for",),
        open=True,
    ),
    Operation(
        "metrics",
        "GET",
        "/metrics",
        "Counters for Prometheus",
        "No label ever carries a type, an id or a source.",
        f"curl {HERE}/metrics",
        (Answer(200, "The text format, 0.0.4.", media="text/plain"),),
    ),
)
