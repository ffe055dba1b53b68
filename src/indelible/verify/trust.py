"""Whose word counts: keys and policies that came from elsewhere, or for want of them the target's own keys, which confirm nobody."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from indelible.errors import BadParameter, Malformed, Misconfigured
from indelible.tree.checkpoint import Checkpoint, Opened, open_checkpoint, parse_checkpoint
from indelible.tree.cosignature import MLDSA44Key
from indelible.tree.keys import NoteKey
from indelible.tree.note import Key, parse_note
from indelible.tree.policy import NONE, Party, Policy, evaluate, parse_policy
from indelible.tree.vkeys import parse_vkey


class Accepted(NamedTuple):
    """A checkpoint whose signature holds. `confirmed`: by a key that came from elsewhere."""

    opened: Opened
    confirmed: bool

    @property
    def checkpoint(self) -> Checkpoint:
        return self.opened.checkpoint

    @property
    def note(self) -> bytes:
        return bytes(self.opened.note)

    @property
    def signers(self) -> list[str]:
        """The log's keys that signed, as vkeys."""
        return [by.key.vkey for by in self.opened.logs]  # type: ignore[attr-defined]  # every kind of key has one


class Trust(NamedTuple):
    """The policy that a checkpoint has to meet; None where nobody gave a key."""

    policy: Policy | None

    @property
    def names(self) -> list[str]:
        """The logs that it has keys of."""
        return sorted({log.key.name for log in self.policy.logs}) if self.policy else []

    def opened(self, note: bytes, own: Callable[[], Collection[Key]]) -> Accepted:
        """The checkpoint in a note. `own` gives the target's own keys, which are asked for only where no others are there.

        Raises Malformed or Unproven.
        """
        if self.policy is not None:
            return Accepted(evaluate(self.policy, note), True)
        return by_own_keys(note, own())


def by_own_keys(note: bytes, keys: Collection[Key]) -> Accepted:
    """The checkpoint in a note that its own log's keys signed. Raises Malformed or Unproven."""
    origin = parse_checkpoint(parse_note(note).text).origin
    return Accepted(open_checkpoint(note, origin, keys), False)


def nobodys_key() -> BadParameter:
    """The error where nobody gave a key, and nobody can be asked for the log's own."""
    return BadParameter("whose signature would count? give the log's key with --key or --policy, or the server to ask with --server")


def trust(keys: Sequence[str], policy: bytes | None) -> Trust:
    """What `--key` and `--policy` say; with both, the keys are logs' beside those of the policy.

    Raises BadParameter for a key that is none, Misconfigured for a policy that is none.
    """
    given = [Party(_log_key(text), None) for text in keys]
    if policy is None:
        return Trust(Policy(tuple(given), {}, {}, NONE) if given else None)
    try:
        parsed = parse_policy(policy)
    except Malformed as error:
        raise Misconfigured(f"--policy: {error.detail}") from None
    return Trust(parsed._replace(logs=(*parsed.logs, *given)))


def _log_key(text: str) -> NoteKey | MLDSA44Key:
    try:
        key = parse_vkey(text)
    except Malformed as error:
        raise BadParameter(f"--key: {error.detail}") from None
    if not isinstance(key, NoteKey | MLDSA44Key):
        raise BadParameter(f"--key {text[:80]}: that is a witness's key; witnesses stand in a policy: --policy FILE")
    return key
