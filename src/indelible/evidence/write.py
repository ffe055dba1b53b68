"""Writes what was gathered, with its proofs, as a zip file (docs/format.md, "An evidence file")."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from itertools import chain
from typing import IO

from msgspec.json import encode, format

from indelible.evidence.archive import Archive
from indelible.evidence.case import (
    CASE,
    EVENTS,
    HEADERS,
    INDEXES,
    MATCHING,
    README,
    REPORT,
    SALTS,
    TOUCHING,
    Case,
    Line,
    Tree,
    edge_name,
    proof_name,
)
from indelible.evidence.gather import Gathered, Tell
from indelible.evidence.hashes import Prover
from indelible.evidence.report import report
from indelible.tree.vkeys import parse_vkey

Fetch = Callable[[int, str], bytes]
"""A tile of the tree with this number, by its path."""

MEMBERS: dict[str, Callable[[Line], bytes]] = {
    INDEXES: lambda line: b"%d\n" % line.index,
    HEADERS: lambda line: line.header + b"\n",
    SALTS: lambda line: line.salt.encode() + b"\n",
    EVENTS: lambda line: line.event + b"\n",
}


def write(file: IO[bytes], found: Gathered, fetch: Fetch, tell: Tell) -> None:
    """The whole file. Raises what `fetch` does, OSError, and Unproven for entries that are none."""
    case, groups = found.case, found.groups
    with Archive(file) as archive:
        archive.add(README, readme())
        with archive.member(REPORT) as sink:
            for piece in report(case, found.notes, groups[MATCHING], groups[TOUCHING]):
                sink(piece.encode())
        archive.add(CASE, encoded(case))
        for name, group in groups.items():
            for member, part in MEMBERS.items():
                with archive.member(f"{name}/{member}") as sink:
                    for line in group:
                        sink(part(line))
        _proofs(archive, found, fetch, tell)
        for tree in case.trees:
            archive.add(f"{tree.folder}/checkpoint", found.notes[tree.generation])
            for name, content in beside(tree).items():
                archive.add(name, content)


def _proofs(archive: Archive, found: Gathered, fetch: Fetch, tell: Tell) -> None:
    """A proof for each entry of the question, and for the first and the last of a whole range."""
    case = found.case
    provers = {
        tree.generation: Prover(lambda path, number=tree.generation: fetch(number, path), tree.size, found.notes[tree.generation])  # type: ignore[misc]
        for tree in case.trees
    }
    indexes = {line.index for line in chain(found.groups[MATCHING], found.groups[TOUCHING])}
    for count, index in enumerate(sorted(indexes), 1):
        if tree := case.tree_of(index):
            archive.add(proof_name(index), provers[tree.generation].proof(index - tree.start))
        tell(count, len(indexes))
    for tree, part in case.parts() if case.complete else ():
        for edge, index in (("first", part[0]), ("last", part[-1])):
            archive.add(edge_name(tree, edge), provers[tree.generation].proof(index - tree.start))


def encoded(case: Case) -> bytes:
    return format(encode(case)) + b"\n"


def readme() -> bytes:
    return files(__package__).joinpath(README).read_bytes()


def beside(tree: Tree) -> dict[str, bytes]:
    """What stands in a tree's folder beside its checkpoint. Raises Malformed for a key that is none."""
    keys = [parse_vkey(key.vkey) for key in tree.keys]
    return {
        f"{tree.folder}/start": b"%d\n" % tree.start,
        f"{tree.folder}/vkeys.txt": "".join(f"{key.vkey}\n" for key in keys).encode(),
    }
