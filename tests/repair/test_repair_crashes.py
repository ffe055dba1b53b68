"""A repair that is killed before each of its operations: the old journal or the new one is there, and the next repair ends well."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from trails import LOSSES, Harm, Quick, contents, mend, started, swap_two, trail

from indelible.errors import Damaged, IndelibleError


class Killed(BaseException):
    """The process ends here."""


class Steps(Quick):
    """Dies before the operation number `last` that changes the disk; remembers the others."""

    def __init__(self, last: int = 1 << 30, error: type[BaseException] = Killed) -> None:
        self.last = last
        self.error = error
        self.done: list[tuple[str, str]] = []
        self.paths: dict[int, Path] = {}

    def step(self, operation: str, path: Path) -> None:
        if len(self.done) == self.last:
            raise self.error(5, "Input/output error")
        self.done.append((operation, path.name))

    def open(self, path: Path, flags: int) -> int:
        if flags & 0o100:  # O_CREAT
            self.step("create", path)
        fd = super().open(path, flags)
        self.paths[fd] = path
        return fd

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        self.step("pwrite", self.paths[fd])
        return super().pwrite(fd, data, offset)

    def fsync(self, fd: int) -> None:
        self.step("fsync", self.paths[fd])

    def rename(self, old: Path, new: Path) -> None:
        self.step("rename", new)
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        self.step("unlink", path)
        super().unlink(path)

    def mkdir(self, path: Path) -> None:
        self.step("mkdir", path)
        super().mkdir(path)

    def rmdir(self, path: Path) -> None:
        self.step("rmdir", path)
        super().rmdir(path)

    def link(self, old: Path, new: Path) -> None:
        self.step("link", new)
        super().link(old, new)


def crashes(tmp_path: Path, harm: Harm, error: type[BaseException]) -> Iterator[tuple[Path, dict[str, bytes], list[bytes]]]:
    """A directory as each crash leaves it, the journal as it was damaged, and the lines that a whole repair keeps."""
    trail(tmp_path / "given", frames=26)
    harm(tmp_path / "given")
    before = contents(tmp_path / "given" / "journal")
    shutil.copytree(tmp_path / "given", tmp_path / "whole")
    whole = Steps()
    mend(tmp_path / "whole", files=whole)
    kept = [line for _, line in started(tmp_path / "whole").lines if b"indelible.damage" not in line]
    steps = [at for at, step in enumerate(whole.done) if step[0] != "pwrite" or whole.done[at - 1][0] != "pwrite"]
    for step in steps:  # of writes side by side the first stands for all
        data = tmp_path / f"{step}"
        shutil.copytree(tmp_path / "given", data)
        with pytest.raises((Killed, IndelibleError)):
            mend(data, files=Steps(step, error))
        yield data, before, kept
        shutil.rmtree(data)
    assert len(steps) > 15


@pytest.mark.parametrize(
    ("harm", "error"),
    [(LOSSES[0], Killed), (LOSSES[0], OSError), (swap_two, Killed)],
    ids=lambda each: each.__name__,
)
def test_killed_or_failed_before_any_step_the_next_repair_does_all_of_it(harm: Harm, error: type[BaseException], tmp_path: Path) -> None:
    for data, before, kept in crashes(tmp_path, harm, error):
        found = [contents(folder) for folder in (data / "journal", *data.glob("damaged/*/journal")) if folder.exists()]
        assert before in found, data
        if contents(data / "journal") == before or not (data / "journal").exists():
            with pytest.raises(Damaged, match="indelible repair"):
                started(data)
        mend(data)
        now = started(data)
        assert [line for _, line in now.lines if b"indelible.damage" not in line] == kept
        assert mend(data).gaps == []
        assert before in [contents(folder) for folder in data.glob("damaged/*/journal")]
        assert {path.name for path in data.iterdir()} <= {"journal", "damaged", "signing", "lock"}


def test_between_its_last_two_steps_the_start_names_the_command_that_takes_the_last_one(tmp_path: Path) -> None:
    trail(tmp_path)
    LOSSES[0](tmp_path)
    with pytest.raises(Killed):
        mend(tmp_path, files=_BeforeTheLast())
    assert not (tmp_path / "journal").exists()
    for look in (lambda: started(tmp_path), lambda: mend(tmp_path, write=False)):
        with pytest.raises(Damaged, match=re.escape(f"`indelible repair --data {tmp_path} --yes` finishes it")):
            look()
    done = mend(tmp_path)
    assert done.finished and not done.gaps
    assert len(started(tmp_path).recorder.generations("default")) == 2


class _BeforeTheLast(Quick):
    def rename(self, old: Path, new: Path) -> None:
        if old.name == "journal.repaired":
            raise Killed
        super().rename(old, new)


def test_the_new_journal_is_durable_before_the_old_one_goes_aside(tmp_path: Path) -> None:
    trail(tmp_path)
    LOSSES[0](tmp_path)
    steps = Steps()
    mend(tmp_path, files=steps)
    done = steps.done
    [aside] = [at for at, step in enumerate(done) if step == ("rename", "journal")][:1]
    written = {name for operation, name in done[:aside] if operation in ("create", "pwrite")}
    for name in written:
        last = max(at for at, step in enumerate(done[:aside]) if step in (("create", name), ("pwrite", name)))
        assert ("fsync", name) in done[last:aside], name
    assert {"journal.json.new", "note.json"} < written and len(written) > 4
    assert done[aside - 1][0] == "fsync"
    assert done[-1] == ("fsync", tmp_path.name)


def test_what_an_interrupted_repair_had_written_is_not_taken_for_the_trail_later(tmp_path: Path) -> None:
    """A backup was put in its place meanwhile: the half-made journal is older than that."""
    trail(tmp_path / "data")
    LOSSES[0](tmp_path / "data")
    with pytest.raises(Killed):
        mend(tmp_path / "data", files=_BeforeTheLast())
    shutil.move(tmp_path / "data" / "journal.repaired", tmp_path / "stale")
    shutil.rmtree(tmp_path / "data")
    receipts = trail(tmp_path / "data", frames=40)
    shutil.move(tmp_path / "stale", tmp_path / "data" / "journal.repaired")
    assert len(started(tmp_path / "data").lines) == len(receipts)
    gone = LOSSES[0](tmp_path / "data")
    mend(tmp_path / "data")
    kept = [line for _, line in started(tmp_path / "data").lines if b"indelible.damage" not in line]
    assert len(kept) == len(receipts) - len(gone)
