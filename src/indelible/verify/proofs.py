"""One entry under a signed checkpoint: from a proof that somebody brought, a server that is asked for one, or a data directory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple, Protocol

from msgspec import MsgspecError, Struct
from msgspec.json import decode

from indelible.errors import BadParameter, Malformed, NotFound, NotYet, Unproven
from indelible.model.beginning import confirm_start
from indelible.model.counting import counted
from indelible.model.header import hold
from indelible.tree.keys import NoteKey
from indelible.tree.merkle import leaf_hash
from indelible.tree.note import Key
from indelible.tree.proofs import verify_inclusion
from indelible.tree.text import unbase64, unhash
from indelible.verify.entries import unspliced
from indelible.verify.fetch import Remote, Server, url_of
from indelible.verify.server import signed_tree
from indelible.verify.terms import Terms, forked
from indelible.verify.trust import Accepted

ANSWER = 4 << 20  # bytes: a proof, or an event within the limits of most servers
EVENT = 260 << 20  # bytes of the largest event that any server takes, with its record


class Proven(NamedTuple):
    """The entry at an index, under `accepted`. `body` is the event's own bytes where they are at hand."""

    entry: bytes
    salt: bytes
    accepted: Accepted
    body: bytes | None


class Described(Struct, frozen=True):
    """A proof as JSON (docs/http-api.md, "Proofs"); nothing of it is verified yet."""

    log: str
    origin: str
    index: int
    start: int
    size: int
    leaf: str
    hashes: list[str]
    checkpoint: str | None
    header: str
    salt: str


class Prover(Protocol):
    def prove(self, log: str, index: int) -> Proven:
        """Raises Malformed or Unproven if what is there does not hold, and what a server refuses with."""

    def close(self) -> None: ...


def prover(terms: Terms) -> Prover:
    """Who is asked: the server or the directory of `terms`. Raises BadParameter if there is none."""
    if (terms.server is None) == (terms.data is None):
        raise BadParameter("say who is asked for the proof: --server URL, or --data DIR")
    return _Asked(terms.server, terms) if terms.server is not None else _Read(Path(terms.data or ""), terms)


def described(raw: bytes) -> Described:
    """Raises Malformed."""
    try:
        return decode(raw, type=Described)
    except (MsgspecError, ValueError, RecursionError):
        raise Malformed("this is no proof of an entry as JSON") from None


def checked(proof: Described, accepted: Accepted) -> tuple[bytes, bytes]:
    """The entry and its salt, once the proof leads from it to the checkpoint's root. Raises Malformed or Unproven.

    Where a later tree of a log begins, its first entry says (`confirm_start`); the first tree begins with the log.
    """
    entry, checkpoint = proof.header.encode(), accepted.checkpoint
    is_first = proof.origin.endswith(f"/{proof.log}")
    if not is_first and not re.search(f"/{re.escape(proof.log)}/g[1-9][0-9]*$", proof.origin):
        raise Unproven(f"{proof.origin} is no tree of a log {proof.log!r}")
    if proof.start < 0 or (is_first and proof.start):
        raise Unproven(f"{proof.origin} does not begin at index {proof.start}")
    if proof.size != checkpoint.size or proof.origin != checkpoint.origin:
        sizes = f"{counted(proof.size, 'entry', 'entries')} of {proof.origin}, with a checkpoint of {checkpoint.size:,}"
        raise Unproven(f"a proof for {sizes} of {checkpoint.origin}")
    hashes = [unhash(text, "a hash of the proof") for text in proof.hashes]
    leaf = leaf_hash(entry)
    if unhash(proof.leaf, "the leaf") != leaf:
        raise Unproven("the proof's header does not hash to its leaf")
    verify_inclusion(leaf, proof.index - proof.start, checkpoint.size, hashes, checkpoint.root)
    return entry, unbase64(proof.salt, "the salt")


def note_of(proof: Described) -> bytes:
    """The signed checkpoint in a proof. Raises Unproven if there is none."""
    if proof.checkpoint is None:
        raise Unproven(f"the proof comes without a checkpoint: none of size {proof.size} is kept")
    return proof.checkpoint.encode()


