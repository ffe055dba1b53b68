"""`indelible events`: the events that match, as a table for people or as NDJSON for programs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from indelible.cli import flags
from indelible.errors import BadParameter, Fault

if TYPE_CHECKING:
    from msgspec import Raw

    from indelible.client import Client
    from indelible.client.answers import Page

_USUAL, _PAGE = 100, 1000  # events shown, and the most that the server puts on a page

EXAMPLES = """
\b
Examples:
  indelible events
  indelible events 'type=payment.*' outcome=failure --limit 20
  indelible events actor.id=42 since=2026-11-23T00:00:00+01:00
  indelible events --all source=billing > billing.ndjson
"""


@click.command(epilog=EXAMPLES + flags.FILTERS)
@flags.server(patience=5)
@flags.question
@click.option("--limit", type=click.IntRange(1), help=f"Show at most so many.  [default: {_USUAL}]")
@click.option("--all", "all_", is_flag=True, help="Show all that match, however many.")
@click.option("--format", "form", type=click.Choice(["table", "ndjson"]), help="[default: a table on a terminal, else NDJSON]")
def command(url: str, patience: float, log: str | None, filters: tuple[str, ...], limit: int | None, all_: bool, form: str | None) -> int:
    """Show the events that match, newest first.

    NDJSON has each event as the bytes that were sent, with `record` in front. INDELIBLE_KEY is sent if it is set.
    Exit status 1: some of the range could not be read, and what is shown is not all.
    """
    from indelible.client import INCOMPLETE, Client

    asked = flags.pairs(filters, paging=True)
    most = _limit([value for name, value in asked if name == "limit"], limit, all_)
    asked = [pair for pair in asked if pair[0] != "limit"]
    write = _writer(form or ("table" if sys.stdout.isatty() else "ndjson"))
    complete, page = True, None
    with Client(url, log=log, patience=patience) as client:
        for page in _pages(client, asked, most):
            write(page.events)
            complete = complete and page.complete
    if page and page.next is not None:
        click.echo(f"there are more: --all shows them, cursor={page.next} goes on from here", err=True)
    if not complete:
        click.echo(f"indelible: {INCOMPLETE}", err=True)
    return 0 if complete else 1


def _limit(named: Sequence[str], flag: int | None, all_: bool) -> int | None:
    """How many events to show, None for all. `limit=20` among the filters, as in a URL, is --limit 20."""
    if len(named) + (flag is not None) + all_ > 1:
        detail = "--limit, limit= and --all say the same: give one of them"
        raise BadParameter(detail, (Fault(detail, parameter="limit"),))
    if all_:
        return None
    return int(named[0][:18]) if named else flag or _USUAL


def _pages(client: Client, asked: list[tuple[str, str]], most: int | None) -> Iterator[Page]:
    """Pages that together hold at most so many events; the last one's `next` tells whether there are more."""
    given = asked
    while True:
        page = client.page([*given, ("limit", str(_PAGE if most is None else min(most, _PAGE)))])
        yield page
        most = None if most is None else most - len(page.events)
        if page.next is None or (most is not None and most <= 0):
            return
        given = [*(pair for pair in asked if pair[0] != "cursor"), ("cursor", page.next)]


def _writer(form: str) -> Callable[[Sequence[Raw]], None]:
    out = sys.stdout.buffer
    if form == "ndjson":
        return lambda events: out.writelines([bytes(event) + b"\n" for event in events])
    from indelible.cli.table import Table

    table = Table(shutil.get_terminal_size().columns)
    encoding = sys.stdout.encoding or "utf-8"
    return lambda events: out.writelines([line.encode(encoding, "backslashreplace") + b"\n" for line in table.lines(events)])
