"""Proofs over HTTP: that an entry is in the log, that a log only grew, as JSON or as a file that stands for itself."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec.json import encode
from starlette.requests import Request
from starlette.responses import Response

from indelible.errors import NotFound, NotYet
from indelible.http import read
from indelible.http.answers import ConsistencyProof, InclusionProof
from indelible.http.read import JSON, asked, bad, number, one_each
from indelible.http.service import Service
from indelible.log.generations import Generation, voided
from indelible.log.headers import Entry
from indelible.log.shown import Shown
from indelible.store.port import Row
from indelible.tree.merkle import Hash, leaf_hash
from indelible.tree.tlogproof import SUFFIX, make_proof

FORMS = JSON_FORM, FILE_FORM = "json", "tlog-proof"


async def inclusion(request: Request) -> Response:
    """That an entry, named by id or by index, is under a checkpoint. Raises NotYet while it is under none, NotFound if it will be."""
    service, log = asked(request)
    given = one_each(request, ("id", "index", "source", "size", "format"))
    form = form_of(request, given)
    if ("id" in given) == ("index" in given):
        raise bad("index", "one entry has to be named: id=… or index=…")
    if "index" in given:
        index = number(given, "index")
        if index >= (size := service.recorder.size(log)):
            void = voided(service.recorder.generations(log), index)
            raise NotFound(f"log {log!r} has no entry {index}: it has {size}, counted from 0{void}")
    else:
        index = (await read.row_named(service, log, given["id"], given.get("source"))).index
    made = await prove(service, log, index, number(given, "size") if "size" in given else None)
    return _file(made) if form == FILE_FORM else Response(encode(_described(made)), media_type=JSON)


async def consistency(request: Request) -> Response:
    """That the log's first `from` entries are the beginning of its first `to`."""
    service, log = asked(request)
    given = one_each(request, ("from", "to"))
    shown = service.publisher.shown(log)
    if "from" not in given:
        raise bad("from", "from=… has to say the smaller size")
    old, new = number(given, "from"), number(given, "to") if "to" in given else shown.provable
    if new > shown.size:
        raise NotFound(f"the log {shown.origin} has published {shown.size} entries, not {new}")
    if old > new:
        raise bad("from", f"{old} entries are not the beginning of {new}")
    hashes = await service.proofs.consistency(log, shown.generation, old, new)
    return Response(encode(ConsistencyProof(log, shown.origin, old, new, _texts(hashes), _note(shown, new))), media_type=JSON)


class Made(NamedTuple):
    """What proves an entry: it is the one at `place` among the first `size` of a tree. `note` is their checkpoint, if it is kept."""

    shown: Shown
    place: int
    size: int
    entry: Entry
    hashes: list[Hash]
    note: bytes | None


async def proven(service: Service, row: Row, form: str) -> Response:
    """An event with its proof: both as JSON, or the proof alone as a file. Raises as `prove`."""
    made = await prove(service, row.log, row.index)
    if form == JSON_FORM:
        return Response(b'{"event":%b,"proof":%b}' % (read.spliced(row), encode(_described(made))), media_type=JSON)
    return _file(made)


async def prove(service: Service, log: str, index: int, size: int | None = None) -> Made:
    """That the entry at `index`, which is there, is among the first `size` entries of its tree; without, under its newest checkpoint.

    Raises NotYet for an entry that waits for its checkpoint, NotFound for what is not published or cannot be proven any more.
    """
    shown = service.publisher.holding(log, index)
    place = index - shown.generation.start
    if size is None:
        size = shown.provable
        if place >= size:
            raise _unproven(service, shown, index)
    elif size > shown.size:
        raise NotFound(f"the log {shown.origin} has published {shown.size} entries, not {size}{loss(service, shown)}")
    elif place >= size:
        raise NotFound(f"entry {index} is not among the first {size} entries of {shown.origin}, of which {shown.size} are published")
    note = shown.at(size)
    hashes = await service.proofs.inclusion(log, shown.generation, place, size)
    (entry,) = await service.proofs.entries(log, shown.generation, range(place, place + 1))
    return Made(shown, place, size, entry, hashes, note.note if note else None)


def loss(service: Service, shown: Shown) -> str:
    """What goes on behind a sentence about a tree that was cut short; empty for any other."""
    if not shown.is_short or shown.latest is None:
        return ""
    held, later = "others" if shown.is_lost else f"{shown.generation.tree.size} of them", _next(service, shown)
    why = f"entry {later.start} says what is lost" if later else "this server could read no more"
    return f": {shown.latest.checkpoint.size} entries of {shown.origin} were signed, and the journal holds {held}; {why}"


def _unproven(service: Service, shown: Shown, index: int) -> NotFound | NotYet:
    """The error for an entry that is under no checkpoint that can be shown."""
    entry = f"entry {index} of log {shown.log!r}"
    if shown.is_short:
        return NotFound(f"{entry} is kept and cannot be proven{loss(service, shown)}")
    if later := _next(service, shown):
        return NotFound(f"{entry} is under no checkpoint: {shown.origin} ended before entry {later.start}, and this one was not signed yet")
    return NotYet(f"{entry} is under no checkpoint yet: a new one is proven about a second later, and POST …?ack=proven waits for that")


def _next(service: Service, shown: Shown) -> Generation | None:
    """The generation that follows; None for the current one."""
    later = (each for each in service.recorder.generations(shown.log) if each.number > shown.generation.number)
    return next(later, None)


def form_of(request: Request, given: Mapping[str, str]) -> str:
    """`json` or `tlog-proof`: what `format` says, else a client that takes text/plain and no JSON gets the file. Raises BadParameter."""
    form = given.get("format")
    if form in FORMS:
        return form
    if form is not None:
        raise bad("format", f"format is {form[:40]!r}: {' or '.join(FORMS)} may stand there")
    accepted = request.headers.get("accept", "")
    return FILE_FORM if "text/plain" in accepted and "json" not in accepted else JSON_FORM


def _described(made: Made) -> InclusionProof:
    shown = made.shown
    start = shown.generation.start
    header, salt = made.entry.header.decode(), _text(made.entry.salt)
    leaf = _text(leaf_hash(made.entry.header))
    note = made.note.decode() if made.note else None
    return InclusionProof(shown.log, shown.origin, start + made.place, start, made.size, leaf, _texts(made.hashes), note, header, salt)


def _file(made: Made) -> Response:
    """The proof as c2sp.org/tlog-proof@v1. Raises NotFound for a size of which no checkpoint is kept."""
    if made.note is None:
        raise NotFound(f"no checkpoint of size {made.size} is kept: leave size out, or ask for format=json and bring your own checkpoint")
    name = f"{made.shown.log}-{made.shown.generation.start + made.place}{SUFFIX}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(make_proof(made.place, made.hashes, made.note), headers=headers, media_type="text/plain")


def _note(shown: Shown, size: int) -> str | None:
    known = shown.at(size)
    return known.note.decode() if known else None


def _text(data: bytes) -> str:
    return b64encode(data).decode()


def _texts(hashes: Iterable[bytes]) -> list[str]:
    return [_text(hash) for hash in hashes]
