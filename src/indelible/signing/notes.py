"""Which of the notes that were signed still count."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from indelible.tree.checkpoint import Checkpoint
from indelible.tree.note import parse_note

_LINE = "\n— ".encode()


class Sealed(NamedTuple):
    """A signed note, and what it says."""

    checkpoint: Checkpoint
    note: bytes

    @property
    def cosigners(self) -> frozenset[tuple[str, bytes]]:
        """Name and id of each key that a line is of, but for the log's."""
        origin = self.checkpoint.origin
        if self.note.count(_LINE) == self.note.count(b"%b%b " % (_LINE, origin.encode())):
            return frozenset()
        return frozenset((line.name, line.id) for line in parse_note(self.note).signatures if line.name != origin)


class Notes:
    """What counts of all notes of some logs: of each origin the newest, and each that somebody cosigned who has cosigned no newer one with
    all the others. So the newest that meets a quorum is kept, whatever the quorum is.
    """

    def __init__(self, known: Mapping[str, Sequence[Sealed]] | None = None) -> None:
        self._known = dict(known or {})  # by origin, smallest size first

    def add(self, sealed: Sealed) -> None:
        """Raises ValueError for one that contradicts another."""
        origin, size = sealed.checkpoint.origin, sealed.checkpoint.size
        others = []
        for each in self._known.get(origin, ()):
            if each.checkpoint.size != size:
                others.append(each)
            elif each.checkpoint != sealed.checkpoint:
                raise ValueError(f"there are two checkpoints of {origin} for {size} entries")
            elif each.note != sealed.note:
                sealed = Sealed(each.checkpoint, bytes(parse_note(each.note).joined(parse_note(sealed.note).signatures)))
        *older, newest = sorted([*others, sealed], key=lambda each: each.checkpoint.size)
        kept, covered = [newest], [newest.cosigners]
        for each in reversed(older):
            cosigners = each.cosigners
            if cosigners and not any(cosigners <= later for later in covered):
                kept.append(each)
                covered.append(cosigners)
        self._known[origin] = kept[::-1]

    def without(self, origins: Collection[str]) -> Notes:
        return Notes({origin: known for origin, known in self._known.items() if origin not in origins})

    def copy(self) -> Notes:
        return Notes(self._known)

    def by_origin(self) -> Mapping[str, Sequence[bytes]]:
        """By origin, the newest note last, before it those that were cosigned by others than the newer ones."""
        return {origin: [each.note for each in known] for origin, known in self._known.items()}

    def newest(self) -> Mapping[str, Checkpoint]:
        """The largest checkpoint of each origin."""
        return {origin: known[-1].checkpoint for origin, known in self._known.items()}

    def all(self) -> list[bytes]:
        return [each.note for known in self._known.values() for each in known]
