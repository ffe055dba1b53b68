"""Asks a server what an evidence file is made of: entries, salts, trees and tiles. Nothing is believed: the finished file is checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from msgspec import MsgspecError, Raw, Struct
from msgspec.json import decode

from indelible import __version__
from indelible.client import Client
from indelible.client.answers import Entry, Trees
from indelible.client.answers import Tree as Told
from indelible.errors import BadParameter, Busy, Damaged, NotYet, TooLarge, Unproven
from indelible.evidence.case import FORMAT, MATCHING, MOST, RANGE, TOUCHING, Case, Key, Line, Tree
from indelible.evidence.spool import Spool
from indelible.model.conflict import SOURCE
from indelible.model.receipt import Record
from indelible.tree.checkpoint import parse_checkpoint
from indelible.tree.note import parse_note

PAGE = 1000  # entries asked for at once
WAIT, TRIES = 0.25, 40  # s between looks at the trees, and looks, until the newest entries are under a checkpoint
_OWN = (("type", f"{SOURCE}.*"), ("source", SOURCE))

Tell = Callable[[int, int | None], None]
"""Told how many entries have come, and how many there will be, if that is known."""


class Asked(NamedTuple):
    """The question; `last` None means up to the log's end. `by` and `at` are who asks, and when."""

    filters: Sequence[tuple[str, str]]
    first: int
    last: int | None
    complete: bool
    by: str
    at: str


class _Recorded(Struct):
    record: Raw


class Gathered(NamedTuple):
    """All that the file will hold but its proofs. `notes` has each tree's checkpoint by its generation."""

    case: Case
    notes: dict[int, bytes]
    groups: dict[str, Spool]


def gather(client: Client, server: str, asked: Asked, stack: ExitStack, pause: Callable[[float, str], None], tell: Tell) -> Gathered:
    """What the server says; `stack` closes the entries' files.

    Raises NotYet for a range that is not signed yet, Damaged if what was signed is lost, BadParameter for a range that is none,
    TooLarge above MOST entries, Unproven if the server could not read all of it.
    """
    log, size, last, chosen = _trees(client, asked, pause)
    bounds = (asked.first, last)
    groups = {name: stack.enter_context(Spool()) for name in (MATCHING, TOUCHING, *([RANGE] if asked.complete else []))}
    for name, filters in ((MATCHING, asked.filters), (TOUCHING, _OWN), (RANGE, ())):
        if name not in groups:
            continue
        total = last - asked.first if name == RANGE else None
        for page in _pages(client, filters, *bounds):
            groups[name].add(page)
            tell(sum(each.count for each in groups.values()), total)
            if name != RANGE and groups[MATCHING].count + groups[TOUCHING].count > MOST:
                raise TooLarge(f"more than {MOST:,} entries match: ask for fewer at a time, with --from and --to")
    trees = [_kept(each) for each in chosen]
    case = Case(
        FORMAT,
        __version__,
        asked.by,
        asked.at,
        server,
        log,
        size,
        list(asked.filters),
        *bounds,
        asked.complete,
        groups[MATCHING].count,
        sum(not any(line.index in tree.entries for tree in trees) for line in groups[MATCHING]),
        groups[TOUCHING].count,
        trees,
    )
    return Gathered(case, {each.generation: (each.checkpoint or "").encode() for each in chosen}, groups)


def _kept(told: Told) -> Tree:
    keys = [Key(key.vkey, key.since, key.until) for key in told.keys]
    return Tree(told.generation, told.origin, told.start, told.size, keys)


def _trees(client: Client, asked: Asked, pause: Callable[[float, str], None]) -> tuple[str, int, int, list[Told]]:
    """The log, its size, the end of the range, and its trees once the newest is signed that far, and cosigned if it ever was."""
    wanted, found = None, None
    for _ in range(TRIES):
        told = client.trees()
        wanted = _end(asked, told) if wanted is None else wanted
        chosen = [_cosigned(tree, wanted) for tree in told.trees]
        if not chosen:
            raise Unproven("the server names no tree of the log")
        newest = chosen[-1]
        signed = [tree for tree in chosen if tree.checkpoint and tree.size]
        reached = newest.start + newest.size
        if reached >= wanted and signed:
            found = told.log, told.size, wanted, signed
            if newest.witnessed is None or newest.checkpoint == newest.witnessed:
                return found
        elif newest.checkpoint and not newest.size:
            raise _lost(told.log, newest.checkpoint)
        pause(WAIT, f"entries up to {wanted} are not signed yet")
    if found is None:
        fewer = f", or for fewer with --to {reached}" if reached > asked.first else ""
        raise NotYet(f"log {told.log!r} has signed {reached} entries so far, not {wanted}: ask again in a moment{fewer}")
    return found


def _end(asked: Asked, told: Trees) -> int:
    """Where the range ends. Raises NotYet for a log without entries, BadParameter for a range that it does not have."""
    last = told.size if asked.last is None else asked.last
    if not told.size:
        raise NotYet(f"log {told.log!r} has no entries yet: there is nothing that could be proven")
    if last > told.size:
        raise BadParameter(f"log {told.log!r} has {told.size} entries: no range of it ends at {last}")
    if asked.first >= last:
        raise BadParameter(f"there are no entries from {asked.first} up to, not including, {last}")
    return last


def _lost(log: str, checkpoint: str) -> Damaged:
    size = parse_checkpoint(parse_note(checkpoint.encode()).text).size
    return Damaged(
        f"the newest tree of log {log!r} was signed with {size} entries, and the server does not have them all: "
        "nothing of it can be proven until its operator puts a backup back, or repairs it"
    )


def _cosigned(tree: Told, wanted: int) -> Told:
    """With the newest checkpoint that all witnesses have signed, if it has all that is wanted of the tree."""
    if tree.witnessed is None:
        return tree
    size = parse_checkpoint(parse_note(tree.witnessed.encode()).text).size
    if size > tree.size or tree.start + size < min(wanted, tree.start + tree.size):
        return tree
    return Told(tree.generation, tree.origin, tree.start, size, tree.witnessed, tree.witnessed, tree.keys)


def _pages(client: Client, filters: Sequence[tuple[str, str]], first: int, last: int) -> Iterator[list[Line]]:
    """Newest first."""
    below: int | None = last
    while below is not None and below > first:
        page = client.entries([*filters, ("from", str(first)), ("to", str(below)), ("limit", str(PAGE))])
        if not page.complete:
            raise Unproven("the server could not read all of the range: this would be half an answer")
        yield list(map(line_of, page.entries))
        if page.next is not None and page.next >= below:
            raise Busy("the server does not come further: ask again")
        below = page.next


def line_of(entry: Entry) -> Line:
    """The event's own bytes again, without `record`, which stands in front of them. Raises Unproven for what is no entry."""
    event, header = bytes(entry.event), entry.header.encode()
    try:
        record = bytes(decode(event, type=_Recorded).record)
        index = decode(record, type=Record).index
    except MsgspecError as error:
        raise Unproven(f"the server gave an entry without its record: {error}") from None
    start = b'{"record":%b,' % record
    if not event.startswith(start) or b"\n" in event or b"\n" in header or b"\t" in header or not entry.salt.isprintable():
        raise Unproven(f"the server gave entry {index} in a form that it does not have")
    return Line(index, header, entry.salt, b"{" + event[len(start) :])
