"""What a benchmark begins with and leaves behind: a folder of its own on the disk that is measured, and an end in any case."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from bench.client import Failed

DATA = Path(".bench-data")


@contextmanager
def session(name: str, data: Path, limit: int) -> Iterator[Path]:
    """A folder in `data` that is gone afterwards with all that is in it, and `data` too if it is empty then.

    Ends the program with one line for Failed and after `limit` seconds; a signal unwinds, so that every process and folder goes.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        sys.exit(f"{name}: the time is up" if number == signal.SIGALRM else 128 + number)

    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, stop)
    signal.alarm(limit)
    folder = data.resolve() / f"{name}-{os.getpid()}"
    try:
        folder.mkdir(parents=True)
        yield folder
    except Failed as error:
        sys.exit(f"{name}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # something else lies there
            data.rmdir()
