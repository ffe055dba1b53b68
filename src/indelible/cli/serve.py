"""`indelible serve`: the service, with the settings in force."""

from __future__ import annotations

import os
from functools import partial

import click

from indelible import config
from indelible.cli.config import flags

EXAMPLES = """
\b
Examples:
  indelible serve                                        127.0.0.1:8080, data under ./data
  indelible serve --data /srv/trail --port 9000
  INDELIBLE_KEY=$(openssl rand -hex 32) indelible serve --host 0.0.0.0
"""


@click.command(epilog=EXAMPLES)
@flags
def command(**given: str | None) -> None:
    """Keep the trail: take events, store them, answer questions.

    Each flag is a variable too (INDELIBLE_PORT for --port) and a line of the TOML file; `indelible config` shows what is in force.
    The key comes from INDELIBLE_KEY or the file, never from a flag. SIGTERM and Ctrl-C finish what is in flight.
    """
    settings = config.load(given, os.environ)
    from indelible.http.server import run

    run(partial(config.compose, settings), settings.host, settings.port)
