"""`make bench-peers`, or `python -m bench.peers`: Indelible beside what a team writes by hand, with the same events and the same generator.

Each measurement begins with an empty store; the two take turns. Ends with 1 if anything acknowledged was not there, or if PostgreSQL or
the environment of bench/peers/handmade is missing; a missed target is only told.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench import machine, page, report
from bench.client import Failed
from bench.generator import confirm, send
from bench.peers.postgres import Postgres
from bench.rows import BATCHES, SINGLES
from bench.server import Server, indelible_server
from bench.session import DATA, session
from bench.writing import scratch

TARGET = 4.0  # times what the other reaches
HANDMADE = Path(__file__).parent / "handmade"
WORKERS = 2  # of uvicorn: the most that helps on two cores
SHAPES = {BATCHES: (1000, 4, 200_000), SINGLES: (1, 64, 15_000)}
SETTINGS = (
    "indelible  defaults of `indelible serve`, one process; a receipt is its place in the log, after its fdatasync",
    f"handmade   FastAPI, uvicorn --workers {WORKERS}, asyncpg, PostgreSQL with its defaults (fsync on); COPY for a batch, five indexes",
    "favours    the other: no duplicates, on which its COPY fails whole; a new table; no proofs. Us: no questions while events come in",
)


class Reached(NamedTuple):
    """A run of one of the two: events a second, the latency's 99th percentile in ms, microseconds of processor an event."""

    rate: float
    p99: float
    cpu: float | None


def indelible(data: Path, batch: int, connections: int, events: int) -> Reached:
    with scratch(data) as folder, indelible_server(folder) as server:
        result = send(server, batch, connections, events)
        cpu = server.cpu()
        confirm(server, result.acknowledged)
    return Reached(result.rate, result.p99, cpu and 1e6 * cpu / events)


def handmade(data: Path, batch: int, connections: int, events: int) -> Reached:
    with scratch(data) as folder, Postgres(folder, HANDMADE / "schema.sql") as postgres:
        command = [str(_python()), "-m", "uvicorn", "app:app", "--app-dir", str(HANDMADE), "--workers", str(WORKERS)]
        flags = ["--no-access-log", "--log-level", "warning"]
        with Server([*command, *flags], folder, "/v1/events?limit=1", {"DSN": postgres.dsn, "PYTHONDONTWRITEBYTECODE": "1"}) as server:
            result = send(server, batch, connections, events, api="handmade")
            spent = [server.cpu(), postgres.cpu()]
        if (stored := int(postgres.ask("SELECT count(*) FROM events"))) != result.acknowledged:
            raise Failed(f"{result.acknowledged} events were acknowledged, and the table holds {stored}")
    cpu = None if None in spent else 1e6 * sum(filter(None, spent)) / events
    return Reached(result.rate, result.p99, cpu)


BOTH: dict[str, Callable[[Path, int, int, int], Reached]] = {"indelible": indelible, "handmade": handmade}


def table(reached: dict[tuple[str, str], list[Reached]]) -> str:
    """By row and system: the medians side by side, and how many times the other's rate is ours."""
    lines = [("row", "indelible", "handmade", "times", "unit", "target")]
    for row in dict.fromkeys(row for row, _ in reached):
        for member, unit in (("rate", "events/s"), ("p99", "ms, p99"), ("cpu", "µs/event, processor")):
            ours, theirs = (_median([getattr(one, member) for one in reached[row, name]]) for name in BOTH)
            if ours is None or theirs is None:
                continue
            times = ours / theirs
            judged = f"≥ {TARGET:.0f} times  {'met' if times >= TARGET else 'MISSED'}" if member == "rate" else ""
            lines.append((row if member == "rate" else "…", report.number(ours), report.number(theirs), f"{times:.2f}", unit, judged))
    return "\n".join(report.aligned(lines))


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _python() -> Path:
    """The interpreter of the environment that `make bench-peers` has set up. Raises Failed."""
    python = DATA.resolve() / "peers-venv/bin/python"
    if not python.exists():
        raise Failed(f"{python} is not there: `make bench-peers` sets it up")
    return python


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description="Indelible beside an audit service written by hand.")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--data", type=Path, default=DATA, help="where the stores lie meanwhile: the disk that is measured")
    parser.add_argument("--limit", type=int, default=240, help="give up after so many seconds")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page too, between its marks")
    given = parser.parse_args()
    reached: dict[tuple[str, str], list[Reached]] = {}
    with session("bench-peers", given.data, given.limit) as folder:
        head = "\n".join([*machine.described(folder), *SETTINGS])
        print(head, flush=True)
        for run in range(given.runs):
            for row, shape in SHAPES.items():
                for name, measure in BOTH.items():
                    print(f"run {run + 1} of {given.runs}: {name}, {row} …", file=sys.stderr, flush=True)
                    reached.setdefault((row, name), []).append(measure(folder, *shape))
    found = table(reached)
    print(f"\n{found}")
    if given.write:
        page.write(given.write, "bench-peers", f"{head}\n\n{found}")


if __name__ == "__main__":
    main()
