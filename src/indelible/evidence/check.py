"""Checks an evidence file: that all in it follows from signed checkpoints. Knows no server and no network."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from indelible import __version__
from indelible.errors import BadParameter, Malformed, Unproven
from indelible.evidence.case import (
    CASE,
    FILES,
    MATCHING,
    RANGE,
    README,
    REPORT,
    SUMS,
    TOUCHING,
    Case,
    Line,
    Tree,
    edge_name,
    proof_name,
)
from indelible.evidence.groups import case_in, entries
from indelible.evidence.matching import matches, read
from indelible.evidence.members import Members, at
from indelible.evidence.report import report
from indelible.evidence.write import beside, readme
from indelible.model.beginning import confirm_start
from indelible.model.conflict import SOURCE
from indelible.model.query import Query, parse
from indelible.tree.checkpoint import Opened, open_checkpoint
from indelible.tree.frontier import Frontier, left_of
from indelible.tree.keys import NoteKey
from indelible.tree.merkle import Hash, leaf_hash
from indelible.tree.policy import Policy, evaluate
from indelible.tree.proofs import verify_inclusion
from indelible.tree.tlogproof import Proof, parse_proof
from indelible.tree.vkeys import parse_vkey

_OWN = Query("", (("source", (SOURCE,)), ("type", (f"{SOURCE}.*",))))
Tell = Callable[[int, int], None]


class Report(NamedTuple):
    """What holds. Unless `confirmed`, the file is consistent with itself and anyone may have made it.

    `proven` counts the entries that match and are in the log; what else the question asks for, claims.py says. `page`: whether report.html
    and README.txt were made again and are the same; only the version that wrote them can.
    """

    case: Case
    proven: int
    confirmed: bool
    signers: tuple[str, ...]  # vkeys
    cosigners: tuple[str, ...]  # names that the policy knows
    page: bool
    opened: tuple[Opened, ...]  # the checkpoint of each tree


def check(path: Path, policy: Policy | None = None, tell: Tell = lambda done, total: None) -> Report:
    """What the file proves: to whoever trusts the policy's keys, or, without one, only that all of it fits the keys that lie in it.

    A whole range (--complete) is hashed up to the root, and the question asked of it again. Memory does not grow with the entries.
    Raises Unproven with the first thing that does not hold, Malformed for what is no evidence file.
    """
    with Members(path) as members:
        members.confirm()
        return _Check(members, policy, tell).run()


class _Check:
    """One file, once."""

    def __init__(self, members: Members, policy: Policy | None, tell: Tell) -> None:
        self.members = members
        self.policy = policy
        self.tell = tell
        self.case = case_in(members)
        self.expected = {README, CASE, REPORT, SUMS}
        self.notes: dict[int, bytes] = {}
        self.opened: dict[int, Opened] = {}
        self.unproven = 0
        try:
            self.query = parse("", self.case.filters, paging=False).query
        except BadParameter as error:
            raise Malformed(f"{CASE}: no question: {error.detail}") from None

    def run(self) -> Report:
        for tree in self.case.trees:
            self._tree(tree)
        matching = self._group(MATCHING, self.query, self.case.matching)
        if self.unproven != self.case.unproven:
            raise Unproven(f"{self.unproven} entries of {MATCHING}/ are under no checkpoint, and {CASE} says {self.case.unproven}")
        touching = self._group(TOUCHING, _OWN, self.case.touching)
        for tree in self.case.trees:
            if tree.generation > 1 and self.case.first <= tree.start < self.case.last and tree.start not in touching:
                raise Unproven(f"entry {tree.start}, with which {tree.origin} begins, is not in {TOUCHING}/")
        if self.case.complete:
            self._range(matching, touching)
        self._names()
        opened = tuple(self.opened.values())
        signers = {signed.key.vkey for each in opened for signed in each.logs if isinstance(signed.key, NoteKey)}
        cosigners = {signed.key.name for each in opened for signed in each.witnesses}
        confirmed, by = self.policy is not None, (tuple(sorted(signers)), tuple(sorted(cosigners)))
        return Report(self.case, len(matching) - self.case.unproven, confirmed, *by, self._pages(), opened)

    def _tree(self, tree: Tree) -> None:
        name = f"{tree.folder}/checkpoint"
        with at(name):
            note = self.members.read(name)
            keys = [parse_vkey(key.vkey) for key in tree.keys]
            opened = evaluate(self.policy, note) if self.policy else open_checkpoint(note, tree.origin, keys)
            if (opened.checkpoint.origin, opened.checkpoint.size) != (tree.origin, tree.size):
                raise Unproven(f"it signs {opened.checkpoint.size} entries of {opened.checkpoint.origin}: {CASE} says otherwise")
        self.notes[tree.generation], self.opened[tree.generation] = note, opened
        self.expected.add(name)
        for name, content in beside(tree).items():
            self.expected.add(name)
            if self.members.read(name) != content:
                raise Unproven(f"{name} is not what {CASE} says")

    def _group(self, name: str, query: Query, count: int) -> array[int]:
        """The indexes of entries that match `query`, each proven on its own."""
        found = array("Q")
        for line, place in self._lines(name):
            with at(place):
                header, event = read(line.header, line.salt, line.event)
                if not matches(query, header, event):
                    raise Unproven("it does not match the question")
                self._proven(line)
            found.append(line.index)
            self.tell(len(found), count)
        if len(found) != count:
            raise Unproven(f"{name}/ has {len(found)} entries, and {CASE} says {count}")
        return found

    def _proven(self, line: Line) -> None:
        tree = self.case.tree_of(line.index)
        if tree is None:
            self._is_known_to_be_unproven(line.index)
            return
        proof = self._proof(proof_name(line.index), tree, line.index)
        verify_inclusion(leaf_hash(line.header), proof.index, tree.size, proof.hashes, self._root(tree))
        if line.index == tree.start and tree.generation > 1:
            confirm_start(tree.start, line.event)

    def _root(self, tree: Tree) -> Hash:
        return self.opened[tree.generation].checkpoint.root

    def _is_known_to_be_unproven(self, index: int) -> None:
        """Only a tree that began later explains why an entry is under no checkpoint: acknowledged events were lost before it could be."""
        if not any(index < tree.start for tree in self.case.trees):
            raise Unproven("it is under no checkpoint")
        self.unproven += 1

    def _proof(self, name: str, tree: Tree, index: int) -> Proof:
        self.expected.add(name)
        with at(name):
            proof = parse_proof(self.members.read(name))
            if proof.index != index - tree.start:
                raise Unproven(f"it is for leaf {proof.index}, not {index - tree.start}")
            if proof.checkpoint != self.notes[tree.generation]:
                raise Unproven(f"its checkpoint is not the one in {tree.folder}/")
        return proof

    def _range(self, matching: array[int], touching: array[int]) -> None:
        """All entries of the range lead to the root, and of them match those that are in the other two groups."""
        parts = {part[0]: (tree, part) for tree, part in self.case.parts()}
        edge: Frontier | None = None
        tree, part = None, range(0)
        asked, own, expected = array("Q"), array("Q"), self.case.first
        for line, place in self._lines(RANGE):
            with at(place):
                if line.index != expected:
                    raise Unproven(f"entry {expected} should stand here")
                expected += 1
                header, event = read(line.header, line.salt, line.event)
                if line.index in parts:
                    tree, part = parts.pop(line.index)
                    first = self._proof(edge_name(tree, "first"), tree, line.index)
                    verify_inclusion(leaf_hash(line.header), first.index, tree.size, first.hashes, self._root(tree))
                    edge = Frontier(first.index, left_of(first.index, tree.size, first.hashes))
                if tree is None or edge is None or line.index not in part:
                    self._is_known_to_be_unproven(line.index)
                elif line.index == part[-1]:
                    last = self._proof(edge_name(tree, "last"), tree, line.index)
                    edge.close(leaf_hash(line.header), tree.size, last.hashes, self._root(tree))
                else:
                    edge.add(leaf_hash(line.header))
                for query, indexes in ((self.query, asked), (_OWN, own)):
                    if matches(query, header, event):
                        indexes.append(line.index)
            self.tell(expected - self.case.first, self.case.last - self.case.first)
        if expected != max(self.case.last, self.case.first):
            raise Unproven(f"{RANGE}/ ends before entry {expected}, the range before entry {self.case.last}")
        for name, found, given in ((MATCHING, asked, matching), (TOUCHING, own, touching)):
            if found != given:
                index = next(iter(sorted(set(found) ^ set(given))))
                raise Unproven(f"entry {index} of the range matches, and is not in {name}/")

    def _lines(self, group: str) -> Iterator[tuple[Line, str]]:
        self.expected |= {f"{group}/{name}" for name in FILES}
        return entries(self.members, group, range(self.case.first, self.case.last))

    def _names(self) -> None:
        for name in sorted(self.members.names - self.expected):
            raise Unproven(f"{name} has no place in an evidence file")

    def _pages(self) -> bool:
        """Whether the pages for people say what the other members say. Raises Unproven if not."""
        if self.case.version != __version__:
            return False
        made = report(self.case, self.notes, *((line for line, _ in self._lines(name)) for name in (MATCHING, TOUCHING)))
        pages = {REPORT: (piece.encode() for piece in made), README: iter([readme()])}
        for name, content in pages.items():
            if not _same(content, self.members.pieces(name)):
                raise Unproven(f"{name} does not say what the other members say")
        return True


def _same(one: Iterator[bytes], other: Iterator[bytes]) -> bool:
    """Whether both give the same bytes, however they are cut."""
    left = right = b""
    while True:
        left, right = left or next(one, b""), right or next(other, b"")
        length = min(len(left), len(right))
        if not length or left[:length] != right[:length]:
            return not left and not right
        left, right = left[length:], right[length:]
