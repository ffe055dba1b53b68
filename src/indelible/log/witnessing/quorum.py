"""Whether a checkpoint of ours has the cosignatures that the policy asks for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection

from indelible.errors import Unproven
from indelible.tree.note import Key, Note, Signature, parse_note, verify_note
from indelible.tree.policy import Policy, is_met
from indelible.tree.witness import parse_cosignatures

MOST_LINES = 4  # of one witness in an answer: an honest one sends one
_KEPT = 8192  # cosignatures that were verified and are not verified again


class Quorum:
    """The quorum of one policy. Its logs do not matter here: a note that is asked about is our own.

    A checkpoint without any cosignature by a witness of the policy is not witnessed, even where the quorum is `none`.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._keys = {(witness.key.name, witness.key.id): witness.key for witness in policy.witnesses.values()}
        self._verified: OrderedDict[tuple[str, Signature], None] = OrderedDict()

    def is_met(self, cosigners: Collection[Key]) -> bool:
        """Whether these witnesses are enough for one checkpoint."""
        return any(key in cosigners for key in self._keys.values()) and is_met(self._policy, cosigners)

    def is_witnessed(self, note: bytes) -> bool:
        """Whether the cosignatures under a note of ours meet the quorum. One that does not verify spoils the note."""
        try:
            return self.is_met(self.cosigners(parse_note(note)))
        except Unproven:
            return False

    def cosigners(self, note: Note) -> set[Key]:
        """The witnesses whose lines are under `note`. Raises Unproven if one of those lines does not verify."""
        found: set[Key] = set()
        for line in note.signatures:
            key = self._keys.get((line.name, line.id))
            if key is not None:
                if (note.text, line) not in self._verified:
                    key.verify(note.text, line.payload)
                    self._remember(note.text, line)
                found.add(key)
        return found

    def accepted(self, body: bytes, text: str, key: Key) -> Signature:
        """The line by which `key` cosigns `text` in an answer 200, its latest; lines of others are left out.

        Raises Malformed for what are no lines, Unproven if no line of the key is there, one does not verify, or there are too many.
        """
        lines = [line for line in parse_cosignatures(body) if (line.name, line.id) == (key.name, key.id)]
        if not 1 <= len(lines) <= MOST_LINES:
            raise Unproven(f"an answer with {len(lines)} lines of the witness's own: one belongs there")
        verify_note(Note(text, tuple(lines)), [key])
        line = max(lines, key=lambda line: line.payload[:8])  # where all kinds of cosignatures have their time
        self._remember(text, line)
        return line

    def _remember(self, text: str, line: Signature) -> None:
        self._verified[text, line] = None
        while len(self._verified) > _KEPT:
            self._verified.popitem(last=False)
