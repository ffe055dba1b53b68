"""How far a command has come: one line rewritten on a terminal, else a line a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import IO

import click

_WIDTH = 24  # characters of the bar


class Progress:
    """Written to `to`: so many of `what`; `part`, where it is known, is how much of the work is done, from 0 to 1."""

    def __init__(self, to: IO[str], now: Callable[[], float] = time.monotonic, what: str = "events acknowledged") -> None:
        self.to = to
        self.what = what
        self.now = now
        self.begun = self.shown = now()
        self.rewrites = to.isatty()

    def show(self, sent: int, part: float | None = None) -> None:
        if self.now() - self.shown >= (0.1 if self.rewrites else 1.0):
            self.shown = self.now()
            self._write(sent, part, "" if self.rewrites else "\n")

    def end(self, sent: int, part: float | None = None) -> None:
        self._write(sent, part, "\n")

    def say(self, text: str) -> None:
        """A line of its own."""
        self.clear()
        self.to.write(text + "\n")
        self.to.flush()

    def clear(self) -> None:
        """Take the line from a terminal: what comes next stands in its place."""
        if self.rewrites:
            self.to.write("\r\x1b[K")
            self.to.flush()

    def _write(self, sent: int, part: float | None, end: str) -> None:
        passed = self.now() - self.begun
        line = f"{sent:,} {self.what} in {passed:.1f} s ({sent / max(passed, 1e-9):,.0f}/s)"
        if part is not None and self.rewrites:
            full = int(_WIDTH * min(part, 1.0))
            line = f"[{'#' * full}{'-' * (_WIDTH - full)}] {line}"
        self.to.write(("\r\x1b[K" if self.rewrites else "") + line + end)
        self.to.flush()


def reading(done: int, total: int) -> None:
    """How much of a data directory was read, in bytes; told to a terminal only."""
    if sys.stderr.isatty():
        click.echo(f"\r{done >> 20} of {total >> 20} MiB read\x1b[K\r", nl=False, err=True)
