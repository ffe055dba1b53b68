"""`indelible send`: files or standard input of NDJSON, sent until every event is acknowledged."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

import click

from indelible.cli import flags
from indelible.cli.progress import Progress
from indelible.errors import Fault, IndelibleError, NotAnEvent, Refused, TooLarge

if TYPE_CHECKING:
    from indelible.client import Client
    from indelible.client.answers import Batch
    from indelible.client.ndjson import Line

_REFUSED = 65
_DEFAULT, _MOST = 1000, 10_000  # events of a request

EXAMPLES = """
\b
Examples:
  echo '{"type": "customer.billed", "source": "billing"}' | indelible send
  indelible send monday.ndjson tuesday.ndjson
  tail -F -n +1 events.ndjson | indelible send --patience 3600

The input is NDJSON: one event, a JSON object, a line. Blank lines are skipped. A file `-`, or no file, is standard input.

Sending the same input again, after an error or a kill, stores nothing twice: a line without an id gets one from the SHA-256 of its
file up to and including that line. So two files that begin with the same lines begin with the same events; give events
ids of their own where that is not meant.
"""


@click.command(epilog=EXAMPLES)
@flags.server(patience=60)
@click.option("--batch", type=click.IntRange(1, _MOST), default=_DEFAULT, show_default=True, help="Events in a request, at most.")
@click.option(
    "--skip-bad", is_flag=True, help="Report bad events and store the others; send those, once corrected, as a file of their own."
)
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True))
def command(url: str, patience: float, batch: int, skip_bad: bool, files: tuple[str, ...]) -> int:
    """Send events from files or standard input.

    Each request is stored whole or not at all; it ends at the first that is refused, naming file and line. Exit status 65:
    events were refused, or their id is taken by other bytes. INDELIBLE_KEY is sent if it is set.
    """
    from indelible.client import Client

    told = Told(Progress(sys.stderr), files)

    def pause(seconds: float, why: str) -> None:
        told.waits(url, why)
        time.sleep(seconds)

    with Client(url, patience=patience, pause=pause) as client:
        try:
            for name in files or ("-",):
                _send(client, name, batch, skip_bad, told)
        finally:
            told.end()
    return _REFUSED if told.conflicts or told.refused else 0


def _send(client: Client, name: str, most: int, skip: bool, told: Told) -> None:
    """One file, request by request. Raises NotAnEvent or TooLarge, with file and line, for the first request that is refused."""
    shown = "stdin" if name == "-" else click.format_filename(name)
    for lines in _requests(name, shown, most):
        try:
            told.settled(shown, lines, client.post([line.text for line in lines], skip=skip))
        except (NotAnEvent, TooLarge) as error:
            raise told.refusal(shown, lines, error) from None


def _requests(name: str, shown: str, most: int) -> Iterator[list[Line]]:
    from indelible.client.ndjson import requests

    if name == "-" and sys.stdin.isatty():
        click.echo("reading events from the terminal, one a line; Ctrl-D ends", err=True)
    try:
        with _opened(name) as stream:
            yield from requests(stream, most)
    except OSError as error:  # the client's own never get here: it has words for them
        raise click.FileError(shown, error.strerror or type(error).__name__) from None
    except TooLarge as error:
        raise TooLarge(f"{shown}: {error.detail}") from None


def _opened(name: str) -> BinaryIO:
    return sys.stdin.buffer if name == "-" else open(name, "rb", buffering=0)


class Told:
    """What became of the events so far, and what people are told of it."""

    def __init__(self, progress: Progress, files: Sequence[str]) -> None:
        self.progress = progress
        self.stored = self.duplicates = self.conflicts = self.refused = 0
        self._read = 0  # bytes
        self._size = sum(os.path.getsize(name) for name in files) if files and "-" not in files else 0
        self._waiting = ""

    def settled(self, file: str, lines: Sequence[Line], batch: Batch) -> None:
        self.stored += batch.stored
        self.duplicates += batch.duplicates
        self.conflicts += batch.conflicts
        self.refused += batch.refused
        self._waiting = ""
        self._faults(file, lines, batch.errors, batch.conflicts + batch.refused)
        self._read += sum(len(line.text) + 1 for line in lines)
        self.progress.show(self._acknowledged(), self._part())

    def refusal(self, file: str, lines: Sequence[Line], error: Refused) -> IndelibleError:
        """The error that ends the command: what was refused is told line by line, and none of its request is stored."""
        if not error.faults or not all(isinstance(fault.index, int) for fault in error.faults):
            return type(error)(f"{file}:{lines[0].number}-{lines[-1].number}: {error.detail}")
        bad = error.total if error.total > len(error.faults) else len({fault.index for fault in error.faults})
        self.refused += bad
        self._faults(file, lines, error.faults, bad)
        return type(error)(
            f"nothing was stored from {file}:{lines[0].number} on: correct it and send the same input again, or give --skip-bad"
        )

    def waits(self, url: str, why: str) -> None:
        """Once for each time that the server goes away."""
        if why != self._waiting:
            self._waiting = why
            self.progress.say(f"waiting for {url}: {why}")

    def end(self) -> None:
        if self.progress.rewrites:
            self.progress.end(self._acknowledged(), self._part())
        click.echo(f"stored {self.stored:,}, duplicates {self.duplicates:,}, conflicts {self.conflicts:,}, refused {self.refused:,}")

    def _faults(self, file: str, lines: Sequence[Line], faults: Sequence[Fault], bad: int) -> None:
        """A line for each fault, and how many of the `bad` events have none because the server does not list them all."""
        from indelible.client.answers import plain

        for fault in faults:
            at = lines[fault.index].number if isinstance(fault.index, int) and fault.index < len(lines) else "?"
            self.progress.say(f"{file}:{at}: {plain(fault.detail)}")
        rest = bad - len({fault.index for fault in faults})
        if rest > 0:
            self.progress.say(f"{file}:{lines[0].number}-{lines[-1].number}: and {rest} more")

    def _acknowledged(self) -> int:
        return self.stored + self.duplicates

    def _part(self) -> float | None:
        return self._read / self._size if self._size else None
