"""The rows of the table: what each is called, its unit, its target, and the limit that it is held against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Measured = Mapping[str, float | None]  # a run's rows by name; None where this machine cannot tell
Rows = dict[str, float | None]


class Row(NamedTuple):
    """A line of the table. A row that is no rate is better when it is lower.

    `limit` names the row that the value is held against. `amount`: the value grows with the number of events.
    """

    name: str
    unit: str
    target: float | None = None
    limit: str = ""
    amount: bool = False

    @property
    def higher_is_better(self) -> bool:
        return self.unit == RATE


RATE = "events/s"
HASHES = "decode + 3 SHA-256"
BATCHES = "batches of 1,000 × 4"
SINGLES = "singles × 64"
TWO = ", workers = 2"
SHORT = ", the short way"
UNSIGNED = "batches of 1,000 × 4, nothing signed"
ALONE = "singles × 16, p99"
ATTACKED = "singles × 16, p99, beside hostile clients"
NO_READER = "batches of 1,000 × 4, nobody reads"

ROWS = (
    Row(BATCHES, RATE, 170_000, HASHES),
    Row("… server, processor", "µs/event"),
    Row("… generator, processor", "µs/event"),
    Row(BATCHES + TWO, RATE, 210_000, HASHES),
    Row("… server, processor" + TWO, "µs/event"),
    Row("batches of 100 × 4", RATE, 110_000, HASHES),
    Row("batches of 10 × 16", RATE, 33_000, HASHES),
    Row("batches of 1,000 × 4 over 1,000 logs", RATE, None, BATCHES),
    Row(SINGLES, RATE, 17_000, f"discarding server, {SINGLES}"),
    Row("singles, server, processor", "µs/event"),
    Row("singles, generator, processor", "µs/event"),
    Row("singles, p50", "ms"),
    Row("singles, p99", "ms", 10),
    Row(SINGLES + SHORT, RATE, 25_000, f"discarding server, {SINGLES}"),
    Row(f"singles, server, processor{SHORT}", "µs/event"),
    Row(f"singles, p50{SHORT}", "ms"),
    Row(f"singles, p99{SHORT}", "ms", 10),
    Row("singles × 64 beside batches of 10,000", RATE),
    Row("singles, p99, beside batches of 10,000", "ms", 15),
    Row("batches of 10,000 × 1 beside singles", RATE),
    Row("singles × 64 beside batches of 10,000" + TWO, RATE),
    Row("singles, p99, beside batches of 10,000" + TWO, "ms", 15),
    Row("batches of 10,000 × 1 beside singles" + TWO, RATE),
    Row(ALONE, "ms"),
    Row(ATTACKED, "ms"),
    Row("… of what it is alone", "times", 2),
    Row(NO_READER, RATE),
    Row("batches of 1,000 × 4, a read a second", RATE, None, NO_READER),
    Row("… lost to the reader", "%", 20),
    Row("… a read meanwhile, p50", "s"),
    Row("… a read meanwhile, p99", "s", 1),
    Row("resident, nothing read yet", "MB", 300, amount=True),
    Row("first read", "s", 5, amount=True),
    Row("by id, warm", "ms", 3, amount=True),
    Row("last 100 of an actor, warm", "ms", 15, amount=True),
    Row("count of a type, warm", "ms", 10, amount=True),
    Row("start, all sent in batches", "s", 10, amount=True),
    Row("start, a frame an event (written directly)", "s", 10, amount=True),
    Row(UNSIGNED, RATE),
    Row("batches of 1,000 × 4, signed", RATE, None, UNSIGNED),
    Row("… lost to signing", "%", 10),
    Row("inclusion proof, warm, p50", "ms", amount=True),
    Row("inclusion proof, warm, p99", "ms", 5, amount=True),
    Row("1,000 logs growing at once, checkpoints under one sync", "each"),
    Row("verify a data directory", RATE),
    Row("… verify a data directory, processor", "µs/event", 4),
    Row("verify a server, every entry", RATE),
    Row("… verify a server, processor", "µs/event"),
    Row("verify bodies and salts in memory", RATE, 300_000),
    Row("discarding server, batches of 1,000 × 4", RATE),
    Row(f"discarding server, {SINGLES}", RATE),
    Row("… generator, processor, discarding singles", "µs/event"),
    Row("typed decode", RATE),
    Row("strict decode", RATE),
    Row(HASHES, RATE),
    Row("fdatasync of 541 KB", "ms"),
    Row("fdatasync of 4 KiB", "ms"),
)
