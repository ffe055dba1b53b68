"""`indelible demo`: run the shop against a server, then ask whether all of its trail is there and which failures it shows."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import IO

import click
from msgspec.json import decode

from indelible.cli import flags
from indelible.cli.flags import USUAL
from indelible.cli.progress import Progress
from indelible.client import Client
from indelible.demo.processes import run as send_all
from indelible.demo.questions import QUESTIONS, Answer, Row, answered, as_command, as_curl, compared
from indelible.demo.services import SOURCES, whole
from indelible.demo.traffic import FEWEST, Traffic, journeys_for, planted
from indelible.errors import Unreachable

_KNOCK = 5.0  # s, at most, to wait for a server before anything was sent

EXAMPLES = """
\b
Examples:
  indelible demo                                    5,000 events at 1,000/s
  indelible demo --events 100000 --rate 0           as fast as it goes
  indelible demo --events 1000 --seed 7 --write -   the events as NDJSON, nothing is sent
"""


@click.command(epilog=EXAMPLES)
@flags.server(patience=60)
@click.option("--journeys", type=click.IntRange(FEWEST), help="How many customers visit the shop, instead of --events.")
@click.option("--events", type=click.IntRange(1), default=5000, show_default=True, help="At least so many events; no visit is cut.")
@click.option("--rate", type=click.FloatRange(0), default=1000.0, show_default=True, help="Events a second; 0: as fast as it goes.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed makes other customers.")
@click.option("--run", "name", help="The value of labels.run; a run sent again stores nothing twice.  [default: the time]")
@click.option("-o", "--write", type=click.File("wb"), help="Write the events to a file as NDJSON instead of sending them.")
def command(
    url: str, journeys: int | None, events: int, rate: float, seed: int, name: str | None, patience: float, write: IO[bytes] | None
) -> None:
    """A shop of twelve services, each its own process, sends its trail.

    Four kinds of failure are planted in it. At the end everything is counted back, and the questions that find
    the failures are shown. Exit status 1: something is missing.
    """
    journeys = journeys or journeys_for(seed, events)
    if write is not None:
        write.writelines(line + b"\n" for line in whole(Traffic(seed, journeys, name or f"demo-{seed}")))
        return
    name = name or f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.urandom(2).hex()}"
    if not _demonstrated(Traffic(seed, journeys, name), url.rstrip("/"), rate, patience):
        sys.exit(1)


def _demonstrated(traffic: Traffic, url: str, rate: float, patience: float) -> bool:
    _knock(url, min(patience, _KNOCK))
    click.echo(f"run {traffic.run}: {traffic.journeys} visits to a shop of {len(SOURCES)} services, to {url}", err=True)
    progress = Progress(sys.stderr)
    sent = send_all(traffic, url, patience, rate, progress.show)
    progress.end(sent.total())
    with Client(url, patience=patience) as client:
        rows = compared(traffic.run, sent, client.count)
        click.echo(counts_table(rows))
        answers = [answered(failure, traffic.run, lambda filters: map(decode, client.events(filters))) for failure in QUESTIONS]
    expected = planted(traffic)
    for answer in answers:
        click.echo(answer_text(answer, url, expected[answer.failure.name]))
    differing = [row for row in rows if row.sent != row.found]
    missed = [answer for answer in answers if set(answer.orders) != expected[answer.failure.name]]
    click.echo(verdict(rows[-1].found, len(differing), len(missed)))
    return not differing and not missed


def _knock(url: str, patience: float) -> None:
    try:
        with Client(url, patience=patience) as client:
            client.count((("labels.run", "-"),))
    except Unreachable as error:
        raise Unreachable(f"no server answers at {url}: start one with `make run` or `indelible serve`, or name it with --url") from error


def counts_table(rows: Iterable[Row]) -> str:
    """The comparison, differences marked."""
    lines = [f"\n{'source':24} {'type':24} {'sent':>9} {'found':>9}"]
    for row in rows:
        mark = "" if row.sent == row.found else f"  {row.found - row.sent:+,}  DIFFERS"
        lines.append(f"{row.source:24} {row.type:24} {row.sent:9,} {row.found:9,}{mark}")
    return "\n".join(lines)


def answer_text(answer: Answer, url: str, expected: set[str]) -> str:
    """A failure, the questions that find it in both forms, and what they found."""
    lines = [f"\n{answer.failure.title}"]
    for place, filters in enumerate(answer.questions):
        lines += ["  then, in the same traces:"] if place else []
        lines += [f"  $ {as_curl(url, filters, bool(os.environ.get('INDELIBLE_KEY')))}", f"  $ {as_command(url, filters, USUAL)}"]
    lines += [f"  found: order {order}  trace.correlation_id {trace}" for order, trace in sorted(answer.orders.items())]
    lines += [f"  MISSING: order {order} was planted and not found" for order in sorted(expected - set(answer.orders))]
    lines += [f"  WRONG: order {order} was found and not planted" for order in sorted(set(answer.orders) - expected)]
    return "\n".join(lines)


def verdict(found: int, differing: int, missed: int) -> str:
    if not differing and not missed:
        return f"\nAll {found:,} events are there, and the four failures were found."
    hint = "was the name of this run used before, with another --seed, --events or --journeys?"
    return f"\n{differing} counts differ and {missed} of the failures were not found as planted: {hint}"
