"""What an evidence file says about itself, and how its members are called (docs/format.md, "An evidence file")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct, field

from indelible.tree.tlogproof import SUFFIX

FORMAT = 1
MOST = 100_000  # entries with a proof of their own

README, CASE, REPORT, SUMS = "README.txt", "case.json", "report.html", "SHA256SUMS"
MATCHING, TOUCHING, RANGE = "matching", "touching", "range"
INDEXES, HEADERS, SALTS, EVENTS = "indexes.txt", "headers.ndjson", "salts.txt", "events.ndjson"
FILES = INDEXES, HEADERS, SALTS, EVENTS  # of a group of entries: line n of each belongs to the same one


class Key(Struct, frozen=True):
    """A log's public key, and from when to when its operator says that it signs."""

    vkey: str
    since: str
    until: str | None


class Tree(Struct, frozen=True):
    """A tree of the log: its leaves are the `size` entries from index `start` on, under the checkpoint in its folder."""

    generation: int
    origin: str
    start: int
    size: int
    keys: list[Key]

    @property
    def folder(self) -> str:
        return f"trees/{self.generation:03}"

    @property
    def entries(self) -> range:
        return range(self.start, self.start + self.size)


class Case(Struct, frozen=True):
    """case.json. Who asked, when, and what they asked for is nobody's signature: everything else can be held against the checkpoints.

    The question is about the entries from index `first` up to, not including, `last` of `size` that the log had. Of the `matching`
    ones `unproven` stand under no checkpoint.
    """

    format: int
    version: str
    asked_by: str
    asked_at: str
    server: str
    log: str
    size: int
    filters: list[tuple[str, str]]
    first: int = field(name="from")
    last: int = field(name="to")
    complete: bool
    matching: int
    unproven: int
    touching: int
    trees: list[Tree]

    @property
    def question(self) -> str:
        """The filters as they are written on a command line."""
        return " ".join(f"{name}={value}" for name, value in self.filters) or "every event"

    def tree_of(self, index: int) -> Tree | None:
        """The tree that has the entry; None for one that no checkpoint signs."""
        return next((tree for tree in self.trees if index in tree.entries), None)

    @property
    def unsigned(self) -> int:
        """How many entries of the range no checkpoint signs: nothing shows that they are the log's."""
        return self.last - self.first - sum(len(part) for _, part in self.parts())

    def parts(self) -> Iterator[tuple[Tree, range]]:
        """The entries of the range that each tree has, as indexes; trees with none are left out."""
        for tree in self.trees:
            part = range(max(self.first, tree.start), min(self.last, tree.entries.stop))
            if part:
                yield tree, part


class Line(NamedTuple):
    """An entry: its header and its event, to the byte, and its salt in base64."""

    index: int  # type: ignore[assignment]  # over tuple.index, which nobody calls on it
    header: bytes
    salt: str
    event: bytes


def proof_name(index: int) -> str:
    return f"proofs/{index}{SUFFIX}"


def edge_name(tree: Tree, edge: str) -> str:
    """The proof of the first or the last entry of a range that lies in `tree`."""
    return f"{RANGE}/{tree.generation:03}-{edge}{SUFFIX}"
