"""The table: each row's median and spread, its target, and what share of the limit it reaches."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench.rows import ROWS, Measured, Row

_HEAD = ("row", "median", "lowest", "highest", "unit", "target", "", "of the limit")


def table(runs: Sequence[Measured], *, full: bool) -> str:
    """Every row that was measured. Rows that grow with the number of events are judged only if it was the `full` one."""
    found = {row.name: _values(runs, row.name) for row in ROWS if any(row.name in run for run in runs)}
    lines = [_cells(row, found[row.name], _median(found.get(row.limit)), full) for row in ROWS if row.name in found]
    return "\n".join(aligned([_HEAD, *lines]))


def _cells(row: Row, values: Sequence[float], limit: float | None, full: bool) -> Sequence[str]:
    value = _median(values)
    if value is None:
        return row.name, "–", "", "", row.unit, "", "", ""
    judged = full or not row.amount
    share = f"{value / limit:.2f} of {row.limit}" if limit else ""
    spread = number(value), number(min(values)), number(max(values))
    return row.name, *spread, row.unit, *_judged(row, value, judged), share


def _values(runs: Sequence[Measured], name: str) -> list[float]:
    return [value for run in runs if (value := run.get(name)) is not None]


def _median(values: Sequence[float] | None) -> float | None:
    return median(values) if values else None


def _judged(row: Row, value: float, judged: bool) -> tuple[str, str]:
    """The target, and whether it was met."""
    if row.target is None:
        return "", ""
    sign, good = ("≥", value >= row.target) if row.higher_is_better else ("<", value < row.target)
    return f"{sign} {number(row.target)}", ("met" if good else "MISSED") if judged else "not judged"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def aligned(cells: Sequence[Sequence[str]], right: Sequence[int] = (1, 2, 3)) -> list[str]:
    """Columns of equal width; those in `right` hold numbers."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width) for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
