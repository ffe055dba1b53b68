"""Every checkpoint that a file of them still holds, with its line: for whoever checks them all."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from indelible.errors import Malformed
from indelible.signing.ledger import NAME, decoded
from indelible.tree.checkpoint import Checkpoint, Told, parse_checkpoint
from indelible.tree.note import parse_note


class Stored(NamedTuple):
    """A signed note, nothing of which is verified yet."""

    line: int
    checkpoint: Checkpoint
    note: bytes

    def told(self, path: Path) -> Told:
        """What it says of its tree; `path` is the file that it stands in."""
        return Told(self.checkpoint.size, self.checkpoint.root, f"in line {self.line} of {path}")


class AllStored(NamedTuple):
    """The notes in the order of their lines, and what is wrong with lines, each a sentence without the file's name."""

    notes: list[Stored]
    problems: list[str]


def read_stored(directory: Path) -> AllStored:
    """What the file in a signing directory holds. A last line that is not whole was never shown. Raises OSError."""
    notes: list[Stored] = []
    problems: list[str] = []
    lines = (directory / NAME).read_bytes().split(b"\n")[:-1]
    roots: dict[tuple[str, int], Stored] = {}
    torn: list[str] = []
    whole = False
    for number, line in enumerate(lines, 1):
        found = decoded(line)
        if found is None:
            torn.append(f"line {number} does not hold its checksum")
            continue
        problems += torn
        torn, whole = [], True
        for note in found:
            try:
                checkpoint = parse_checkpoint(parse_note(note).text)
            except Malformed as error:
                problems.append(f"line {number}: {error.detail}")
                continue
            stored = Stored(number, checkpoint, note)
            first = roots.setdefault((checkpoint.origin, checkpoint.size), stored)
            if first.checkpoint != checkpoint:
                problems.append(f"lines {first.line} and {number}: two roots of {checkpoint.origin} for {checkpoint.size} entries")
            notes.append(stored)
    return AllStored(notes, problems if whole else ["not one line of it is whole"])
