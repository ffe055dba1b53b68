"""What is asked of a verification, and what it comes to: the same for every kind of target."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from indelible.errors import Unproven
from indelible.tree.checkpoint import Told, parse_checkpoint
from indelible.tree.note import parse_note
from indelible.verify.memory import Memory
from indelible.verify.trust import Accepted, Trust


class Verdict(NamedTuple):
    """All that was looked at holds, or an error would have been raised. `lines` say what that was.

    `confirmed`: signed by keys that came from elsewhere. Without that it is only consistent with itself. `unproven` says what is shown
    and signed by nobody.
    """

    lines: list[str]
    confirmed: bool
    unproven: str = ""


class Terms(NamedTuple):
    """`before`: notes that others have, with a name for each. `again`: look at every entry, also at those that were seen before.

    `forget`: what is remembered of the log does not count, and is replaced. `progress` gets how much is done and of how much.
    """

    trust: Trust
    memory: Memory
    before: Sequence[tuple[str, bytes]] = ()
    again: bool = False
    forget: bool = False
    server: str | None = None  # of a receipt or a proof: who is asked
    data: str | None = None  # the same, a data directory
    event: bytes | None = None  # its bytes as they were sent
    entry: bytes | None = None  # the header that its leaf hashes
    key: str = ""  # sent to servers
    patience: float = 60.0  # s
    progress: Callable[[int, int], None] = lambda done, total: None

    def told(self, accepted: Accepted) -> list[Told]:
        """What a log showed before, as far as it is known. Raises Unproven for more than it shows now, or another root of this size.

        Raises Malformed or Unproven for a note in `before` that the same keys did not sign.
        """
        checkpoint = accepted.checkpoint
        if self.forget:
            self.memory.forget(checkpoint.origin)
        told = self._known(accepted)
        for each in told:
            if each.size > checkpoint.size:
                now = f"{checkpoint.origin} shows {checkpoint.size} entries"
                raise Unproven(f"{now}, and had {each.size} under the root {each.where}: it was rolled back")
        return sorted(told)

    def compare(self, accepted: Accepted) -> None:
        """The same for a checkpoint that may be an old one. Raises Unproven only for another root of its own size."""
        self._known(accepted)

    def _known(self, accepted: Accepted) -> list[Told]:
        checkpoint = accepted.checkpoint
        told = []
        for name, note in self.before:
            if _origin(note) == checkpoint.origin:
                earlier = self.trust.opened(note, lambda: [by.key for by in accepted.opened.logs])
                told.append(Told(earlier.checkpoint.size, earlier.checkpoint.root, f"in {name}"))
        told += [seen.told for seen in self.memory.seen(accepted)]
        for each in told:
            if each.size == checkpoint.size and each.root != checkpoint.root:
                raise forked(checkpoint.origin, each)
        return told

    def expect(self, log: str, origin: str) -> None:
        """Raises Unproven if this is not the log of that name and a key of that one was given: a server may show one for the other."""
        meant = [name for name in self.trust.names if log in name.split("/")[-2:]]
        if meant and origin not in meant:
            raise Unproven(f"asked for {' or '.join(meant)}, the server shows {origin}")

    def match(self, origins: Collection[str]) -> None:
        """Raises Unproven for a note in `before` that is of none of these logs."""
        for name, note in self.before:
            if (origin := _origin(note)) not in origins:
                raise Unproven(f"{name} is a checkpoint of {origin}; looked at is {', '.join(origins)}")


def _origin(note: bytes) -> str:
    return parse_checkpoint(parse_note(note).text).origin


def forked(origin: str, told: Told) -> Unproven:
    """The error for a log that is no continuation of what it was."""
    return Unproven(f"{origin} forked: its first {told.size} entries are not those under the root {told.where}")
