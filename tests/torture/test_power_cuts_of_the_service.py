"""Journal and recorder on a disk that loses what was not synced: after any cut, kill or failed operation, every receipt holds."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from ledger import Ledger
from lives import Stop, frames_of, live
from seeds import drawn
from simulated import Disk, Moment

from indelible.journal.files import Files
from indelible.journal.frame import After, Broken
from indelible.journal.port import Frame
from indelible.journal.scan import Tape

LIVES = 3  # one after the other on the same disk
LOOKS = 8  # moments of a life at which it might have ended

Fault = Callable[[str, str, Path], None]


def no_fault(disk: Disk, random: Random) -> Fault:
    return lambda when, operation, path: None


def full_for_a_while(disk: Disk, random: Random) -> Fault:
    """From some operation on, and for some, nothing takes room; a write may be cut short before it is told so."""
    left, lasting = random.randrange(60), random.randrange(1, 120)
    number = random.choice((errno.ENOSPC, errno.EDQUOT))
    late = random.random() < 0.2  # it happened, though it looks lost

    def fault(when: str, operation: str, path: Path) -> None:
        nonlocal left
        if operation not in ("create", "pwrite", "rename") or when == ("before" if late else "after"):
            return
        left -= 1
        if left == 0 and operation == "pwrite" and not late:
            disk.short = random.randrange(1, 400)
        elif -lasting < left < 0:
            raise OSError(number, os.strerror(number))

    return fault


def fails_once(disk: Disk, random: Random) -> Fault:
    """One operation fails: it did not happen, or it did."""
    left, moment = random.randrange(1, 120), random.choice(("before", "after"))

    def fault(when: str, operation: str, path: Path) -> None:
        nonlocal left
        left -= when == moment
        if left == 0:
            left = -1
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    return fault


@pytest.mark.parametrize("kind", [no_fault, full_for_a_while, fails_once])
@pytest.mark.parametrize("scenario", range(3))
def test_every_receipt_holds_wherever_a_life_ends(tmp_path: Path, kind: Callable[[Disk, Random], Fault], scenario: int) -> None:
    endure(tmp_path, kind, drawn(kind.__name__, scenario))


def endure(directory: Path, kind: Callable[[Disk, Random], Fault], random: Random) -> None:
    """Some lives, each begun on what the one before it left; each might have ended at many of its moments."""
    ledger = Ledger()
    disk = Disk(directory / "0")
    for life in range(1, LIVES + 1):
        stops = live(disk.directory.parent, disk, ledger, random, kind(disk, random))
        disk.release()
        for number, stop in enumerate(random.sample(stops, min(LOOKS, len(stops)))):
            look(directory / f"{life}-{number}", stop, random)
        stop = random.choice(stops)
        ledger = stop.ledger
        disk = ended(stop.moment, directory / str(life), random)
    disk.release()


def ended(moment: Moment, data: Path, random: Random) -> Disk:
    return moment.killed(data) if random.random() < 0.4 else moment.cut(data, random)


def look(directory: Path, stop: Stop, random: Random) -> None:
    """A start finds what was acknowledged by then and destroys nothing, and what it finds and keeps outlasts a power cut right after it."""
    disk = ended(stop.moment, directory / "a", random)
    before = written(directory / "a")
    frames = frames_of(directory / "a", disk)
    stop.ledger.hold(frames)
    again = disk.moment().cut(directory / "b", random)
    assert not lost(before, frames, directory / "b"), f"destroyed by a start: {stop.where}"
    assert frames_of(directory / "b", again) == frames, f"lost after a start that had shown it: {stop.where}"
    disk.release()
    again.release()
    shutil.rmtree(directory)


def written(data: Path) -> set[bytes]:
    """The event lines in the journal's files, whole or torn; not those behind the end of a closed file, which an earlier start dropped."""
    lines: set[bytes] = set()
    paths = sorted((data / "journal").glob("*.journal"))
    for at, path in enumerate(paths):
        after = follows(paths[at + 1]) if path != paths[-1] else None
        lines.update(path.read_bytes()[: after.length if after else None].split(b"\n"))
    return {line for line in lines if line.strip(b"\0")}


def follows(path: Path) -> After | None:
    with suppress(Broken), Tape(Files(), path) as tape:
        return tape.frame(0).after
    return None


def lost(before: set[bytes], frames: list[Frame], data: Path) -> list[bytes]:
    """Those that are neither in a frame nor in what was set aside. A frame's own line is made anew, with the same salts."""
    aside = b"\n".join(path.read_bytes() for path in data.glob("damaged/*/*"))
    texts = b"".join(frame.text for frame in frames)
    return [line for line in before if line.strip(b"\0") not in aside and line not in texts and not line.startswith(b'{"v":1,')]


def test_the_lives_meet_every_operation() -> None:
    """Else they would not be the test that they look like."""
