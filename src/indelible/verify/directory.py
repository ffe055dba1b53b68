"""A data directory, offline: every frame read, every entry made again, every tree held against every checkpoint that was signed of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from indelible.errors import NotYet, Unproven
from indelible.model.counting import counted
from indelible.verify.terms import Terms, Verdict
from indelible.verify.trust import Accepted, by_own_keys

if TYPE_CHECKING:
    from indelible.journal.port import Placed
    from indelible.offline import Directory
    from indelible.signing.keys import Identity
    from indelible.signing.stored import Stored
    from indelible.tree.checkpoint import Told


class Checked(NamedTuple):
    """A directory in which all holds: what was folded, and the newest checkpoint of each tree."""

    held: Directory
    newest: Mapping[str, Accepted]


def verify(target: str, terms: Terms) -> Verdict:
    """The directory. Takes no lock and writes nothing. Raises Damaged, Unproven or Malformed at the first thing that does not hold."""
    checked = check(Path(target), terms)
    lines = []
    for origin, accepted in sorted(checked.newest.items()):
        signer = "" if accepted.confirmed or not terms.trust.names else ", signer not confirmed"
        size = accepted.checkpoint.size
        lines.append(f"{origin}: {'its entry holds' if size == 1 else f'all {size:,} entries hold'}{signer}")
        lines += terms.continued(accepted)
    lines += [_unsigned(checked.held, log) for log in checked.held.recorder.logs]
    for accepted in checked.newest.values():
        terms.memory.keep(accepted)
    return Verdict([line for line in lines if line], all(accepted.confirmed for accepted in checked.newest.values()))


def check(data: Path, terms: Terms) -> Checked:
    """Fold and compare all of it. Raises Damaged, Unproven or Malformed at the first thing that does not hold, NotYet for an empty one."""
    from indelible import offline
    from indelible.signing.directory import SIGNING
    from indelible.signing.ledger import NAME

    held = offline.directory(data)
    path = data / SIGNING / NAME
    if held.stored.problems:
        raise Unproven(f"{path}: {held.stored.problems[0]}")
    if held.identity is None or not held.stored.notes:
        raise _nothing_signed(held, data, terms)
    told, newest = signed(held.stored.notes, held.identity, terms, path)
    for finding in held.audit(told).run(watched(held, terms.progress)):
        raise Unproven(finding.detail)
    held.whole.unchanged()
    return Checked(held, newest)


def _nothing_signed(held: Directory, data: Path, terms: Terms) -> Unproven | NotYet:
    """The error for a directory without a checkpoint: only one that is new needs none."""
    own = f"{held.identity.origin}/" if held.identity else None
    for origin in () if terms.forget else terms.memory.origins():
        if origin in terms.trust.names or (own and origin.startswith(own)):
            return Unproven(f"{origin} was verified before, and nothing is signed in {data}: it was rolled back")
    for _ in held.audit({}).run(watched(held, terms.progress)):
        pass
    if held.recorder.logs:
        return Unproven(f"{data} has signed nothing: there is no checkpoint to hold its entries against")
    return NotYet(f"{data} has no entry yet, and so no checkpoint")


def watched(held: Directory, progress: Callable[[int, int], None]) -> Iterator[Placed]:
    """The frames, telling how many bytes of how many were read."""
    for placed, done in held.whole.frames():
        progress(done, held.whole.total)
        yield placed


def signed(notes: Sequence[Stored], identity: Identity, terms: Terms, path: Path) -> tuple[dict[str, list[Told]], dict[str, Accepted]]:
    """What each checkpoint and the memory say of each tree, and the newest checkpoint by origin. Raises Malformed or Unproven."""
    newest: dict[str, Stored] = {}
    told: dict[str, list[Told]] = {}
    for stored in notes:
        origin = stored.checkpoint.origin
        says = stored.told(path)
        try:
            by_own_keys(stored.note, identity.public(origin))
        except Unproven as error:
            raise Unproven(f"the checkpoint {says.where}: {error.detail}") from None
        told.setdefault(origin, []).append(says)
        if origin not in newest or stored.checkpoint.size >= newest[origin].checkpoint.size:
            newest[origin] = stored
    if terms.trust.names and not newest.keys() & set(terms.trust.names):
        here = ", ".join(sorted(newest)) or "none"
        raise Unproven(f"the keys that were given are those of {', '.join(terms.trust.names)}; signed here are {here}")
    terms.match(newest)
    known = [origin for origin in terms.memory.origins() if origin.startswith(f"{identity.origin}/")]
    for origin in known if terms.forget else ():
        terms.memory.forget(origin)
    for origin in (*terms.trust.names, *(() if terms.forget else known)):
        if origin.startswith(f"{identity.origin}/") and origin not in newest:
            raise Unproven(f"{origin} was expected here, by a key that was given or from an earlier look, and nothing of it is signed here")
    accepted = {origin: _accepted(stored, identity, terms) for origin, stored in newest.items()}
    for origin, each in accepted.items():
        told[origin] += terms.told(each)
    return told, accepted


def _accepted(stored: Stored, identity: Identity, terms: Terms) -> Accepted:
    origin = stored.checkpoint.origin
    if origin in terms.trust.names:
        return terms.trust.opened(stored.note, list)
    return by_own_keys(stored.note, identity.public(origin))


def _unsigned(held: Directory, log: str) -> str:
    """How many entries stand under no checkpoint yet."""
    generation = held.recorder.generations(log)[-1]
    origin = held.name(log, generation.number)
    size = max((stored.checkpoint.size for stored in held.stored.notes if stored.checkpoint.origin == origin), default=0)
    left = generation.tree.size - size
    if not left:
        return ""
    came = counted(left, "entry", "entries")
    return f"{origin}: {came} came after its newest checkpoint, and nobody has signed {'it' if left == 1 else 'them'} yet"
