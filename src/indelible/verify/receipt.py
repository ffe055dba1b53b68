"""What a producer or a reader holds as JSON: a receipt, the receipts of a batch, or an event with its proof."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import UNSET, MsgspecError, Raw, Struct, UnsetType
from msgspec.json import decode

from indelible.errors import BadParameter, Malformed, Unproven
from indelible.model.counting import counted
from indelible.model.header import header, hold
from indelible.model.receipt import Receipt, Status
from indelible.tree.checkpoint import Checkpoint
from indelible.tree.merkle import leaf_hash
from indelible.tree.note import Key
from indelible.tree.strangers import first_generation
from indelible.tree.text import base64
from indelible.verify import entries
from indelible.verify.fetch import Remote, Server, url_of
from indelible.verify.proofs import Proven, checked, described, note_of, own_keys, prover
from indelible.verify.targets import content
from indelible.verify.terms import Terms, Verdict
from indelible.verify.trust import nobodys_key

_SHOWN = 3  # receipts that a verdict describes one by one


class _Receipts(Struct):
    receipts: list[Receipt]


class _Proven(Struct):
    """GET /v1/events/{id}?proof=1, or the proof alone."""

    proof: Raw
    event: Raw | UnsetType = UNSET


def verify(target: str, terms: Terms) -> Verdict:
    """The file. Raises Malformed or Unproven at the first thing that does not hold, and what asking for proofs raises."""
    text = content(target)
    readers: Sequence[tuple[type[Receipt | _Receipts | _Proven], Callable[..., Verdict]]] = (
        (Receipt, lambda found: _receipts([found], terms)),
        (_Receipts, lambda found: _receipts(found.receipts, terms)),
        (_Proven, lambda found: _event(found, terms)),
    )
    for kind, read in readers:
        try:
            found = decode(text, type=kind)
        except (MsgspecError, ValueError, RecursionError):
            continue
        return read(found)
    try:
        return _event(_Proven(Raw(text)), terms)
    except Malformed:
        raise Malformed(f"{target} is no receipt, no receipts of a batch and no event with its proof") from None


def _receipts(receipts: list[Receipt], terms: Terms) -> Verdict:
    """Each receipt against the log that it names."""
    if not receipts:
        raise BadParameter("there is no receipt in it")
    sent = entries.bodies(terms.event) if terms.event is not None else None
    asked = prover(terms)
    lines, confirmed = [], True
    try:
        for place, receipt in enumerate(receipts):
            proven = asked.prove(receipt.log, receipt.index)
            body = _sent(sent, place if receipt.at is UNSET else receipt.at)
            try:
                lines.append(_held(receipt, proven, body))
            except Unproven as error:
                raise Unproven(f"the receipt of {receipt.id!r}, index {receipt.index}: {error.detail}") from None
            confirmed = confirmed and proven.accepted.confirmed
            terms.progress(place + 1, len(receipts))
    finally:
        asked.close()
    more = [f"… and {counted(len(lines) - _SHOWN, 'more receipt holds', 'more receipts hold')}"] if len(lines) > _SHOWN else []
    return Verdict([*lines[:_SHOWN], *more], confirmed)


def _sent(sent: list[bytes] | None, place: int) -> bytes | None:
    if sent is None:
        return None
    if place >= len(sent):
        there = f"there {'is' if len(sent) == 1 else 'are'} {counted(len(sent), 'event')}"
        raise BadParameter(f"{there} and a receipt for event {place}, counted from 0: they do not belong together")
    return sent[place]


def _held(receipt: Receipt, proven: Proven, body: bytes | None) -> str:
    """What was found. Raises Malformed or Unproven."""
    said = header(proven.entry)
    if base64(leaf_hash(proven.entry)) != receipt.leaf:
        raise Unproven(f"another entry stands there than the receipt promises: its leaf is not the receipt's{_void(proven)}")
    if said.recorded != receipt.recorded:
        raise Unproven(f"the entry was recorded at {said.recorded}, the receipt says {receipt.recorded}")
    if said.is_conflict != (receipt.status is Status.conflict):
        raise Unproven(f"the receipt says {receipt.status.value}, and the entry is of type {said.type}")
    if said.is_conflict:
        if proven.body is not None:
            hold(proven.entry, proven.salt, proven.body)
            if body is not None and entries.refused_in(proven.body) != body:
                raise Unproven("the conflict entry keeps other bytes than the event's")
        what = "is the record of a conflict"
    else:
        if said.id != receipt.id:
            raise Unproven(f"the entry has the id {said.id!r}")
        for bytes_of_it in (body, proven.body):
            if bytes_of_it is not None:
                hold(proven.entry, proven.salt, bytes_of_it)
        what = f"is {said.type} from {said.source}"
    return f"{receipt.id}: entry {receipt.index} {what}, recorded {said.recorded}, {_under(proven.accepted.checkpoint)}"


def _under(checkpoint: Checkpoint) -> str:
    return f"under {counted(checkpoint.size, 'entry', 'entries')} of {checkpoint.origin}"


def _void(proven: Proven) -> str:
    """What a loss has to do with it, if there may have been one."""
    origin = proven.accepted.checkpoint.origin
    if origin == first_generation(origin):
        return ""
    return (
        f"; the log has lost entries and went on as {origin}, and a receipt from before that may be void: `indelible status` says which are"
    )


def _event(found: _Proven, terms: Terms) -> Verdict:
    """An event with its proof: nobody is asked but, without a key from elsewhere, the server for its own."""
    proof = described(bytes(found.proof))
    accepted = terms.trust.opened(note_of(proof), lambda: _own(terms, proof.log, proof.origin))
    terms.compare(accepted)
    entry, salt = checked(proof, accepted)
    said = header(entry)
    kept = entries.unspliced(bytes(found.event)) if found.event is not UNSET else None
    given = entries.bodies(terms.event)[0] if terms.event is not None else None
    for body in (kept, given):
        if body is not None:
            hold(entry, salt, body)
    event = "" if kept or given else "; the event's own bytes were not shown: --event FILE"
    place = (
        f"entry {proof.index}" if proof.start == 0 else f"entry {proof.index - proof.start} of its tree"
    )  # where that begins, nobody says
    where = f"{place} is {said.type} from {said.source}, recorded {said.recorded}"
    return Verdict([f"{said.id}: {where}, {_under(accepted.checkpoint)}{event}"], accepted.confirmed)


def _own(terms: Terms, log: str, origin: str) -> list[Key]:
    """The keys that the server shows as its own."""
    if terms.server is None:
        raise nobodys_key()
    server = Server(url_of(terms.server, log), terms.key, terms.patience)
    try:
        return own_keys(Remote(server), origin)
    finally:
        server.close()
