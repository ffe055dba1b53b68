"""What a server answers, as types, and its problems as the errors that they are."""

from __future__ import annotations

from http.client import responses
from typing import TypeVar

from msgspec import UNSET, MsgspecError, Raw, Struct, UnsetType, ValidationError
from msgspec.json import decode

from indelible.client.connection import Answer, Broken
from indelible.errors import REFUSALS, Conflict, Damaged, Fault, IndelibleError, Refused, Unauthorized, Unreachable
from indelible.model.receipt import Receipt, Status

T = TypeVar("T")
_JSON, _PROBLEM, _BYTES = "application/json", "application/problem+json", "application/octet-stream"
_SHOWN = 2000  # characters of a detail
_NO_KEY = "the key is missing or not the server's: set INDELIBLE_KEY to it"


class Batch(Struct, frozen=True):
    """What became of the events of one request: the counts add up to their number.

    `errors` say what was refused or is a conflict (of many, the first 100 events), each with its `index` among the events sent.
    `receipts` are those of all but the refused; empty if every event is a conflict.
    """

    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    refused: int = 0
    receipts: list[Receipt] = []
    errors: list[Fault] = []


class Page(Struct, frozen=True):
    """Events newest first, each with its own bytes and `record` in front. `next` is the cursor of the page after it.

    `complete` is False when some of the range could not be read: then this is not all that matches.
    """

    events: list[Raw]
    next: str | None
    complete: bool


class Count(Struct, frozen=True):
    """`complete` is False when some of the range could not be read: then there may be more."""

    count: int
    complete: bool = True


class Entry(Struct, frozen=True):
    """An entry with all that its leaf hashes; `salt` is base64."""

    event: Raw
    header: str
    salt: str


class Entries(Struct, frozen=True):
    """Entries newest first. `next` is the `to` of the page after it; `complete` as in Page."""

    entries: list[Entry]
    next: int | None
    complete: bool


class Period(Struct, frozen=True):
    """A key of a log, and from when to when it signs."""

    vkey: str
    since: str
    until: str | None


class Tree(Struct, frozen=True):
    """A tree of a log, its keys newest first; its first `size` entries, from index `start` on, are under `checkpoint`, a signed note."""

    generation: int
    origin: str
    start: int
    size: int
    checkpoint: str | None
    witnessed: str | None
    keys: list[Period]


class Trees(Struct, frozen=True):
    """A log, how many entries it has, and its trees, oldest first."""

    log: str
    size: int
    trees: list[Tree]


class Problem(Struct, frozen=True):
    """RFC 9457, with the members of docs/http-api.md."""

    type: str
    title: str = ""
    status: int = 0
    detail: str = ""
    errors: list[Fault] = []
    total: int | UnsetType = UNSET
    index: int | UnsetType = UNSET


def read(answer: Answer, kind: type[T], url: str) -> T:
    """What a final answer says. Raises the Refused that it is, Unreachable if no Indelible gave it, Broken if its end is missing."""
    if 200 <= answer.status < 300 and answer.kind == _JSON:
        try:
            return decode(answer.body, type=kind)
        except ValidationError:
            raise _foreign(answer, url) from None
        except (MsgspecError, ValueError):
            raise Broken("the answer broke off") from None
    raise _other(answer, url)


def read_bytes(answer: Answer, url: str) -> bytes:
    """What a final answer that is no JSON holds. Raises as `read`."""
    if 200 <= answer.status < 300 and answer.kind == _BYTES:
        return answer.body
    raise _other(answer, url)


def is_damage(answer: Answer) -> bool:
    """Whether the server says that what it holds is damaged: asking again does not mend that."""
    problem = _problem(answer) if answer.status == Damaged.status else None
    return problem is not None and _name(problem) == Damaged.name


def _other(answer: Answer, url: str) -> IndelibleError:
    """What an answer is that is not the one that was asked for."""
    if 300 <= answer.status < 400 and answer.location:
        return Unreachable(f"{url} sends on to {plain(answer.location[:200])}, which is not followed: use the address that is meant")
    problem = _problem(answer)
    if problem is None:
        return _foreign(answer, url)
    return Damaged(f"{url}: {_said(problem)}") if is_damage(answer) else _refusal(problem)


def seen(answer: Answer) -> str:
    """An answer that may be another one later, in words: `503 Service Unavailable: too much is in flight`."""
    problem = _problem(answer)
    return _status(answer) + (f": {_said(problem)}" if problem else "")


def conflicts(receipts: list[Receipt]) -> list[Fault]:
    """A fault for each conflict among the receipts."""
    return [
        Fault(f"the id {receipt.id[:80]!r} is taken by other bytes; entry {receipt.index} keeps the attempt", receipt.at or place)
        for place, receipt in enumerate(receipts)
        if receipt.status is Status.conflict
    ]


def plain(text: str) -> str:
    """Text from outside as one line that a terminal can show: what does not print is escaped."""
    return "".join([one if one.isprintable() else one.encode("unicode_escape").decode() for one in text[:_SHOWN]])


def _refusal(problem: Problem) -> Refused:
    kind = REFUSALS.get(_name(problem), Refused)
    detail = _NO_KEY if kind is Unauthorized else plain(problem.detail or problem.title)
    error = kind(detail, tuple(problem.errors), problem.total or None)
    if isinstance(error, Conflict) and isinstance(problem.index, int):
        error.index = problem.index
    return error


def _problem(answer: Answer) -> Problem | None:
    if answer.kind != _PROBLEM:
        return None
    try:
        return decode(answer.body, type=Problem)
    except (MsgspecError, ValueError):
        return None


def _name(problem: Problem) -> str:
    return problem.type.rpartition("/")[2]


def _said(problem: Problem) -> str:
    """Of a failure of the server's own the title says more than the detail."""
    said = f"{problem.title}: {problem.detail}" if problem.status == 500 else problem.detail or problem.title
    return plain(said)


def _foreign(answer: Answer, url: str) -> Unreachable:
    what = f"with {plain(answer.kind[:60])}" if answer.kind and answer.kind != _JSON else "in a form of its own"
    return Unreachable(f"{url} answered {_status(answer)} {what}: is it the address of an Indelible server?")


def _status(answer: Answer) -> str:
    return f"{answer.status} {responses.get(answer.status, '')}".strip()
