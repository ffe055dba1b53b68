"""What the process says while it runs: one JSON object a line on stderr, and nothing of what was sent but a method and a path."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from time import monotonic
from traceback import extract_tb
from types import TracebackType

from msgspec.json import encode

EVERY = 1.0  # s between two lines of progress


def say(event: str, level: str = "info", **members: object) -> None:
    """A line (docs/operations.md, Logs). `level` is info, warning or error. Never a body, a query string or a header's value."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    sys.stderr.write(encode({"time": time, "level": level, "event": event, **members}).decode() + "\n")


def trace(of: TracebackType | None) -> list[str]:
    """Where it happened, innermost last; no values."""
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in extract_tb(of)[-8:]]


class Progress:
    """Says how far something long has come, at most once a second."""

    def __init__(self, event: str, unit: str) -> None:
        self._event = event
        self._unit = unit
        self._said = monotonic()

    def __call__(self, done: int, total: int) -> None:
        if monotonic() - self._said > EVERY:
            self._said = monotonic()
            say(self._event, done=done, total=total, unit=self._unit)


class Foreign(logging.Handler):
    """What libraries log, as a line of ours: which library, the kind of error and where, but not their text, which may quote a request."""

    def emit(self, record: logging.LogRecord) -> None:
        kind, _, where = record.exc_info or (None, None, None)
        said = str(record.msg).partition("\n")[0][:200] if not record.args else str(record.msg)[:200]
        level = "error" if record.levelno >= logging.ERROR else "warning"
        say("library", level, logger=record.name, detail=said, error=kind.__name__ if kind else "", trace=trace(where))


def take_over() -> None:
    """From now on, libraries speak through `say`: warnings and worse, and of uvicorn errors alone."""
    logging.basicConfig(level=logging.WARNING, handlers=[Foreign()], force=True)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # a request that is no HTTP is the client's business
