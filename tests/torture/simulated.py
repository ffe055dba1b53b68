"""A disk in the terms of a power cut: it keeps what was synced, and of all that was not any subset in any order."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

from journal_disk import Watched

SECTOR = 512
FOLDER = 0  # the number of a name that is a folder's


class Moment(NamedTuple):
    """What page cache and disk hold. A file is a number; its contents, and the files of a name, are listed from the synced one to now.

    A name is a path below the data directory.
    """

    contents: dict[int, list[bytes]]
    names: dict[str, list[int | None]]

    def killed(self, data: Path) -> Disk:
        """The process is gone and the machine runs on: `data` holds the page cache."""
        return Disk(data, self)

    def cut(self, data: Path, luck: Random) -> Disk:
        """The power went: `data` holds what was synced, and of the rest what `luck` kept."""
        mood = luck.choice(("nothing", "everything", "names", "any", "any", "any"))
        names: dict[str, list[int | None]] = {}
        for name, versions in self.names.items():
            kept = versions[0] if mood == "nothing" else versions[-1] if mood == "everything" else luck.choice(versions)
            if kept is not None:
                names[name] = [kept]
        contents = {number: [_kept(versions, mood, luck)] for number, versions in self.contents.items()}
        return Disk(data, Moment(contents, names))


def _kept(versions: list[bytes], mood: str, luck: Random) -> bytes:
    if mood in ("nothing", "names"):
        return versions[0]
    if mood == "everything" or len(versions) == 1:
        return versions[-1]
    length = len(luck.choice(versions))
    last = versions[-1].ljust(length, b"\0")
    sectors = []
    for at in range(0, length, SECTOR):
        known = {version[at : at + SECTOR] for version in versions}
        sectors.append(last[at : at + SECTOR] if len(known) == 1 else luck.choice(sorted(known)).ljust(SECTOR, b"\0"))
    return b"".join(sectors)[:length]


class Disk(Watched):
    """DATA/journal and DATA/damaged, made of a `Moment`. `before` and `after` are called around each operation that changes the disk."""

    def __init__(self, data: Path, moment: Moment | None = None) -> None:
        super().__init__()
        self.after: Callable[[str, Path], None] = lambda operation, path: None
        self.short: int | None = None  # of the next write no more is done
        self.data, self.directory = data, data / "journal"
        self.directory.mkdir(parents=True, exist_ok=True)
        self._contents: dict[int, list[bytes]] = {}
        self._names: dict[str, list[int | None]] = {}
        self._held: list[int] = []  # descriptors that keep inode numbers from being used again
        if moment:
            self._restore(moment)

    def moment(self) -> Moment:
        with self.lock:
            contents = {number: list(versions) for number, versions in self._contents.items()}
            return Moment(contents, {name: list(versions) for name, versions in self._names.items()})

    def release(self) -> None:
        for fd in self._held:
            os.close(fd)

    def open(self, path: Path, flags: int) -> int:
        with self.lock:
            fresh = not path.exists()
            fd = super().open(path, flags)
            if flags & os.O_CREAT:
                if fresh:
                    self._adopt(path, [b""])
                    self._named(path, os.fstat(fd).st_ino)
                else:
                    self._changed(fd)
                self.after("create", path)
            return fd

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        with self.lock:
            self.before("pwrite", self.paths[fd])
            part, self.short = data[: self.short], None
            written = os.pwrite(fd, part, offset)
            self._changed(fd)
            self.after("pwrite", self.paths[fd])
            return written

    def truncate(self, fd: int, length: int) -> None:
        with self.lock:
            super().truncate(fd, length)
            self._changed(fd)
            self.after("truncate", self.paths[fd])

    def fdatasync(self, fd: int) -> None:
        with self.lock:
            self.before("fdatasync", self.paths[fd])
            self._synced(fd)
            self.after("fdatasync", self.paths[fd])

    def fsync(self, fd: int) -> None:
        with self.lock:
            self.before("fsync", self.paths[fd])
            self._synced(fd)
            self.after("fsync", self.paths[fd])

    def rename(self, old: Path, new: Path) -> None:
        with self.lock:
            super().rename(old, new)
            self._named(old, None)
            self._named(new, new.stat().st_ino)
            self.after("rename", new)

    def unlink(self, path: Path) -> None:
        with self.lock:
            there = path.exists()
            super().unlink(path)
            if there:
                self._named(path, None)
                self.after("unlink", path)

    def mkdir(self, path: Path) -> None:
        with self.lock:
            super().mkdir(path)
            self._named(path, FOLDER)
            self.after("mkdir", path)

    def rmdir(self, path: Path) -> None:
        with self.lock:
            super().rmdir(path)
            self._named(path, None)
            self.after("rmdir", path)

    def _restore(self, moment: Moment) -> None:
        numbers: dict[int, int] = {number: -1 - number for number in moment.contents}  # of files without a name
        for name, versions in sorted(moment.names.items()):  # a folder comes before what is in it
            now, path = versions[-1], self.data / name
            if now is None or not path.parent.exists():
                continue
            if now == FOLDER:
                path.mkdir()
            else:
                path.write_bytes(moment.contents[now][-1])
                numbers[now] = self._adopt(path, moment.contents[now])
        for number, own in numbers.items():
            self._contents.setdefault(own, list(moment.contents[number]))
        for name, versions in moment.names.items():
            self._names[name] = [numbers[version] if version else version for version in versions]

    def _adopt(self, path: Path, versions: list[bytes]) -> int:
        self._held.append(os.open(path, os.O_RDONLY))
        number = os.fstat(self._held[-1]).st_ino
        self._contents[number] = list(versions)
        return number

    def _named(self, path: Path, number: int | None) -> None:
        self._names.setdefault(path.relative_to(self.data).as_posix(), [None]).append(number)

    def _changed(self, fd: int) -> None:
        self._contents[os.fstat(fd).st_ino].append(Path(f"/proc/self/fd/{fd}").read_bytes())

    def _synced(self, fd: int) -> None:
        if (synced := self.paths[fd]).is_dir():
            for name in [name for name in self._names if (self.data / name).parent == synced]:
                self._names[name] = self._names[name][-1:]
                if self._names[name] == [None]:
                    del self._names[name]
        elif (number := os.fstat(fd).st_ino) in self._contents:
            self._contents[number] = self._contents[number][-1:]
