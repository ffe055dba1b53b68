"""`indelible repair`: what is damaged in a data directory, and with --yes a journal made of all that is whole."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import click

from indelible import config, offline
from indelible.cli.config import flags_of
from indelible.cli.progress import reading
from indelible.model.counting import counted

if TYPE_CHECKING:
    from indelible.model.damage import Gap, Repair

_DAMAGED = 65

EXAMPLES = """
\b
Examples:
  indelible repair --data /srv/trail            what is damaged; changes nothing
  indelible repair --data /srv/trail --yes      set it aside, and go on with what is whole
"""


@click.command(epilog=EXAMPLES)
@click.option("--yes", "write", is_flag=True, help="Do it; without, it is only shown.")
@flags_of("data", "logs", "journal_file_size")
def command(write: bool, **given: str | None) -> int:
    """Show what is damaged in the data directory, and with --yes make a journal of all that is whole.

    Stop the service first. Nothing is deleted: the old journal goes, whole, to damaged/ in the data directory. Where acknowledged events
    are lost, each log gets an event of type indelible.damage, and what follows it gets new indexes. Exit status 65: something is damaged,
    or the journal is not the one that was signed.
    """
    from indelible.fsck import disagreement

    settings = config.load(given, os.environ)
    done = offline.repair(settings, write, reading)
    data = shlex.quote(str(settings.data))
    for line in _found(done):
        click.echo(line)
    if done.gaps and not write:
        click.echo(f"nothing was changed: `indelible repair --data {data} --yes` sets the old journal aside and goes on with what is whole")
        return _DAMAGED
    if done.aside:
        click.echo(f"the old journal is in {done.aside}: keep it until nobody asks for what was in it")
    if wrong := disagreement(settings.data):
        click.echo(f"journal and signatures do not fit: {wrong}")
        return _DAMAGED
    if done.aside:
        click.echo(f"`indelible serve --data {data}` goes on; then `indelible status` names the receipts that no longer hold")
    return 0


def _found(done: Repair) -> list[str]:
    first = "finished a repair that had been interrupted; " if done.finished else ""
    whole = f"{counted(done.frames, 'frame')} with {counted(done.events, 'event')} {'is' if done.frames == 1 else 'are'} whole"
    if not done.gaps:
        return [f"{first}{whole}, nothing is damaged"]
    return [f"{first}{whole}, and damaged are:", *map(_line, done.gaps)]


def _line(gap: Gap) -> str:
    return f"  {gap.file}, {gap.where}: {gap.reason}; {'acknowledged events are lost' if gap.lost else 'no event is lost'}"
