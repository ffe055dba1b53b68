"""The file operations of the journal, in one place: what a fault test replaces.

Every byte that the journal puts on the disk and every name that it changes goes through one `Files`. A test passes a subclass that fails,
drops or records an operation; `open` tells it which path a descriptor stands for. What a power cut may take, in its terms: any `pwrite`
or `truncate` not followed by `fdatasync` or `fsync` of the same file, any `open` that creates, `mkdir`, `rmdir`, `link`, `rename` or
`unlink` not followed by `fsync` of the directory. Only the lock (directory.py) goes past it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_ZEROS = bytes(1 << 20)


class Files:
    """The operating system. Stateless, so a reader that holds one can be pickled."""

    def open(self, path: Path, flags: int) -> int:
        """A descriptor, not inherited by children; a new file is its owner's alone."""
        return os.open(path, flags | os.O_CLOEXEC, 0o600)

    def close(self, fd: int) -> None:
        os.close(fd)

    def size(self, fd: int) -> int:
        return os.fstat(fd).st_size

    def pread(self, fd: int, length: int, offset: int) -> bytes:
        return os.pread(fd, length, offset)

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        """Bytes written, which may be fewer than given."""
        return os.pwrite(fd, data, offset)

    def fdatasync(self, fd: int) -> None:
        """The file's contents, and its length where it grew, survive a power cut once this returns."""
        if sys.platform == "darwin":
            self.fsync(fd)
        else:
            os.fdatasync(fd)

    def fsync(self, fd: int) -> None:
        """The same with everything else about a file, or the names in a directory (for which fdatasync may do nothing)."""
        if sys.platform == "darwin":
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
        os.fsync(fd)

    def hasten(self, fd: int, offset: int, length: int) -> None:
        """Let the disk begin with these bytes, where the system can be told: a sync of them later keeps others waiting for less."""
        if hasattr(os, "posix_fadvise"):
            with suppress(OSError):
                os.posix_fadvise(fd, offset, length, os.POSIX_FADV_DONTNEED)

    def truncate(self, fd: int, length: int) -> None:
        os.ftruncate(fd, length)

    def rename(self, old: Path, new: Path) -> None:
        os.replace(old, new)

    def unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def mkdir(self, path: Path) -> None:
        """A directory that is its owner's alone."""
        path.mkdir(mode=0o700)

    def rmdir(self, path: Path) -> None:
        path.rmdir()

    def link(self, old: Path, new: Path) -> None:
        """A second name for a file. Raises OSError where the file system knows none."""
        os.link(old, new)

    def names(self, directory: Path) -> list[str]:
        return sorted(os.listdir(directory))


def write_all(files: Files, fd: int, data: bytes, offset: int) -> None:
    """All of `data` at `offset`."""
    done = files.pwrite(fd, data, offset)
    while done < len(data):
        done += files.pwrite(fd, memoryview(data)[done:], offset + done)


def fill(files: Files, fd: int, start: int, stop: int, pause: Callable[[], object] = lambda: None) -> None:
    """Zeros in [start, stop), with a `pause` after each MiB, which the disk has begun to take by then."""
    for offset in range(start, stop, len(_ZEROS)):
        write_all(files, fd, _ZEROS[: stop - offset], offset)
        if offset + len(_ZEROS) < stop:
            files.hasten(fd, offset, len(_ZEROS))
            pause()


def sync_directory(files: Files, directory: Path) -> None:
    """The names in `directory` as they are now survive a power cut."""
    fd = files.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        files.fsync(fd)
    finally:
        files.close(fd)


def create(files: Files, path: Path, content: bytes, size: int, pause: Callable[[], object] = lambda: None) -> int:
    """A synced file at `path` that holds `content` and zeros up to `size`, open for reading and writing. Its name is not synced.

    Zero-filled, because syncing a write into such a file costs half of one that must grow it; `pause` as in `fill`. A file that could not
    be finished is removed.
    """
    fd = files.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        write_all(files, fd, content, 0)
        fill(files, fd, len(content), size, pause)
        files.fsync(fd)
    except BaseException:
        files.close(fd)
        files.unlink(path)
        raise
    return fd


def replace(files: Files, path: Path, content: bytes) -> None:
    """The file at `path` holds `content`: after a power cut it is the old one or the new one, and the new one once this returns."""
    new = path.with_name(f"{path.name}.new")
    files.close(create(files, new, content, 0))
    files.rename(new, path)
    sync_directory(files, path.parent)


def cut(files: Files, path: Path, length: int) -> None:
    """Free what lies beyond `length`. Nothing depends on it, so it may fail."""
    with suppress(OSError):
        fd = files.open(path, os.O_WRONLY)
        try:
            files.truncate(fd, length)
        finally:
            files.close(fd)
