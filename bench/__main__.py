"""`make bench`, or `python -m bench`: how fast Indelible is on this machine.

    make bench                         1,000,000 events, three runs, the median of each row: a few minutes
    make bench ARGS=--quick            a tenth of the events, one run: to see whether a change helps
    make bench ARGS="--only singles"   one measurement alone; they stand in measurements.py

One shape against a server that already runs: `python -m bench.load --port 8080 --batch 1000 --connections 4 --events 1000000`.
Ends with 1 if an answer was wrong or anything acknowledged was not there; a missed target is only told.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import machine, page, report
from bench.measurements import MEASUREMENTS
from bench.rows import Rows
from bench.session import DATA, session

SETTINGS = (
    "settings  defaults of `indelible serve` where a row says nothing else; uvicorn, uvloop, httptools; every receipt after its fdatasync",
    "load      events of 541 bytes, ids never sent before; loopback, keep-alive, a client waits for its answer before it sends again",
    "favours   compact ASCII JSON, which the strict checks pass at a glance; no TLS, key or gzip; no duplicates; a new trail",
    "against   the generator uses the same cores; its share stands in the table",
)


def main() -> None:
    given = _arguments()
    with session("bench", given.data, given.limit) as folder:
        head = "\n".join([*machine.described(folder), *SETTINGS])
        print(head, flush=True)
        runs = _measured(given.only or list(MEASUREMENTS), folder, given.runs, 10 if given.quick else 1)
    table = report.table(runs, full=not given.quick)
    print(f"\n{table}")
    if given.write:
        page.write(given.write, "bench", f"{head}\n\n{table}")


def _measured(names: list[str], data: Path, runs: int, scale: int) -> list[Rows]:
    made = []
    for run in range(runs):
        rows: Rows = {}
        for name in names:
            print(f"run {run + 1} of {runs}: {name} …", file=sys.stderr, flush=True)
            rows |= MEASUREMENTS[name](data, scale)
        made.append(rows)
    return made


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="How fast Indelible is on this machine.")
    parser.add_argument("--runs", type=int, help="how often everything is measured (3, with --quick 1)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the events")
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="this measurement alone; may be repeated")
    parser.add_argument("--data", type=Path, default=DATA, help="where the trails lie meanwhile: the disk that is measured")
    parser.add_argument("--limit", type=int, default=1800, help="give up after so many seconds")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page too, between its marks")
    given = parser.parse_args()
    given.runs = given.runs or (1 if given.quick else 3)
    return given


if __name__ == "__main__":
    main()
