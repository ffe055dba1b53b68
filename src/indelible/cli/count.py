"""`indelible count`: how many events match."""

from __future__ import annotations

import click

from indelible.cli import flags

EXAMPLES = """
\b
Examples:
  indelible count
  indelible count 'type=payment.*' outcome=failure
  indelible count source=billing since=2026-11-23T00:00:00Z
"""


@click.command(epilog=EXAMPLES + flags.FILTERS)
@flags.server(patience=5)
@flags.question
def command(url: str, patience: float, log: str | None, filters: tuple[str, ...]) -> int:
    """Count the events that match.

    INDELIBLE_KEY is sent if it is set. Exit status 1: some of the range could not be read, and there may be more.
    """
    from indelible.client import Client

    asked = flags.pairs(filters, paging=False)
    with Client(url, log=log, patience=patience) as client:
        found = client.counted(asked)
    click.echo(found.count)
    if not found.complete:
        click.echo("indelible: some of the range could not be read: there may be more events that match", err=True)
    return 0 if found.complete else 1
