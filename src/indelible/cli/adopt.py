"""`indelible adopt`: let a data directory sign again that was put back from a backup."""

from __future__ import annotations

import os
from pathlib import Path

import click

from indelible import config, offline
from indelible.cli.config import flags_of
from indelible.errors import Misconfigured

EXAMPLES = """
\b
Examples:
  indelible adopt --data /srv/trail --checkpoint from-the-witness.txt
  indelible adopt --data /srv/trail --new-generation
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--checkpoint", "files", multiple=True, metavar="FILE", type=click.Path(exists=True, dir_okay=False), help="The newest one of a log."
)
@click.option("--new-generation", is_flag=True, help="Nobody has them: begin a new tree in each log, under another name.")
@flags_of("data", "logs", "journal_file_size", "reserve")
def command(files: tuple[str, ...], new_generation: bool, **given: str | None) -> None:
    """Let a data directory sign again that was put back from a backup.

    Others may have seen more of its logs than it holds, and nothing may be signed that contradicts that. Stop the service first. Show the
    newest signed checkpoint that a witness or a monitor has of each log: if the journal continues them all, signing goes on. If nobody
    has one, or it shows more than is here, begin a new generation: a new tree whose first entry holds the last known checkpoint.
    """
    if bool(files) == new_generation:
        raise click.UsageError("say how to go on: --checkpoint FILE for each log, or --new-generation")
    settings = config.load(given, os.environ)
    try:
        notes = [Path(file).read_bytes() for file in files]
    except OSError as error:
        raise Misconfigured(f"{error.filename} cannot be read: {error.strerror}") from None
    done = offline.adopt(settings, notes)
    for line in done.confirmed:
        click.echo(f"nothing newer is known than {line}")
    for log, number in done.begun.items():
        click.echo(f"log {log} goes on in generation {number}")
    click.echo("the next start signs again" if done.confirmed or done.begun else "nothing keeps this directory from signing")
