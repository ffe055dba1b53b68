"""What evidence is made of: entries with all that their leaves hash, and the trees with everybody who signed them."""

from __future__ import annotations

from base64 import b64encode
from itertools import groupby

from msgspec import Struct
from msgspec.json import encode
from starlette.requests import Request
from starlette.responses import Response

from indelible.http.answers import Kept
from indelible.http.read import ANSWER, JSON, asked, bad, no_parameters, number, parameters, spliced
from indelible.http.service import Service
from indelible.log.headers import Entry
from indelible.log.shown import Shown
from indelible.model.query import parse
from indelible.store.port import Row
from indelible.tree.merkle import WIDTH

_OWN = ("from", "to", "cursor")  # what means something else here than in a question, or nothing


class KeptEntry(Struct, frozen=True):
    """An entry: the event, the `header` that its leaf hashes, and in base64 the `salt` that the header's digest of the body is over."""

    event: Kept
    header: str
    salt: str


class Entries(Struct, frozen=True):
    """Entries that match, newest first. `next` is the `to` of the next question; null means that there are no more.

    `complete` is false when some of the range could not be read.
    """

    entries: list[KeptEntry]
    next: int | None
    complete: bool


class SigningPeriod(Struct, frozen=True):
    """A public key, and from when to when it signs; `until` is null for one that was not rotated. The times are nobody's signature."""

    vkey: str
    since: str
    until: str | None


class SignedTree(Struct, frozen=True):
    """A generation of a log's tree. Its first `size` entries, from index `start` on, are those that `checkpoint` signs.

    `size` is 0 where entries that were signed are lost. `witnessed` is the newest checkpoint with all cosignatures that are asked for.
    `keys` are those that ever signed under `origin`, newest first.
    """

    generation: int
    origin: str
    start: int
    size: int
    checkpoint: str | None
    witnessed: str | None
    keys: list[SigningPeriod]


class LogTrees(Struct, frozen=True):
    """A log's `size`, and its trees, oldest first."""

    log: str
    size: int
    trees: list[SignedTree]


class _Whole(Struct):
    """The end of an entry's text, behind its event."""

    header: str
    salt: str


async def entries(request: Request) -> Response:
    """The entries from index `from` up to, not including, `to` that match, newest first, each with its header and its salt."""
    service, log = asked(request)
    pairs = parameters(request.scope["query_string"])
    given = {name: value for name, value in pairs if name in _OWN}
    if "cursor" in given or sum(name in _OWN for name, _ in pairs) > len(given):
        raise bad("to", "from=… and to=… stand here once each; `next` of an answer is the `to` of the next question")
    question = parse(log, [pair for pair in pairs if pair[0] not in _OWN])
    first = number(given, "from") if "from" in given else 0
    below = number(given, "to") if "to" in given else None
    page = await service.store.page(question.query, below, question.limit, ANSWER)
    rows = [row for row in page.rows if row.index >= first]
    more = page.next if len(rows) == len(page.rows) and page.next is not None and page.next > first else None
    texts = [
        b'{"event":%b,%b' % (spliced(row), encode(_Whole(entry.header.decode(), b64encode(entry.salt).decode()))[1:])
        for row, entry in zip(rows, await _beside(service, log, rows), strict=True)
    ]
    complete = encode(page.complete and service.recorder.complete)
    return Response(b'{"entries":[%b],"next":%b,"complete":%b}' % (b",".join(texts), encode(more), complete), media_type=JSON)


async def trees(request: Request) -> Response:
    """The log's trees, oldest first: what is signed of each, and every key that ever signed it."""
    service, log = asked(request)
    no_parameters(request)
    made = [_tree(shown, [SigningPeriod(*key) for key in keys]) for shown, keys in service.publisher.trees(log)]
    return Response(encode(LogTrees(log, service.recorder.size(log), made)), media_type=JSON)


def _tree(shown: Shown, keys: list[SigningPeriod]) -> SignedTree:
    latest, witnessed = shown.latest, shown.witnessed
    size = latest.checkpoint.size if latest and not shown.is_lost and latest.checkpoint.size <= shown.generation.tree.size else 0
    note, cosigned = (each.note.decode() if each else None for each in (latest, witnessed))
    return SignedTree(shown.generation.number, shown.origin, shown.generation.start, size, note, cosigned, keys)


async def _beside(service: Service, log: str, rows: list[Row]) -> list[Entry]:
    """Header and salt of each row, in the same order; each tile that they lie in is read once."""
    found: list[Entry] = []
    placed = [(service.publisher.holding(log, row.index).generation, row.index) for row in rows]
    for _, together in groupby(placed, lambda each: (each[0].number, (each[1] - each[0].start) // WIDTH)):
        some = list(together)
        generation, first = some[-1]
        span = range(first - generation.start, some[0][1] + 1 - generation.start)
        made = await service.proofs.entries(log, generation, span)
        found += [made[index - first] for _, index in some]
    return found
