"""The table: each row's median and spread, its target, and what share of the limit it reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

Measured = Mapping[str, float | None]  # a run's rows by name; None where this machine cannot tell


class Row(NamedTuple):
    """A line of the table. `target` binds now, `aim` is what comes next; a row that is no rate is better when it is lower.

    `limit` names the row of a part that the value is held against. `amount`: the value grows with the number of events.
    """

    name: str
    unit: str
    target: float | None = None
    aim: float | None = None
    limit: str = ""
    amount: bool = False

    @property
    def higher_is_better(self) -> bool:
        return self.unit == "events/s"


RATE = "events/s"
HASHES = "decode + 3 SHA-256"
ROWS = (
    Row("batches of 1,000 × 4", RATE, 130_000, 170_000, HASHES),
    Row("… server, processor", "µs/event"),
    Row("… generator, processor", "µs/event"),
    Row("batches of 100 × 4", RATE, None, 110_000, HASHES),
    Row("batches of 10 × 16", RATE, None, 33_000, HASHES),
    Row("singles × 64", RATE, 15_000, 17_000, "discarding server, singles × 64"),
    Row("singles, server, processor", "µs/event"),
    Row("singles, generator, processor", "µs/event"),
    Row("singles, p50", "ms"),
    Row("singles, p99", "ms", None, 10),
    Row("resident, nothing read yet", "MB", 300, None, amount=True),
    Row("first read", "s", None, 5, amount=True),
    Row("by id, warm", "ms", None, 3, amount=True),
    Row("last 100 of an actor, warm", "ms", None, 15, amount=True),
    Row("count of a type, warm", "ms", None, 10, amount=True),
    Row("start with the trail", "s", None, 10, amount=True),
    Row("discarding server, batches of 1,000 × 4", RATE),
    Row("discarding server, singles × 64", RATE),
    Row("typed decode", RATE),
    Row("strict decode", RATE),
    Row(HASHES, RATE),
    Row("fdatasync of 541 KB", "ms"),
    Row("fdatasync of 4 KiB", "ms"),
)
_HEAD = ("row", "median", "lowest", "highest", "unit", "target", "", "next", "", "of the limit")


def table(runs: Sequence[Measured], *, full: bool) -> str:
    """Every row that was measured. Rows that grow with the number of events are judged only if it was the `full` one."""
    found = {row.name: _values(runs, row.name) for row in ROWS if any(row.name in run for run in runs)}
    lines = [_cells(row, found[row.name], _median(found.get(row.limit)), full) for row in ROWS if row.name in found]
    return "\n".join(_aligned([_HEAD, *lines]))


def _cells(row: Row, values: Sequence[float], limit: float | None, full: bool) -> Sequence[str]:
    value = _median(values)
    if value is None:
        return row.name, "–", "", "", row.unit, "", "", "", "", ""
    judged = full or not row.amount
    share = f"{value / limit:.2f} of {row.limit}" if limit else ""
    spread = _number(value), _number(min(values)), _number(max(values))
    return row.name, *spread, row.unit, *_judged(row, value, row.target, judged), *_judged(row, value, row.aim, judged), share


def _values(runs: Sequence[Measured], name: str) -> list[float]:
    return [value for run in runs if (value := run.get(name)) is not None]


def _median(values: Sequence[float] | None) -> float | None:
    return median(values) if values else None


def _judged(row: Row, value: float, target: float | None, judged: bool) -> tuple[str, str]:
    """The target, and whether it was met."""
    if target is None:
        return "", ""
    sign, good = ("≥", value >= target) if row.higher_is_better else ("<", value < target)
    return f"{sign} {_number(target)}", ("met" if good else "MISSED") if judged else "not judged"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """Columns of equal width; the numbers stand to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if 1 <= place <= 3 else cell.ljust(width) for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
