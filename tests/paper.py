"""A log on paper: what a server would answer, from nothing but a list of events, a seed and the definitions; and lies on demand."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from msgspec import Raw
from msgspec.json import decode, encode

from indelible.client.answers import Entries, Entry, Period, Tree, Trees
from indelible.errors import NotFound
from indelible.evidence.archive import Archive
from indelible.evidence.case import SUMS
from indelible.evidence.gather import Asked, gather
from indelible.evidence.matching import matches, read
from indelible.evidence.write import write
from indelible.model import entry, times
from indelible.model.event import Event
from indelible.model.query import parse
from indelible.model.receipt import Record
from indelible.tree import merkle
from indelible.tree.checkpoint import Checkpoint, sign_checkpoint
from indelible.tree.cosignature import Witness
from indelible.tree.keys import SigningKey
from indelible.tree.tiles import tile_at

ORIGIN = "trail.example/v1/logs/default"
MOMENT = 1_795_478_400_000_000
KEY = SigningKey(ORIGIN, bytes(range(32)))
OLD_KEY = SigningKey(ORIGIN, bytes(range(1, 33)))
WITNESS = SigningKey("witness.example", bytes(range(2, 34)))


class Paper:
    """A log with one tree for each list of events. Answers as the client does."""

    def __init__(
        self, *trees: Sequence[bytes], published: Sequence[int] = (), salt: bytes = b"", keys: Sequence[SigningKey] = (KEY, OLD_KEY)
    ) -> None:
        """`published`: how many entries of each tree are signed, all of them unless it says so. `keys` sign, newest first."""
        self.keys = keys
        self.lines: list[entry.Entries] = []
        self.entries_: list[tuple[bytes, bytes, bytes, Record]] = []
        self.trees_: list[tuple[int, list[bytes], int]] = []  # start, leaves, published
        for number, events in enumerate(trees):
            start, leaves = len(self.entries_), []
            for event in events:
                header = self._add(event, salt)
                leaves.append(merkle.leaf_hash(header))
            self.trees_.append((start, leaves, published[number] if published else len(events)))
        self.witnessed = False
        self.hidden: set[int] = set()  # entries that no answer has
        self.complete = True
        self.asked = 0
        self.lost = False  # the newest tree is not what was signed of it
        self.grow = 0  # looks at the trees until everything is signed

    def _add(self, event: bytes, more: bytes) -> bytes:
        index = len(self.entries_)
        salt = sha256(b"salt %d" % index + more).digest()[:16]
        recorded = MOMENT + index
        known = decode(event, type=Event)
        ids = entry.names_of([known], salt, recorded, {})
        (digest,) = entry.body_digests([event], salt)
        (header,) = entry.headers([known], ids, [digest], entry.Origin(recorded, "-", "native"))
        time = times.canonical(known.time) if isinstance(known.time, str) else times.text(recorded)
        record = Record("default", index, ids[0], time, times.text(recorded), "-", [])
        self.entries_.append((event, header, salt, record))
        return header

    def note(self, number: int) -> bytes:
        _, leaves, published = self.trees_[number]
        signers: list[Any] = [*self.keys] if not number else [self.keys[0].named(f"{ORIGIN}/g{number + 1}")]
        if self.witnessed:
            signers.append(Witness(WITNESS, MOMENT // 1_000_000))
        tree = merkle.Tree()
        tree.extend(leaves[:published])
        return sign_checkpoint(Checkpoint(ORIGIN if not number else f"{ORIGIN}/g{number + 1}", published, tree.root()), signers)

    def trees(self) -> Trees:
        self.asked += 1
        made = []
        for number, (start, _, published) in enumerate(self.trees_):
            origin = ORIGIN if not number else f"{ORIGIN}/g{number + 1}"
            vkeys = [key.named(origin).public.vkey for key in (self.keys if not number else self.keys[:1])]
            keys = [Period(vkey, "2026-01-01T00:00:00Z", None if not at else "2026-02-01T00:00:00Z") for at, vkey in enumerate(vkeys)]
            signed = published and self.asked > self.grow
            note = self.note(number).decode() if signed else None
            made.append(
                Tree(
                    number + 1,
                    origin,
                    start,
                    published if signed and not (self.lost and number == len(self.trees_) - 1) else 0,
                    note,
                    note if self.witnessed else None,
                    keys,
                )
            )
        return Trees("default", len(self.entries_), made)

    def entries(self, filters: Iterable[tuple[str, str]]) -> Entries:
        given = list(filters)
        own = {name: int(value) for name, value in given if name in ("from", "to", "limit")}
        query = parse("", [pair for pair in given if pair[0] not in own]).query
        found = []
        for index in range(own["to"] - 1, own["from"] - 1, -1):
            event, header, salt, record = self.entries_[index]
            text = b64encode(salt).decode()
            if index not in self.hidden and matches(query, *read(header, text, event)):
                if len(found) == 3:  # small pages
                    return Entries(found, index + 1, self.complete)
                found.append(Entry(Raw(b'{"record":%b,%b' % (encode(record), event[1:])), header.decode(), text))
        return Entries(found, None, self.complete)

    def tile(self, generation: int, path: str) -> bytes:
        tile, (_, leaves, published) = tile_at(path), self.trees_[generation - 1]
        if not tile.is_in(published):
            raise NotFound(path)
        hashes: list[bytes] = leaves
        for _ in range(tile.level):
            hashes = [merkle.root_over(hashes[at : at + 256]) for at in range(0, len(hashes) // 256 * 256, 256)]
        return b"".join(hashes[tile.start : tile.stop])


def events(count: int) -> list[bytes]:
    return [
        b'{"id":"e-%d","type":"%b","source":"billing","actor":{"type":"customer","id":"%d"},"data":{"amount":"%d.50 \xe2\x82\xac"}}'
        % (at, b"customer.billed" if at % 3 else b"customer.moved", at % 5, at)
        for at in range(count)
    ]


def made(
    paper: Paper, path: Path, *filters: tuple[str, str], first: int = 0, last: int | None = None, complete: bool = False, at: str = ""
) -> Path:
    """The evidence file that a paper log gives, not checked yet."""
    asked = Asked(filters, first, last, complete, "A. Auditor", at or times.text(MOMENT))
    with ExitStack() as stack, path.open("wb") as file:
        found = gather(paper, "http://127.0.0.1:8080", asked, stack, lambda seconds, why: None, lambda done, total: None)  # type: ignore[arg-type]
        write(file, found, paper.tile, lambda done, total: None)
    return path


def contents(path: Path) -> dict[str, bytes]:
    with ZipFile(path) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def rewritten(path: Path, members: dict[str, bytes]) -> None:
    """The file with these members, and sums that fit."""
    made = io.BytesIO()
    with Archive(made) as archive:
        for name, content in members.items():
            if name != SUMS:
                archive.add(name, content)
    path.write_bytes(made.getvalue())
