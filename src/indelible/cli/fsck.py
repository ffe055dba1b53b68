"""`indelible fsck`: what is in a data directory, and where its parts do not fit each other."""

from __future__ import annotations

import os
from typing import Any

import click

from indelible import config
from indelible.cli.config import flags_of
from indelible.cli.progress import reading
from indelible.model.counting import counted

_WRONG = 65

EXAMPLES = """
\b
Examples:
  indelible fsck --data /srv/trail
"""


@click.command(epilog=EXAMPLES)
@flags_of("data")
def command(**given: Any) -> int:
    """Check a data directory: journal, rows, tree, checkpoints and keys against each other.

    Changes nothing, and may run beside the server: what that adds meanwhile is not looked at. Exit status 65: something is wrong; each
    finding stands with what helps. Whether a signature is the right one's, `indelible verify` says.
    """
    from indelible.client.answers import plain
    from indelible.fsck import fsck

    report = fsck(config.load(given, os.environ).data, reading)
    for line in report.looked:
        click.echo(plain(line))
    for wrong in report.wrong:
        click.echo(plain(f"wrong: {'; '.join(filter(None, wrong))}"))
    number = len(report.wrong)
    click.echo(f"{counted(number, 'thing')} {'is' if number == 1 else 'are'} wrong" if number else "nothing is wrong")
    return _WRONG if report.wrong else 0
