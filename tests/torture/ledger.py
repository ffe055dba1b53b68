"""What was sent and what was acknowledged, held against what the journal and the service show."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from indelible.journal.port import Frame
from indelible.log.prepare import replayed
from indelible.model import times
from indelible.model.conflict import conflict_entry
from indelible.model.entry import Origin


class Request(NamedTuple):
    """A request, and the bodies that it must leave in the journal, be it whole or not at all."""

    body: bytes
    lines: list[bytes]
    content_type: str = "application/x-ndjson"
    key: str = ""
    skip: bool = False
    single: bool = False

    @property
    def text(self) -> bytes:
        return b"".join(line + b"\n" for line in self.lines)

    @property
    def headers(self) -> dict[str, str]:
        return {"content-type": self.content_type} | ({"idempotency-key": self.key} if self.key else {})

    @property
    def target(self) -> str:
        return "/v1/events" + ("?on_error=skip" if self.skip else "")


class Entry(NamedTuple):
    """An entry as the frames make it. `line` is the body that was sent; of a conflict `first` is the entry that holds its id."""

    source: str
    id: str
    line: bytes
    leaf: str
    recorded: str
    first: int | None
    body: bytes


class Receipt(NamedTuple):
    """What an answer promised about `line`. A 409 tells the index alone."""

    line: bytes
    index: int
    conflict: bool
    rest: tuple[str, str, str] | None  # id, leaf, recorded


def folded(frames: Iterable[Frame]) -> list[Entry]:
    """The entries of the log, by a list and a dict. The leaves are computed from the frames' own events and salts."""
    entries: list[Entry] = []
    held: dict[tuple[str, str], dict[bytes, int]] = {}
    for frame in frames:
        (prepared,) = replayed([frame])
        recorded = times.text(frame.recorded)
        for at, line in enumerate(prepared.lines):
            source, id = prepared.sources[at], prepared.ids[at]
            known = held.setdefault((source, id), {})
            if line in known:
                continue
            leaf, first, body = prepared.leaves[at], None, line
            if known:
                first = min(known.values())
                origin = Origin(frame.recorded, frame.writer, frame.dialect)
                made = conflict_entry(source, id, first, line, frame.salts[16 * at : 16 * at + 16], origin)
                leaf, body = made.leaf, made.body
            known[line] = len(entries)
            entries.append(Entry(source, id, line, b64encode(leaf).decode(), recorded, first, body))
    return entries


@dataclass
class Ledger:
    """`sent` are the frames that may be there; `seen` the entries that somebody was shown, which must stay as they were.

    Nobody changes `seen` in place.
    """

    sent: Counter[bytes] = field(default_factory=Counter)
    receipts: list[Receipt] = field(default_factory=list)
    refused: list[bytes] = field(default_factory=list)  # frames that an answer called not stored
    seen: list[Entry] = field(default_factory=list)

    def copied(self) -> Ledger:
        """As it stands; `sent` is shared, for what is sent later cannot be there."""
        return Ledger(self.sent, list(self.receipts), list(self.refused), self.seen)

    def sends(self, request: Request) -> None:
        self.sent[request.text] += 1

    def answered(self, request: Request, status: int, answer: Any) -> None:
        """Enter what the answer promises."""
        if status in (200, 201):
            for line, one in zip(request.lines, [answer] if request.single else answer["receipts"], strict=True):
                told = (one["id"], one["leaf"], one["recorded"])
                self.receipts.append(Receipt(line, one["index"], one["status"] == "conflict", told))
        elif status == 409:
            self.receipts.append(Receipt(request.lines[0], answer["index"], True, None))
        elif status == 507:
            self.refused.append(request.text)
        else:
            assert (status, answer["type"]) == (503, "/problems/journal-failed"), answer

    def hold(self, frames: Sequence[Frame]) -> list[Entry]:
        """Hold it against the frames of the journal."""
        for frame in frames:
            assert frame.text in self.sent, f"a frame that nobody sent, or half of one: {frame.text[:200]!r}"
        entries = folded(frames)
        assert entries[: len(self.seen)] == self.seen, "what was shown before is gone, or stands elsewhere"
        for receipt in self.receipts:
            assert receipt.index < len(entries), f"acknowledged and missing: {receipt}"
            entry = entries[receipt.index]
            assert entry.line == receipt.line, f"acknowledged as {receipt}, and there is {entry}"
            assert receipt.conflict == (entry.first is not None)
            assert receipt.rest in (None, (entry.id, entry.leaf, entry.recorded)), f"acknowledged as {receipt}, and there is {entry}"
        there = {frame.text for frame in frames}
        for text in self.refused:
            assert self.sent[text] > 1 or text not in there, f"refused and stored: {text[:200]!r}"
        return entries
