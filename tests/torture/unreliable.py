"""A disk that kills its process or fails, by rule: `main` is the command `indelible` with this disk under its journal.

Rules come as JSON in the variable UNRELIABLE, so that the process that loads the tail has the same disk.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from indelible.journal.timed import Timed

VARIABLE = "UNRELIABLE"
COMMAND = ("-c", "from unreliable import main; main()")


@dataclass
class Rule:
    """From its `nth` time on, `operation` on files of this `kind` ends in `what`: KILL, or the name of an error.

    `when`: before it is done, after (it happened, though it looks lost), or half (of a write). `times`: how often.
    `flag`: a path; the rule counts only while something lies there.
    """

    what: str
    operation: str
    kind: str
    when: str = "before"
    nth: int = 1
    times: int = 1 << 60
    flag: str = ""
    hits: int = 0

    def __str__(self) -> str:
        return f"{self.what} {self.when} {self.operation} of {self.kind}, time {self.nth}"

    def meets(self, operation: str, kind: str) -> bool:
        if (operation, kind) != (self.operation, self.kind) or (self.flag and not os.path.exists(self.flag)):
            return False
        self.hits += 1
        return self.nth <= self.hits < self.nth + self.times

    def strike(self) -> None:
        if self.what == "KILL":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(getattr(errno, self.what), self.reason)

    @property
    def reason(self) -> str:
        """What the operating system says about it."""
        return os.strerror(getattr(errno, self.what))


def variables(*rules: Rule) -> dict[str, str]:
    """The environment that gives COMMAND these rules."""
    return {VARIABLE: json.dumps([asdict(rule) for rule in rules]), "PYTHONPATH": str(Path(__file__).parent)}


def kind_of(path: Path) -> str:
    """file, spare, renewed (by a start), manifest, mark (of the end), reserve, lock, aside (what is in damaged/) or directory."""
    name = path.name
    if "damaged" in path.parts and path.suffix:
        return "aside"
    if name in ("closed", "closed.new"):
        return "mark"
    if name.startswith("journal.json"):
        return "manifest"
    fixed = {"spare.new": "spare", "reserve": "reserve", "lock": "lock"}.get(name)
    return fixed or {".new": "renewed", ".journal": "file"}.get(path.suffix, "directory")


class Unreliable(Timed):
    """The operating system, but for its rules."""

    def __init__(self, rules: list[Rule] | None = None) -> None:
        super().__init__()
        self.rules = [Rule(**each) for each in json.loads(os.environ[VARIABLE])] if rules is None else rules
        self._paths: dict[int, Path] = {}
        self._lock = Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return Unreliable, ()

    def open(self, path: Path, flags: int) -> int:
        with self.around("create" if flags & os.O_CREAT else "open", path):
            fd = super().open(path, flags)
            self._paths[fd] = path
            return fd

    def pread(self, fd: int, length: int, offset: int) -> bytes:
        with self.around("pread", self._paths[fd]):
            return super().pread(fd, length, offset)

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        with self.around("pwrite", self._paths[fd], lambda: super(Unreliable, self).pwrite(fd, data[: len(data) // 2], offset)):
            return super().pwrite(fd, data, offset)

    def fdatasync(self, fd: int) -> None:
        with self.around("fdatasync", self._paths[fd]):
            super().fdatasync(fd)

    def fsync(self, fd: int) -> None:
        with self.around("fsync", Path("directory") if stat.S_ISDIR(os.fstat(fd).st_mode) else self._paths[fd]):
            super().fsync(fd)

    def truncate(self, fd: int, length: int) -> None:
        with self.around("truncate", self._paths[fd]):
            super().truncate(fd, length)

    def rename(self, old: Path, new: Path) -> None:
        with self.around("rename", old):
            super().rename(old, new)
            self._paths.update({fd: new for fd, path in list(self._paths.items()) if path == old})

    def unlink(self, path: Path) -> None:
        if not path.exists():
            return
        with self.around("unlink", path):
            super().unlink(path)

    @contextmanager
    def around(self, operation: str, path: Path, half: Any = None) -> Iterator[None]:
        """Do what the rules say before and after an operation."""
        with self._lock:
            rules = [rule for rule in self.rules if rule.meets(operation, kind_of(path))]
        for rule in rules:
            if rule.when == "half" and half:
                half()
            if rule.when != "after":
                rule.strike()
        yield
        for rule in rules:
            rule.strike()

    def opening(self, opened: Callable[..., int]) -> Callable[..., int]:
        """Instead of os.open: the lock goes past the other operations."""

        def open(path: Any, *more: Any, **named: Any) -> int:
            if not (isinstance(path, Path) and path.name == "lock"):
                return opened(path, *more, **named)
            with self.around("open", path):
                return opened(path, *more, **named)

        return open


def main() -> None:
    """The command `indelible`, its journal and its lock on an unreliable disk."""
    from indelible.cli.main import main as indelible
    from indelible.journal import timed

    files = Unreliable()
    os.open = files.opening(os.open)
    timed.Timed = lambda: files  # type: ignore[assignment,misc]
    with suppress(KeyboardInterrupt):
        indelible()
    sys.exit()
