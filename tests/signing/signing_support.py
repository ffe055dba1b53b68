"""Trees that grow, a ledger on a disk, and what a publisher showed of them: for the tests of what is signed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from indelible.journal.files import Files
from indelible.log.generations import Generation
from indelible.log.proofs import Proofs
from indelible.log.publisher import Publisher
from indelible.log.shown import Published
from indelible.signing.directory import SIGNING, open_signing
from indelible.tree.checkpoint import open_checkpoint
from indelible.tree.merkle import Hash, Tree

ORIGIN = "trail.example/v1/logs"
MOMENT = 1_795_478_400


class Quick(Files):
    """Waits for no disk."""

    def fsync(self, fd: int) -> None:
        pass

    def fdatasync(self, fd: int) -> None:
        pass


def leaf(log: str, index: int, history: str = "") -> bytes:
    return sha256(f"{log} {index} {history}".encode()).digest()


class Trees(Proofs):
    """In place of a recorder's: every leaf is kept, so no journal is read."""

    def __init__(self, logs: Iterable[str]) -> None:
        self.leaves: dict[str, list[bytes]] = {log: [] for log in logs}
        self.trees = {log: Tree() for log in logs}
        self.number = 1

    def grow(self, log: str, count: int, history: str = "") -> None:
        """`history` makes other leaves than the usual ones."""
        new = [leaf(log, len(self.leaves[log]) + at, history) for at in range(count)]
        self.leaves[log] += new
        self.trees[log].extend(new)

    def generations(self, log: str) -> tuple[Generation, ...]:
        if log not in self.trees:
            return (Generation(1, 0, Tree()),)
        ended = [Generation(number, 0, Tree()) for number in range(1, self.number)]
        return (*ended, Generation(self.number, 0, self.trees[log]))

    def root(self, log: str, generation: Generation, size: int) -> Hash:
        return root_of(self.leaves[log][:size])


def root_of(leaves: Sequence[bytes]) -> Hash:
    tree = Tree()
    tree.extend(leaves)
    return tree.root()


class Seen:
    """What a publisher showed, held against what it must never do: sizes of a log grow, and a size has one root."""

    def __init__(self) -> None:
        self.roots: dict[tuple[str, int], bytes] = {}
        self.newest: dict[str, int] = {}
        self.resigned = False  # a new key signs the newest checkpoint again

    def __call__(self, published: Published) -> None:
        origin, size, root, _ = published.checkpoint
        assert self.roots.setdefault((origin, size), root) == root
        assert size > self.newest.get(origin, 0) or (size == self.newest[origin] and self.resigned)
        self.newest[origin] = size

    def copy(self) -> Seen:
        other = Seen()
        other.roots, other.newest = dict(self.roots), dict(self.newest)
        return other


def opened(
    data: Path,
    trees: Trees,
    seen: Seen | None = None,
    files: Files | None = None,
    now: int = MOMENT,
    logs: Sequence[str] | None = None,
) -> Publisher:
    """A publisher that has held what is on the disk against the trees. Raises Damaged."""
    data.mkdir(exist_ok=True)
    signing = open_signing(files or Quick(), data, None if (data / SIGNING / "keys.json").exists() else ORIGIN, now, 0)
    publisher = Publisher(
        trees, signing.ledger, signing.identity, list(trees.trees if logs is None else logs), lambda: now, halted=signing.halted
    )
    if seen is not None:
        publisher.on_published.append(seen)
    try:
        publisher.start()
    except BaseException:
        publisher.close()
        raise
    for log in trees.trees if seen is not None else ():
        latest = publisher.latest(log)  # shown from here on, also if the process was killed before it could show it
        if seen is not None and latest and latest.checkpoint.size != seen.newest.get(latest.checkpoint.origin):
            seen(latest)
    return publisher


def tick(publisher: Publisher) -> None:
    asyncio.run(publisher.tick())


def keys_of(publisher: Publisher, origin: str) -> Any:
    return cast(Any, publisher)._identity.public(origin)


def verified(publisher: Publisher, log: str, origin: str) -> tuple[int, bytes]:
    """Size and root of what is shown of `log`, whose signature holds."""
    note = publisher.published(log)
    assert note is not None
    checkpoint = open_checkpoint(note, origin, keys_of(publisher, origin)).checkpoint
    return checkpoint.size, checkpoint.root
