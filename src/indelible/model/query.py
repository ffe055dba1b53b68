"""What a question is: filters by the members' own paths, a span of time, and where to go on."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from difflib import get_close_matches
from hashlib import sha256

from msgspec import Struct
from msgspec.json import encode

from indelible.errors import BadParameter, Fault
from indelible.model import times
from indelible.model.event import Result

FIELDS = (
    *("type", "source", "id", "outcome", "outcome.code", "outcome.reason"),
    *("targets.type", "targets.id", "targets.name", "targets.changes.path"),
    *("where.environment", "where.region", "where.host", "where.instance", "where.version"),
    *("actor.type", "actor.id", "actor.name", "actor.on_behalf_of"),
    *("context.ip", "context.user_agent", "context.location", "context.session_id", "context.request_id"),
    *("trace.traceparent", "trace.tracestate", "trace.correlation_id", "trace.causation_id"),
    *("producer.id", "schema"),
)
"""The members that can be filtered on; `labels.<name>` stands beside them. `outcome` is the outcome's result."""

# TODO(search): `data.` paths and the search language `q` come with the segments' filters, which make them fast.
LABEL = "labels."
MOST = 1000  # rows a page
USUAL = 100
_SIGN = re.compile(r" (?=\d\d:\d\d$)")


class Query(Struct, frozen=True):
    """A question to one log: a row matches if for each path one of its values holds, and since ≤ time < until (µs).

    A value of `type` that ends in `*` is a prefix. Each `targets.*` path may hold on another target.
    """

    log: str
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    since: int | None = None
    until: int | None = None

    def digest(self) -> str:
        """16 hex digits that a cursor carries: it goes on with this question and no other."""
        return sha256(encode([self.log, self.filters, self.since, self.until])).hexdigest()[:16]


class Question(Struct, frozen=True):
    """A query and the part of its answer that is wanted: at most `limit` rows with an index below `below`."""

    query: Query
    limit: int = USUAL
    below: int | None = None


def parse(log: str, parameters: Iterable[tuple[str, str]], paging: bool = True) -> Question:
    """The question that the parameters of a URL ask, names decoded. Raises BadParameter, which lists all that is wrong.

    Without `paging`, `limit` and `cursor` are refused like any other name that means nothing here.
    """
    faults: list[Fault] = []
    filters: dict[str, set[str]] = {}
    single: dict[str, str] = {}
    for name, value in parameters:
        if name in ("since", "until") or (paging and name in ("limit", "cursor")):
            if name in single:
                faults.append(Fault(f"{name} stands twice: give it once", parameter=name))
            single[name] = value
        elif fault := _unfit(name, value, paging):
            faults.append(fault)
        else:
            filters.setdefault(name, set()).add(value)
    span = {name: _time(name, single[name], faults) for name in ("since", "until") if name in single}
    query = Query(log, tuple((name, tuple(sorted(filters[name]))) for name in sorted(filters)), **span)
    limit = _limit(single["limit"], faults) if "limit" in single else USUAL
    below = _below(single["cursor"], query, faults) if "cursor" in single and not faults else None
    if faults:
        raise BadParameter("; ".join(fault.detail for fault in faults[:3]), tuple(faults))
    return Question(query, limit, below)


def cursor(query: Query, below: int) -> str:
    """Where the page after this one begins: opaque to callers."""
    return urlsafe_b64encode(f"{below}.{query.digest()}".encode()).decode().rstrip("=")


def _unfit(name: str, value: str, paging: bool) -> Fault | None:
    if name == "outcome" and value not in Result.__members__:
        return Fault(f"outcome={value[:60]} is none of {', '.join(Result.__members__)}", parameter=name)
    if name in FIELDS or (name.startswith(LABEL) and name != LABEL):
        return None
    names = (*FIELDS, "since", "until", *(("limit", "cursor") if paging else ()))
    near = get_close_matches(name[:80], names, 1) or [path for path in names if path.startswith(f"{name}.")][:1]
    hint = f"did you mean {near[0]}?" if near else "filters carry the member's own path, such as actor.id or labels.team"
    return Fault(f"unknown parameter {name[:80]!r}: {hint}", parameter=name[:80])


def _time(name: str, value: str, faults: list[Fault]) -> int | None:
    """Microseconds since 1970. A `+` that was not percent-encoded has become a space: it is read as the sign it was."""
    try:
        return times.micros(times.canonical(_SIGN.sub("+", value)))
    except ValueError as error:
        faults.append(Fault(f"{name}: {error}", parameter=name))
        return None


def _limit(value: str, faults: list[Fault]) -> int:
    if not (value.isascii() and value.isdigit() and value.strip("0")):
        faults.append(Fault(f"limit={value[:60]!r} is not a whole number from 1", parameter="limit"))
        return USUAL
    return MOST if len(value.lstrip("0")) > 4 else min(int(value), MOST)


def _below(value: str, query: Query, faults: list[Fault]) -> int | None:
    try:
        index, digest = urlsafe_b64decode(value.encode() + b"=" * (-len(value) % 4)).decode().split(".")
        if not (index.isascii() and index.isdigit()) or len(index) > 19:
            raise ValueError
    except ValueError:
        faults.append(Fault("cursor is not one that this service gave", parameter="cursor"))
        return None
    if digest != query.digest():
        faults.append(Fault("cursor belongs to other filters: take the filters that it came with", parameter="cursor"))
        return None
    return int(index)
