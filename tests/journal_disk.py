"""A disk that fails on demand, and one that remembers what a power cut would leave: stand-ins for journal/files.py in tests."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from threading import RLock

from indelible.journal.files import Files
from indelible.journal.port import Frame


class Crash(BaseException):
    """The process ends here; nothing after it runs."""


def frame(seed: int, count: int = 1, size: int = 40) -> Frame:
    lines = [f'{{"type":"test.happened","source":"test","data":"{seed}.{at}.{"x" * size}"}}\n' for at in range(count)]
    salt = sha256(b"%d" % seed).digest()[:16]
    return Frame(
        "default", count, "".join(lines).encode(), 1_795_000_000_000_000 + seed, "-", "native", salt * count, sha256(salt).digest()
    )


def killed(data: Path) -> None:
    """Make of a directory that was closed one as a process leaves it that is killed after its last sync: nothing says that it ended."""
    (data / "journal" / "closed").unlink(missing_ok=True)


class Watched(Files):
    """Calls `before(operation, path)` ahead of each operation that changes the disk; what it raises, the operation raises."""

    def __init__(self, before: Callable[[str, Path], None] = lambda operation, path: None) -> None:
        self.before = before
        self.paths: dict[int, Path] = {}
        self.lock = RLock()  # the spare is made by another thread

    def open(self, path: Path, flags: int) -> int:
        with self.lock:
            if flags & os.O_CREAT:
                self.before("create", path)
            fd = super().open(path, flags)
            self.paths[fd] = path
            return fd

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        with self.lock:
            self.before("pwrite", self.paths[fd])
            return super().pwrite(fd, data, offset)

    def fdatasync(self, fd: int) -> None:
        with self.lock:
            self.before("fdatasync", self.paths[fd])
            super().fdatasync(fd)

    def fsync(self, fd: int) -> None:
        with self.lock:
            self.before("fsync", self.paths[fd])
            super().fsync(fd)

    def truncate(self, fd: int, length: int) -> None:
        with self.lock:
            self.before("truncate", self.paths[fd])
            super().truncate(fd, length)

    def rename(self, old: Path, new: Path) -> None:
        with self.lock:
            self.before("rename", new)
            super().rename(old, new)
            self.paths.update({fd: new for fd, path in self.paths.items() if path == old})

    def unlink(self, path: Path) -> None:
        with self.lock:
            if path.exists():
                self.before("unlink", path)
            super().unlink(path)

    def mkdir(self, path: Path) -> None:
        with self.lock:
            self.before("mkdir", path)
            super().mkdir(path)

    def rmdir(self, path: Path) -> None:
        with self.lock:
            self.before("rmdir", path)
            super().rmdir(path)


class PowerCut(Watched):
    """Remembers what was synced: contents by file, the names in the journal's directory, and those below damaged/ beside it."""

    def __init__(self, directory: Path, before: Callable[[str, Path], None] = lambda operation, path: None) -> None:
        super().__init__(before)
        self.directory = directory
        self.contents: dict[int, bytes] = {}  # by inode; a file that was there at the start is durable
        self.names_held: dict[str, int] = {}
        self.aside = directory.parent / "damaged"
        self.aside_held: dict[str, int] = self._aside()  # by the path below the directory's parent; folders among them
        self.unlinked: list[int] = []  # descriptors that keep inode numbers from being used again
        for path in sorted(directory.glob("*")):
            self.contents[path.stat().st_ino] = path.read_bytes()
            self.names_held[path.name] = path.stat().st_ino

    def open(self, path: Path, flags: int) -> int:
        with self.lock:
            fresh = not path.exists()
            fd = super().open(path, flags)
            if fresh:
                self.contents[os.fstat(fd).st_ino] = b""
                self.unlinked.append(os.open(path, os.O_RDONLY))
            return fd

    def fdatasync(self, fd: int) -> None:
        with self.lock:
            self.before("fdatasync", self.paths[fd])
            self._remember(fd)

    def fsync(self, fd: int) -> None:
        with self.lock:
            self.before("fsync", self.paths[fd])
            self._remember(fd)

    def _remember(self, fd: int) -> None:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            self.contents[os.fstat(fd).st_ino] = _content(fd)
        elif self.paths[fd] == self.directory:
            self.names_held = {path.name: path.stat().st_ino for path in self.directory.iterdir()}
        else:
            synced = self.paths[fd].relative_to(self.directory.parent)
            kept = {name: inode for name, inode in self.aside_held.items() if Path(name).parent != synced}
            self.aside_held = kept | {name: inode for name, inode in self._aside().items() if Path(name).parent == synced}

    def _aside(self) -> dict[str, int]:
        found = [self.aside, *self.aside.rglob("*")] if self.aside.exists() else []
        return {path.relative_to(self.directory.parent).as_posix(): path.stat().st_ino for path in found}

    def cut(self, data: Path, luck: random.Random | None) -> None:
        """Put into `data` what the disk holds after the power went: what was synced, and of the rest what `luck` keeps (None: nothing)."""
        with self.lock:
            now = {path.name: path.stat().st_ino for path in self.directory.iterdir()}
            bytes_now = {path.stat().st_ino: path.read_bytes() for path in self.directory.iterdir()}
            (data / self.directory.name).mkdir(parents=True)
            for name in {*now, *self.names_held}:
                inode = (now if luck and luck.random() < 0.5 else self.names_held).get(name)
                if inode is not None:
                    held = self.contents.get(inode, b"")
                    (data / self.directory.name / name).write_bytes(mixed(held, bytes_now.get(inode, held), luck) if luck else held)
            self._cut_aside(data, luck)

    def _cut_aside(self, data: Path, luck: random.Random | None) -> None:
        now = self._aside()
        for name in sorted({*now, *self.aside_held}):  # a folder comes before what is in it
            inode = (now if luck and luck.random() < 0.5 else self.aside_held).get(name)
            if inode is None or not (data / name).parent.exists():
                continue
            if (self.directory.parent / name).is_dir():
                (data / name).mkdir()
            else:
                held, bytes_now = self.contents.get(inode, b""), (self.directory.parent / name).read_bytes()
                (data / name).write_bytes(mixed(held, bytes_now, luck) if luck else held)

    def release(self) -> None:
        for fd in self.unlinked:
            os.close(fd)


def _content(fd: int) -> bytes:
    path = Path(f"/proc/self/fd/{fd}")  # the descriptor may be open for writing only
    return path.read_bytes()


def mixed(old: bytes, new: bytes, luck: random.Random, page: int = 128) -> bytes:
    """Some pages as they were, some as they were about to be."""
    if luck.random() < 0.3:
        return new
    length = max(len(old), len(new))
    old, new = old.ljust(length, b"\0"), new.ljust(length, b"\0")
    return b"".join((new if luck.random() < 0.5 else old)[at : at + page] for at in range(0, length, page))
