"""What is asked of a verification, and what it comes to: the same for every kind of target."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from indelible.errors import Malformed, Misconfigured, Unproven
from indelible.model.counting import counted
from indelible.tree.checkpoint import Told, parse_checkpoint
from indelible.tree.note import Key, parse_note
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
                now = f"{checkpoint.origin} shows {counted(checkpoint.size, 'entry', 'entries')}"
                raise Unproven(f"{now}, and had {each.size:,} under the root {each.where}: it was rolled back")
        return sorted(told)

    def gone(self, log: str, own: Callable[[], Collection[Key]]) -> None:
        """A log shows no checkpoint. Raises Unproven if it had one before: by name, or as `own` keys name it where no others are given."""
        meant = self._meant(log) if self.trust.policy else sorted({key.name for key in own()})
        for origin in meant:
            notes = [(name, self.trust.opened(note, own)) for name, note in self.before if _origin(note) == origin]
            told = [Told(each.checkpoint.size, each.checkpoint.root, f"in {name}") for name, each in notes]
            if not self.forget:
                told += [seen.told for seen in self.memory.known(origin) if seen.confirmed or self.trust.policy is None]
            for each in told:
                had = f"had {counted(each.size, 'entry', 'entries')} under the root {each.where}"
                raise Unproven(f"{origin} shows no checkpoint, and {had}: it was rolled back")

    def continued(self, accepted: Accepted) -> list[str]:
        """Of each note in `before` that `told` gave, once all that it gave was found to hold, a line that says so."""
        origin, lines = accepted.checkpoint.origin, []
        for name, note in self.before:
            if _origin(note) == origin:
                size = parse_checkpoint(parse_note(note).text).size
                lines.append(f"{name}: its {counted(size, 'entry is the first', 'entries are the first')} of these")
        return lines

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
        meant = self._meant(log)
        if meant and origin not in meant:
            raise Unproven(f"asked for {' or '.join(meant)}, the server shows {origin}")

    def _meant(self, log: str) -> list[str]:
        """The logs of this name, or with a generation of this name, of which a key was given."""
        return [name for name in self.trust.names if log in name.split("/")[-2:]]

    def match(self, origins: Collection[str]) -> None:
        """Raises Unproven for a note in `before` that is of none of these logs."""
        for name, note in self.before:
            if (origin := _origin(note)) not in origins:
                raise Unproven(f"{name} is a checkpoint of {origin}; looked at is {', '.join(origins)}")


def earlier(name: str, note: bytes) -> bytes:
    """The note in a file that was given as a checkpoint from before. Raises Misconfigured for what is none."""
    try:
        _origin(note)
    except Malformed as error:
        raise Misconfigured(f"{name} is no checkpoint, such as /v1/logs/NAME/checkpoint answers: {error.detail}") from None
    return note


def _origin(note: bytes) -> str:
    return parse_checkpoint(parse_note(note).text).origin


def forked(origin: str, told: Told) -> Unproven:
    """The error for a log that is no continuation of what it was."""
    first = "entry is not the one" if told.size == 1 else f"{told.size:,} entries are not those"
    return Unproven(f"{origin} forked: its first {first} under the root {told.where}")
