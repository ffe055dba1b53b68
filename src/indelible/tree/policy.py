"""Whose signatures make a checkpoint acceptable: logs, witnesses, groups of them and a quorum (c2sp.org/tlog-policy)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from indelible.errors import Malformed, Unproven
from indelible.tree.checkpoint import Opened, open_checkpoint, parse_checkpoint
from indelible.tree.cosignature import CosignatureKey, MLDSA44Key
from indelible.tree.keys import NoteKey
from indelible.tree.note import Key, parse_note
from indelible.tree.strangers import unsigned
from indelible.tree.text import decimal, shown
from indelible.tree.vkeys import AnyKey, parse_vkey

MOST_BYTES = 1 << 20  # of a policy file
NONE = "none"  # the quorum that needs no witness
_NO_POLICY = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")


class Party(NamedTuple):
    """A log or a witness: its key, and where it is reached, if the policy says so."""

    key: AnyKey
    url: str | None


class Group(NamedTuple):
    """Counts as one witness once `needed` of its members, witnesses or groups, have cosigned."""

    needed: int
    members: tuple[str, ...]


class Policy(NamedTuple):
    """A checkpoint is valid if any of `logs` signed it as its own and `quorum`, a witness, a group or `none`, cosigned it."""

    logs: tuple[Party, ...]
    witnesses: Mapping[str, Party]
    groups: Mapping[str, Group]  # each after its members
    quorum: str


def parse_policy(data: bytes) -> Policy:
    """The policy in a file. Raises Malformed, with the line's number, for anything that c2sp.org/tlog-policy does not allow."""
    if len(data) > MOST_BYTES:
        raise Malformed(f"a policy of {len(data)} bytes: at most {MOST_BYTES} are read")
    if _NO_POLICY.search(data):
        raise Malformed("the lines of a policy end with LF and have no control character but tabs")
    draft = _Draft()
    # Names and URLs are opaque bytes: what is not UTF-8 comes back the same from surrogates, and keys refuse those.
    for number, line in enumerate(data.decode(errors="surrogateescape").split("\n"), 1):
        words = re.split("[ \t]+", line.strip(" \t"))
        if words != [""] and not words[0].startswith("#"):
            try:
                draft.add(words)
            except Malformed as error:
                raise Malformed(f"line {number} of the policy: {error.detail}") from None
    return draft.policy()


def evaluate(policy: Policy, data: bytes) -> Opened:
    """The checkpoint in a signed note, if the policy accepts it. A log's origin is the name of its key.

    Raises Malformed for what is no checkpoint, Unproven for one that is not acceptable: the message says who is missing.
    """
    note = parse_note(data)
    origin = parse_checkpoint(note.text).origin
    keys = [log.key for log in policy.logs if log.key.name == origin]
    if not keys:
        raise Unproven(unsigned(note, origin, [log.key for log in policy.logs]))
    opened = open_checkpoint(data, origin, keys, [witness.key for witness in policy.witnesses.values()])
    present = {by.key for by in opened.witnesses}
    if not is_met(policy, present):
        names = sorted(name for name, witness in policy.witnesses.items() if witness.key in present)
        raise Unproven(f"the quorum {shown(policy.quorum)} is not met: cosigned by {', '.join(map(shown, names)) or 'no witness of it'}")
    return opened


def is_met(policy: Policy, present: Collection[Key]) -> bool:
    """Whether cosignatures by the keys `present` make up the quorum."""
    met = {name: witness.key in present for name, witness in policy.witnesses.items()} | {NONE: True}
    for name, group in policy.groups.items():
        met[name] = sum(met[member] for member in group.members) >= group.needed
    return met[policy.quorum]


class _Draft:
    """A policy as far as its lines were read."""

    def __init__(self) -> None:
        self._logs: list[Party] = []
        self._witnesses: dict[str, Party] = {}
        self._groups: dict[str, Group] = {}
        self._quorum: str | None = None
        self._lines: dict[str, Callable[[Sequence[str]], None]] = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._set_quorum,
        }

    def add(self, words: Sequence[str]) -> None:
        line = self._lines.get(words[0])
        if line is None:
            raise Malformed(f"{shown(words[0])} is no log, witness, group or quorum")
        line(words[1:])

    def policy(self) -> Policy:
        if self._quorum is None:
            raise Malformed("the policy has no quorum line: `quorum none` asks for no witness")
        self._each_counts_once(self._quorum)
        return Policy(tuple(self._logs), self._witnesses, self._groups, self._quorum)

    def _each_counts_once(self, quorum: str) -> None:
        """Groups that the quorum does not ask for may share members, as Go's tools have it; below the quorum nobody counts twice."""
        below = [quorum]
        for name in below:
            members = self._groups[name].members if name in self._groups else ()
            twice = next((member for member in members if member in below), None)
            if twice is not None:
                raise Malformed(f"{shown(twice)} is in two groups of the quorum {shown(quorum)}: it would count twice")
            below += members

    def _log(self, words: Sequence[str]) -> None:
        party = _party(words)
        if not isinstance(party.key, NoteKey | MLDSA44Key):
            raise Malformed(f"{shown(party.key.vkey)} is a witness's key, not a log's")
        if any(party.key.public == log.key.public for log in self._logs):
            raise Malformed(f"the key {shown(party.key.vkey)} is listed twice")
        self._logs.append(party)

    def _witness(self, words: Sequence[str]) -> None:
        name, party = self._new(words), _party(words[1:])
        if not isinstance(party.key, CosignatureKey | MLDSA44Key):
            raise Malformed(f"{shown(party.key.vkey)} is a log's key, not a witness's")
        if any(party.key.public == witness.key.public for witness in self._witnesses.values()):
            raise Malformed(f"the key {shown(party.key.vkey)} is listed twice: one witness would count as two")
        self._witnesses[name] = party

    def _group(self, words: Sequence[str]) -> None:
        name, members = self._new(words), tuple(self._defined(word) for word in words[2:])
        if not members or len(set(members)) < len(members):
            raise Malformed(f"the group {shown(name)} needs members, each listed once")
        threshold = {"all": len(members), "any": 1}
        needed = threshold[words[1]] if words[1] in threshold else decimal(words[1], "a group's threshold")
        if not 1 <= needed <= len(members):
            raise Malformed(f"{needed} of {len(members)} members cannot make a group: 1 to {len(members)} can")
        self._groups[name] = Group(needed, members)

    def _set_quorum(self, words: Sequence[str]) -> None:
        if len(words) != 1 or self._quorum is not None:
            raise Malformed("a policy has one quorum line, with one name")
        self._quorum = NONE if words[0] == NONE else self._defined(words[0])

    def _new(self, words: Sequence[str]) -> str:
        if len(words) < 2 or words[0] == NONE or words[0] in self._witnesses or words[0] in self._groups:
            raise Malformed("a witness or group needs a name of its own that is not `none`, and a key or members")
        return words[0]

    def _defined(self, name: str) -> str:
        if name not in self._witnesses and name not in self._groups:
            raise Malformed(f"{shown(name)} is no witness or group of a line above")
        return name


def _party(words: Sequence[str]) -> Party:
    if len(words) not in (1, 2):
        raise Malformed("a key, and at most one URL behind it, belong there")
    return Party(parse_vkey(words[0]), words[1] if len(words) == 2 else None)
