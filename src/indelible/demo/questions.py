"""The questions that the demo ends with: is everything there, and which orders met with a failure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from indelible.demo.traffic import FAILURES

Filters = tuple[tuple[str, str], ...]  # parameters of GET /v1/events, in order; a name twice is OR
Event = Mapping[str, Any]
Ask = Callable[[Filters], Iterable[Event]]  # all events that match
Number = Callable[[Filters], int]


class Row(NamedTuple):
    """One line of the comparison: events acknowledged to the demo's processes, and events that the trail holds."""

    source: str
    type: str
    sent: int
    found: int


def compared(run: str, sent: Mapping[tuple[str, str], int], number: Number) -> list[Row]:
    """A row for each source and type, and the whole run last: what nobody sent would show there."""
    rows = [
        Row(source, type_, sent[source, type_], number((("source", source), ("type", type_), ("labels.run", run))))
        for source, type_ in sorted(sent)
    ]
    return [*rows, Row("all", "", sum(sent.values()), number((("labels.run", run),)))]


class Failure(NamedTuple):
    """What to look for. `first` finds candidates; where `then` names types, a second question settles them by their traces:
    the order must have met with `needs` and not with `lacks`."""

    name: str
    title: str
    first: Filters
    then: tuple[str, ...] = ()
    needs: str = ""
    lacks: str = ""


QUESTIONS = (
    Failure(
        FAILURES[0],
        "Charged but never shipped, and nothing refunds it",
        (("type", "shipment.failed"), ("outcome", "failure")),
        ("payment.charged", "payment.refunded"),
        needs="payment.charged",
        lacks="payment.refunded",
    ),
    Failure(FAILURES[1], "A cart that could not be emptied after the order", (("type", "cart.emptied"), ("outcome", "failure"))),
    Failure(FAILURES[2], "A confirmation mail that failed", (("type", "notification.failed"),)),
    Failure(
        FAILURES[3],
        "A payment declined and tried again",
        (("type", "payment.declined"),),
        ("payment.charged",),
        needs="payment.charged",
    ),
)


class Answer(NamedTuple):
    """The questions that were asked and the orders they found, each with its trace's correlation id."""

    failure: Failure
    questions: tuple[Filters, ...]
    orders: dict[str, str]


def answered(failure: Failure, run: str, ask: Ask) -> Answer:
    """Ask for one failure in one run."""
    first = (*failure.first, ("labels.run", run))
    candidates = {order(event): event["trace"]["correlation_id"] for event in ask(first)}
    if not failure.then or not candidates:
        return Answer(failure, (first,), candidates)
    traces = tuple(("trace.correlation_id", trace) for trace in sorted(set(candidates.values())))
    second = (*(("type", type_) for type_ in failure.then), *traces, ("labels.run", run))
    met = {(order(event), event["type"]) for event in ask(second)}
    orders = {id: trace for id, trace in candidates.items() if (id, failure.needs) in met and (id, failure.lacks) not in met}
    return Answer(failure, (first, second), orders)


def order(event: Event) -> str:
    """The id of the order that an event is about."""
    return next((str(target["id"]) for target in event.get("targets", ()) if target["type"] == "order"), "")


def as_curl(url: str, filters: Filters, key: bool) -> str:
    """The question for a shell. The key itself is never printed."""
    header = '-H "Authorization: Bearer $INDELIBLE_KEY" ' if key else ""
    return f"curl -s {header}" + shlex.quote(f"{url}/v1/events?" + urlencode(filters, safe=":*", quote_via=quote))


def as_command(url: str, filters: Filters, usual: str) -> str:
    """The question as `indelible events …`; the address is left out where it is the usual one."""
    words = [*(() if url == usual else ("--url", url)), *(f"{name}={value}" for name, value in filters)]
    return shlex.join(["indelible", "events", *words])