class _Asked:
    """A server."""

    def __init__(self, url: str, terms: Terms) -> None:
        self._terms = terms
        self._url = url
        self._logs: dict[str, Server] = {}
        self._accepted: dict[bytes, Accepted] = {}
        self._starts: set[tuple[str, int]] = set()  # origins, and where they begin

    def prove(self, log: str, index: int) -> Proven:
        proven, proof = self._proven(log, index)
        if proof.start and (proof.origin, proof.start) not in self._starts:
            first, its = self._proven(log, proof.start)
            if (its.origin, its.start) != (proof.origin, proof.start):
                raise Unproven(f"the server says that {proof.origin} begins at index {proof.start}, and then that it does not")
            hold(first.entry, first.salt, first.body or b"")
            confirm_start(proof.start, first.body or b"")
            self._starts.add((proof.origin, proof.start))
        return proven

    def _proven(self, log: str, index: int) -> tuple[Proven, Described]:
        """The entry, where the server says that it stands."""
        server = self._logs.setdefault(log, Server(url_of(self._url, log), self._terms.key, self._terms.patience))
        try:
            proof = described(server.get(f"/proof/inclusion?index={index}", ANSWER))
        except NotFound as error:
            raise Unproven(f"the server proves no entry {index} of log {log}: {error.detail}") from None
        accepted = self._opened(server, note_of(proof), proof.origin)
        self._terms.expect(log, accepted.checkpoint.origin)
        if (proof.log, proof.index) != (log, index):
            raise Unproven(f"asked for entry {index} of log {log}, the server proves entry {proof.index} of log {proof.log}")
        entry, salt = checked(proof, accepted)
        return Proven(entry, salt, accepted, unspliced(server.get(f"/entries/{index}", EVENT))), proof

    def close(self) -> None:
        for server in self._logs.values():
            server.close()

    def _opened(self, server: Server, note: bytes, origin: str) -> Accepted:
        """The checkpoint, held against what the log showed before. The next proof often has the same one."""
        if note not in self._accepted:
            accepted = self._terms.trust.opened(note, lambda: own_keys(Remote(server), origin))
            told = self._terms.told(accepted)
            tree = signed_tree(Remote(server), accepted.checkpoint.size, accepted.checkpoint.root) if told else None
            for each in told:
                if tree and tree.root(each.size) != each.root:
                    raise forked(origin, each)
            self._accepted[note] = accepted
        return self._accepted[note]


class _Read:
    """A data directory, all of which was checked first."""

    def __init__(self, data: Path, terms: Terms) -> None:
        from indelible.verify.directory import check

        self._checked = check(data, terms)

    def prove(self, log: str, index: int) -> Proven:
        from indelible.log.generations import voided
        from indelible.log.headers import headers_of

        held, newest = self._checked
        recorder = held.recorder
        if not 0 <= index < recorder.size(log):
            void = voided(recorder.generations(log), index)
            raise Unproven(f"log {log!r} has no entry {index}: it has {recorder.size(log)}, counted from 0{void}")
        generation = [each for each in recorder.generations(log) if each.start <= index][-1]
        accepted = newest.get(held.name(log, generation.number))
        if accepted is None or index - generation.start >= accepted.checkpoint.size:
            which = f"entry {index} of log {log!r} stands under no checkpoint"
            if generation.number != recorder.generations(log)[-1].number:
                raise Unproven(f"{which}: its tree had ended before one was signed over it")
            raise NotYet(f"{which} yet")
        (entry,) = headers_of(held.whole.snapshot.reader(), recorder.held(log, index, index + 1))
        return Proven(entry.header, entry.salt, accepted, None)

    def close(self) -> None:
        pass


def own_keys(log: Remote, origin: str) -> list[Key]:
    """The keys that a server shows as a log's, under the name of an earlier tree of it too, which signs with the same keys."""
    keys = log.keys()
    return [*keys, *(NoteKey(origin, key.public) for key in keys if isinstance(key, NoteKey))]
