"""`indelible evidence`: what a log says about a question, as a file that can be checked without it."""

from __future__ import annotations

import getpass
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, TypeVar

import click

from indelible.cli import flags
from indelible.cli.progress import Progress
from indelible.errors import Misconfigured

if TYPE_CHECKING:
    from indelible.evidence.case import Case
    from indelible.evidence.gather import Asked

T = TypeVar("T")
_NO_FILE = "that alone proves nothing, so there is no file; with --complete it would show that none is there"
NOT_ALL = 1  # no event matches, or not all that the question asks for is proven

EXAMPLES = """
\b
Examples:
  indelible evidence --id b-1 -o case.zip
  indelible evidence --filter actor.id=e-7 --filter 'type=customer.*' -o case.zip
  indelible evidence --filter actor.id=e-7 --from 1000 --to 2000 --complete --as 'J. Doe, audit' -o case.zip
"""


@click.command(epilog=EXAMPLES + flags.FILTERS)
@flags.server(patience=30)
@click.option("--log", metavar="NAME", help="The log that is asked; without it, `default`.")
@click.option("--id", "ids", multiple=True, metavar="ID", help="The event with this id. More than once: any of them.")
@click.option("--filter", "filters", multiple=True, metavar="NAME=VALUE", help="The events that match; several as below.")
@click.option("--complete", is_flag=True, help="Add every entry of the range: then no other entry in it can match unseen.")
@click.option("--from", "first", type=click.IntRange(0), default=0, show_default=True, metavar="INDEX", help="Entries from this one on.")
@click.option("--to", "last", type=click.IntRange(0), metavar="INDEX", help="Entries below this one.  [default: all]")
@click.option("--as", "who", metavar="WHO", help="Who asks, for the report.  [default: the user who runs this]")
@click.option("-o", "--output", required=True, metavar="FILE", type=click.Path(dir_okay=False), help="The zip file to write.")
@click.option("--force", is_flag=True, help="Overwrite it if it is there.")
def command(url: str, patience: float, log: str | None, output: str, force: bool, **given: Any) -> int:
    """Write events, with all that it takes to prove them, into a zip file: a report for people, and a README that says how to check it.

    Whoever gets the file sees the events whole, and their salts; with --complete those of every entry of the range. The file is checked
    before it has its name. Exit status 1: nothing matches, and only with --complete that is worth a file; or some of what was asked for
    stands under no checkpoint, and the file says so. INDELIBLE_KEY is sent if it is set.
    """
    asked = _asked(**given)
    path = Path(output)
    if path.exists() and not force:
        raise Misconfigured(f"{click.format_filename(output)} is there: name another file, or give --force")
    try:
        return _write(url, patience, log, asked, path)
    except OSError as error:
        raise Misconfigured(f"{path} could not be written: {error.strerror or error}") from None


def _asked(ids: tuple[str, ...], filters: tuple[str, ...], complete: bool, first: int, last: int | None, who: str | None) -> Asked:
    from indelible.evidence.gather import Asked
    from indelible.model import times

    pairs = [*(("id", each) for each in ids), *flags.pairs(filters, paging=False)]
    if not pairs and not complete:
        raise click.UsageError("say which events: --id, --filter, or --complete for all of a range")
    return Asked(pairs, first, last, complete, who or _user(), times.text(time.time_ns() // 1000))


def _write(url: str, patience: float, log: str | None, asked: Asked, path: Path) -> int:
    """The exit status."""
    from indelible.client import Client
    from indelible.evidence.check import check
    from indelible.evidence.gather import gather
    from indelible.evidence.write import write

    with ExitStack() as stack:
        client = stack.enter_context(Client(url, log=log, patience=patience))
        found = _told("entries gathered", lambda tell: gather(client, url, asked, stack, _pause, tell))
        if not found.case.matching and not asked.complete:
            click.echo(f"indelible: no event of log {found.case.log!r} matches {found.case.question}: {_NO_FILE}", err=True)
            return NOT_ALL
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            stack.callback(Path(file.name).unlink, missing_ok=True)
            _told("proofs written", lambda tell: write(file, found, client.tile, tell))
            file.flush()
            os.fsync(file.fileno())
        _told("entries checked", lambda tell: check(Path(file.name), tell=tell))
        os.replace(file.name, path)
    return _said(found.case, path)


def _pause(seconds: float, why: str) -> None:
    time.sleep(seconds)


def _told(what: str, work: Callable[[Callable[[int, int | None], None]], T]) -> T:
    """What `work` gives, its progress shown on a terminal."""
    progress = Progress(sys.stderr, what=what)
    done = 0

    def tell(count: int, total: int | None) -> None:
        nonlocal done
        done = count
        progress.show(count, count / total if total else None)

    try:
        return work(tell)
    finally:
        if progress.rewrites:
            progress.end(done)


def _said(case: Case, path: Path) -> int:
    """The exit status, once the lines are told."""
    from indelible.client.answers import plain
    from indelible.evidence.claims import doubt, others
    from indelible.model.counting import counted

    events = f"{counted(case.matching, 'event')} of entries {case.first} to {case.last - 1}"
    click.echo(f"{path}: {events} {'matches' if case.matching == 1 else 'match'}; {others(case)}")
    for tree, _ in case.parts() if case.complete or case.matching > case.unproven else ():
        size = counted(tree.size, "entry", "entries")
        click.echo(f"checked against {plain(tree.origin)}, {size}; its key is in the file: compare it with one from elsewhere")
    if doubt(case):
        click.echo(f"NOT PROVEN: {doubt(case)}")
    return NOT_ALL if doubt(case) else 0


def _user() -> str:
    with suppress(Exception):  # no such user, nor a variable that names one
        return getpass.getuser()
    return "unknown"
