"""The sentences of a refusal: what a member must be, what came, and the right form of what was probably meant."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import NamedTuple
from urllib.parse import quote

from msgspec import Struct

from indelible.model.event import DEPTH, TWINS, Actor, Change, Context, Limits, Outcome, Producer, Result, Target, Trace, Where
from indelible.model.syntax import SHOWN, shown
from indelible.model.times import EXAMPLE, of_number

RESULTS = ", ".join(Result.__members__)
EXAMPLES = {"type": '"customer.billed"', "source": '"billing"'}
TWICE = "stands twice: which one counts would be a guess"
NUL = "holds U+0000, which some stores cannot keep: only data may hold it"
_FIRST: dict[type, str] = {  # the member that a bare text in the object's place was probably meant for
    Outcome: "result",
    Actor: "id",
    Target: "id",
    Change: "path",
    Where: "host",
    Context: "ip",
    Trace: "traceparent",
    Producer: "id",
}
_SYNONYMS = {
    **dict.fromkeys(("ok", "okay", "succeeded", "successful", "completed", "done", "passed", "allowed", "true", "200"), "success"),
    **dict.fromkeys(("fail", "failed", "error", "false", "ko", "500"), "failure"),
    **dict.fromkeys(("deny", "forbidden", "rejected", "refused", "unauthorized", "blocked", "401", "403"), "denied"),
    **dict.fromkeys(("started", "in_progress", "running", "queued"), "pending"),
}


class At(NamedTuple):
    """Where in an event: `pointer` is for programs (RFC 6901, 6), `path` for people."""

    names: tuple[str | int, ...] = ()

    def __truediv__(self, name: str | int) -> At:
        return At((*self.names, name))

    @property
    def pointer(self) -> str:
        names = (_cut(str(name)).replace("~", "~0").replace("/", "~1") for name in self.names)
        return "#" + "".join("/" + quote(name, safe="~", errors="replace") for name in names)

    @property
    def path(self) -> str:
        return ".".join(_safe(str(name)) for name in self.names) or "the event"


def oversized(size: int, limits: Limits) -> str:
    return f"the event has {size} bytes, more than {limits.event_bytes}: keep large documents elsewhere and their digest in data"


def too_deep(depth: str) -> str:
    return f"nested {depth} levels deep, more than {DEPTH}: flatten it, or send the inner part as text"


def unparsed(reason: str) -> str:
    """`reason` comes from the parser. NDJSON is where most of these come from, so the two usual slips are named."""
    if reason.startswith("more than one"):
        return f"{reason}: send one event a line"
    if "ends inside" in reason:
        return f"{reason}: an event stands whole on one line, not spread over several"
    return reason


def no_text(value: object, at: At) -> str:
    if at.names == ("time",) and isinstance(value, bytes):
        if named := of_number(value.decode()):
            return f'time must be text, and {shown(value)} is a number of {named[0]} since 1970: write "{named[1]}"'
        return f'time must be text such as "{EXAMPLE}", not {shown(value)}'
    if isinstance(value, bytes | bool):
        return f'{at.path} must be text: write "{shown(value)}" instead of {shown(value)}'
    if value is None and at.names[0] == "labels":
        return f"{at.path} must be text, not null: leave the label out if it has no value"
    example = f", such as {EXAMPLES[at.path]}" if at.path in EXAMPLES else ""
    return f"{at.path} must be text{example}, not " + ("null" if value is None else f"{kind_of(value)}: {shown(value)}")


def no_object(value: object, kind: type, at: At) -> str:
    first = _FIRST[kind]
    if kind is Outcome and isinstance(value, str | bool | bytes):
        meant = meant_result(value)
        return f'{at.path} must be an object: write {{"result": "{meant or "success"}"}} instead of {shown(value)}' + (
            "" if meant else f"; the results are {RESULTS}"
        )
    if isinstance(value, str | bytes):
        text = shown(value) if isinstance(value, str) else f'"{shown(value)}"'
        return f'{at.path} must be an object: write {{"{first}": {text}}} instead of {shown(value)}'
    return f'{at.path} must be an object such as {{"{first}": "…"}}, not {kind_of(value)}: {shown(value)}'


def no_list(value: object, kind: type, at: At) -> str:
    if isinstance(value, tuple):
        return f"{at.path} must be a list: write [{shown(value)}], one object in brackets"
    if isinstance(value, str):
        return f'{at.path} must be a list of objects: write [{{"{_FIRST[kind]}": {shown(value)}}}] instead of {shown(value)}'
    return f'{at.path} must be a list such as [{{"{_FIRST[kind]}": "…"}}], not {kind_of(value)}: {shown(value)}'


def no_result(value: object, at: At) -> str:
    meant = meant_result(value)
    return f"{at.path} {shown(value)} is none of {RESULTS}" + (f": write {shown(meant)}" if meant else "")


def meant_result(value: object) -> str | None:
    if not isinstance(value, str | bool | bytes):
        return None
    text = (value if isinstance(value, str) else shown(value))[:SHOWN].lower()
    near = get_close_matches(text, Result.__members__, 1, 0.7)
    return _SYNONYMS.get(text) or (near[0] if near else None)


def unknown(name: str, members: Sequence[str], present: Collection[str], at: At) -> str:
    """An unknown member, with its likely twin, and where things of one's own belong."""
    if name == "record" and not at.names:
        return "record is what the service adds when an event is read back: leave it out"
    plain = name[:SHOWN].lower().replace("-", "_")
    twin = TWINS.get(plain) if not at.names else None
    near = get_close_matches(plain, members, 1, 0.75)
    meant = twin or (near[0] if near else None)
    where = at.path if at.names else "an event"
    if meant and meant not in present:
        return f"{(at / name).path} is unknown: did you mean {(at / meant).path}?" + _hint(meant, plain)
    return f"{(at / name).path} is unknown: {where} has {', '.join(members)}; what is your own goes into data"


def kind_of(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case bytes():
            return "a number"
        case str():
            return "text"
        case tuple():
            return "an object"
    return "a list"


def _hint(meant: str, name: str) -> str:
    """For a twin one level down: `correlation_id` → trace.correlation_id."""
    kinds: dict[str, type[Struct]] = {"where": Where, "context": Context, "trace": Trace, "producer": Producer, "actor": Actor}
    inner = kinds[meant].__struct_fields__ if meant in kinds else ()
    return f' Write it as {{"{meant}": {{"{name}": …}}}}' if name in inner else ""


def _safe(name: str) -> str:
    """A member's name as a message can carry it: short, and without what cannot be encoded or printed."""
    name = _cut(name)
    return name if name.isprintable() else name.encode("unicode_escape").decode()


def _cut(name: str) -> str:
    return name if len(name) <= SHOWN else name[:SHOWN] + "…"
