"""What an event is, said a second time: slow, obvious, and sharing no code with the service. Numbers stay text."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone

TEXT = "text"
PARTS: dict[str, dict[str, object]] = {
    "where": dict.fromkeys(("environment", "region", "host", "instance", "version"), TEXT),
    "actor": dict.fromkeys(("type", "id", "name", "on_behalf_of"), TEXT),
    "context": dict.fromkeys(("ip", "user_agent", "location", "session_id", "request_id"), TEXT),
    "trace": dict.fromkeys(("traceparent", "tracestate", "correlation_id", "causation_id"), TEXT),
    "outcome": {"result": "result", "code": TEXT, "reason": TEXT},
    "producer": {"id": TEXT, "sequence": "sequence", "last": "flag"},
}
CHANGE = {"path": TEXT, "old": "any", "new": "any"}
TARGET = {"type": TEXT, "id": TEXT, "name": TEXT, "changes": [CHANGE]}
EVENT = {
    **dict.fromkeys(("type", "source", "id", "schema"), TEXT),
    **PARTS,
    "time": "time",
    "targets": [TARGET],
    "labels": "labels",
    "data": "any",
}


class Pairs(list):  # type: ignore[type-arg]
    """A JSON object, every member kept."""


class Number(str):
    pass


class Wrong(Exception):
    pass


def is_event(line: bytes, size: int = 1 << 20) -> bool:
    """Whether the service must take this line, under the limits it comes with."""
    try:
        need(len(line) <= size)
        event = json.loads(line.decode(), object_pairs_hook=Pairs, parse_int=Number, parse_float=Number, parse_constant=wrong)
        need(isinstance(event, Pairs) and depth(event) <= 64)
        whole(event)
        member(event, EVENT)
        header(dict(event))
    except (Wrong, ValueError, RecursionError):
        return False
    return True


def wrong(_: object) -> None:
    raise Wrong


def need(holds: object) -> None:
    if not holds:
        raise Wrong


def depth(value: object) -> int:
    if isinstance(value, Pairs):
        return 1 + max((depth(item) for _, item in value), default=0)
    if isinstance(value, list):
        return 1 + max((depth(item) for item in value), default=0)
    return 0


def whole(value: object) -> None:
    """No half of a surrogate pair anywhere."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, list):
        for item in value:
            whole(item)
    elif isinstance(value, tuple):
        whole(value[0])
        whole(value[1])


def member(value: object, kind: object) -> None:
    if kind == "any" or value is None:
        return
    if isinstance(kind, dict):
        need(isinstance(value, Pairs))
        names = [name for name, _ in value]
        need(len(set(names)) == len(names) and set(names) <= set(kind))
        for name, item in value:
            member(item, kind[name])
    elif isinstance(kind, list):
        need(isinstance(value, list) and not isinstance(value, Pairs))
        for item in value:
            need(item is not None)
            member(item, kind[0])
    elif kind == "labels":
        need(isinstance(value, Pairs) and len(dict(value)) <= 64)
        for name, item in value:
            need(item is not None and "\0" not in name)
            member(item, TEXT)
    elif kind == "flag":
        need(isinstance(value, bool))
    elif kind == "sequence":
        need(isinstance(value, Number) and re.fullmatch("[1-9][0-9]{0,18}", value) and int(value) < 2**63)
    else:
        need(isinstance(value, str) and not isinstance(value, Number) and "\0" not in value)
        need(kind != "result" or value in ("success", "failure", "denied", "unknown", "pending"))
        need(kind != "time" or instant(str(value)) is not None)


def header(event: dict[str, object]) -> None:
    for name in ("type", "source"):
        need(isinstance(event.get(name), str))
    for name in ("type", "source", "id"):
        text = event.get(name)
        need(text is None or (isinstance(text, str) and 1 <= len(text) <= 256))
    kind = str(event["type"])
    need(not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in kind) and not kind.startswith("indelible."))
    need(event.get("targets") is None or len(event["targets"]) <= 64)  # type: ignore[arg-type]


def instant(text: str) -> str | None:
    """A time as canonical text by way of datetime; None if it is no RFC 3339 time between 1970 and 9999 in UTC."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", text, re.ASCII)
    if not found:
        return None
    day, clock, fraction, offset = found.groups()
    zone = UTC
    try:
        if offset not in "Zz":
            hours, minutes = int(offset[1:3]), int(offset[4:])
            if hours > 23 or minutes > 59:
                return None
            zone = timezone(timedelta(hours=hours, minutes=minutes) * (1 if offset[0] == "+" else -1))
        if int(clock[:2]) > 23:
            return None
        moment = datetime.strptime(f"{day} {clock}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone).astimezone(UTC)
        if clock.endswith(("60", "61")) or moment.year < 1970:
            return None
    except (ValueError, OverflowError):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + "." + ((fraction or ".")[1:] + "000000")[:6] + "Z"
