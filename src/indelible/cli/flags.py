"""The flags of the commands that ask a server, and the filters that two of them share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

from indelible.errors import BadParameter, Fault

USUAL = "http://127.0.0.1:8080"
FILTERS = """
\b
Filters carry the member's own path: type=payment.*  source=billing  outcome=failure
  actor.id=42  targets.id=order-7  where.region=eu  labels.team=orders
A name that stands twice is OR, different names are AND; since= and until= take RFC 3339 times.
"""


def server(patience: float) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--url and --patience, the latter with this default."""
    where = click.option("--url", default=USUAL, envvar="INDELIBLE_URL", show_default=True, show_envvar=True, help="The server.")
    how_long = click.option(
        "--patience", type=click.FloatRange(0), default=patience, show_default=True, help="Seconds to wait for a server that is away."
    )
    return lambda command: where(how_long(command))


def question(command: Callable[..., Any]) -> Callable[..., Any]:
    """--log and the filters."""
    command = click.argument("filters", metavar="[NAME=VALUE]...", nargs=-1)(command)
    return click.option("--log", metavar="NAME", help="The log that is asked; without it, the key's own.")(command)


def pairs(words: Iterable[str], paging: bool) -> list[tuple[str, str]]:
    """`type=payment.*` → ("type", "payment.*"), checked as the server would. Raises BadParameter, which names the word."""
    from indelible.model.query import parse

    found = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            detail = f"{word[:60]!r} is no filter: write NAME=VALUE, such as type=payment.* or actor.id=42"
            raise BadParameter(detail, (Fault(detail, parameter=word[:60]),))
        found.append((name, value))
    parse("", [pair for pair in found if not paging or pair[0] != "cursor"], paging)  # the server knows which log a cursor is for
    return found
