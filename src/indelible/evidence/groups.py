"""What an evidence file holds before any of it is proven: the case, and entries in their order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from msgspec import MsgspecError
from msgspec.json import decode

from indelible.errors import Malformed, Unproven
from indelible.evidence.case import CASE, EVENTS, FILES, FORMAT, Case, Line, Tree
from indelible.evidence.members import Members, at
from indelible.evidence.write import encoded
from indelible.tree.text import decimal


def case_in(members: Members) -> Case:
    """case.json, if it is as it would be written. Raises Malformed."""
    raw = members.read(CASE)
    try:
        case = decode(raw, type=Case)
    except (MsgspecError, ValueError, RecursionError) as error:
        raise Malformed(f"{CASE} is not what it should be: {error}") from None
    if case.format != FORMAT:
        raise Malformed(f"{CASE} has format {case.format}, this version reads format {FORMAT}: use the version that wrote it")
    if raw != encoded(case) or not 0 <= case.first < case.last <= case.size or not case.trees:
        raise Malformed(f"{CASE} is not as it is written")
    for tree in case.trees:
        _fits(case, tree)
    if any(one.generation >= other.generation or one.entries.stop > other.start for one, other in pairwise(case.trees)):
        raise Malformed(f"{CASE} names trees that overlap")
    return case


def _fits(case: Case, tree: Tree) -> None:
    """A tree's name says which one of which log it is: nobody can pass one off as another."""
    end = f"/{case.log}" if tree.generation == 1 else f"/{case.log}/g{tree.generation}"
    if tree.generation < 1 or tree.size < 1 or not tree.origin.endswith(end) or (tree.start and tree.generation == 1):
        raise Malformed(f"{CASE} says that {tree.origin} is tree {tree.generation} of log {case.log!r}, from entry {tree.start} on")


def entries(members: Members, group: str, within: range) -> Iterator[tuple[Line, str]]:
    """The entries of a group, and where each stands. Raises Unproven unless their indexes rise and lie `within` the range."""
    before = within.start - 1
    for number, (index, header, salt, event) in enumerate(_together(members, group), 1):
        place = f"{group}/{EVENTS}, line {number}"
        with at(place):
            line = Line(decimal(index.decode(errors="replace"), "the index"), header, salt.decode(errors="replace"), event)
            if not before < line.index < within.stop:
                raise Unproven(f"entry {line.index} stands behind entry {before}, in a range that ends before {within.stop}")
        before = line.index
        yield line, f"{place} (entry {line.index})"


def _together(members: Members, group: str) -> Iterator[tuple[bytes, ...]]:
    """Line by line of a group's files. Raises Unproven where one is longer than another."""
    files = [members.lines(f"{group}/{name}") for name in FILES]
    while True:
        parts = [part for each in files if (part := next(each, None)) is not None]
        if not parts:
            return
        if len(parts) < len(files):
            raise Unproven(f"the files in {group}/ have different numbers of lines")
        yield tuple(parts)
