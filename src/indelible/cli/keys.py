"""`indelible keys`: what others need to check the logs' signatures, and how their keys are made and changed."""

from __future__ import annotations

import os
import re
from time import time
from typing import TYPE_CHECKING, Any

import click

from indelible import config, offline
from indelible.cli.config import flags_of

if TYPE_CHECKING:
    from indelible.config import Settings

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

EXAMPLES = """
\b
Examples:
  indelible keys show --data /srv/trail
  indelible keys make --data /srv/trail --origin trail.example.org/v1/logs
  indelible keys rotate --data /srv/trail --overlap 30d
"""


_flags = flags_of("data", "logs", "origin")


@click.group(epilog=EXAMPLES)
def command() -> None:
    """Show, make and rotate the keys that sign checkpoints. Private keys are never shown."""


@command.command()
@_flags
def show(**given: str | None) -> None:
    """Print each log's public keys: a name and a key in one word, and since when it signs."""
    _show(config.load(given, os.environ))


@command.command()
@flags_of("data", "logs", "origin", makes=True)
def make(**given: str | None) -> None:
    """Fix the origin and make a key, if there is none yet. Stop the service first.

    Where events are there already and their keys are lost, the logs go on under the new name, which nobody has a key of yet.
    """
    settings = config.load(given, os.environ)
    offline.make_keys(settings)
    _show(settings)


class _Span(click.ParamType[int]):
    name = "SPAN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = re.fullmatch(r"(\d{1,6})([smhd])", str(value))
        if match is None:
            self.fail(f"{value!r} is no span of time: 30d, 12h, 90m or 0s", param, ctx)
        return int(match[1]) * _UNITS[match[2]]


@command.command()
@click.option("--overlap", type=_Span(), default="30d", show_default=True, help="How long the old key signs beside the new one.")
@_flags
def rotate(overlap: int, **given: str | None) -> None:
    """Make a new key. Both sign while the overlap lasts: time for others to learn the new one. Stop the service first."""
    settings = config.load(given, os.environ)
    offline.rotate_keys(settings, overlap)
    _show(settings)


def _show(settings: Settings) -> None:
    """Of the configured logs, and of all that were ever signed."""
    from indelible.signing.keys import origin_of, text_of

    identity, names = offline.keys(settings)
    if identity is None:
        click.echo(f"{settings.data} has no keys yet: `indelible keys make`, or the first start, makes them")
        return
    origins = [origin_of(identity.origin, log) for log in settings.logs]
    click.echo(f"origin {identity.origin}")
    for name in [*origins, *(name for name in names if name not in origins)]:
        for held, public in zip(reversed(identity.keys), identity.public(name), strict=True):
            until = f", until {text_of(held.until)}" if held.until is not None else ""
            signs = "signs" if held.signs(time()) else "signed"
            click.echo(f"{public.vkey}  {signs} since {text_of(held.since)}{until}")
