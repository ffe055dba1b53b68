"""A real disk of a few MiB that fills up, where this user may mount one: the service refuses, reads on, starts full and resumes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import unreliable
from kills import Sender, Trail
from traffic import requests

MIB = 1 << 20


@contextmanager
def small_disk(size: int) -> Iterator[Path | None]:
    """A directory with a file system of its own; None where that is not allowed."""
    directory = Path(tempfile.mkdtemp(prefix="torture-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(directory)]
    allowed = sys.platform == "linux" and os.geteuid() == 0 and not subprocess.run(mount, check=False, capture_output=True).returncode
    try:
        yield directory if allowed else None
    finally:
        if allowed:
            subprocess.run(["umount", str(directory)], check=True)
        directory.rmdir()


def fill(random: Random) -> bool:
    """Fill it, look at everything at each step; False where there is no such disk."""
    with small_disk(14 * MIB) as disk:
        if disk is None:
            return False
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(4 * MIB))
        with Trail(disk / "data") as trail:
            server, ledger = trail.server, trail.ledger
            server.variables |= {"INDELIBLE_RESERVE": "2 MiB", **unreliable.variables()}

            def send(most: int) -> int:
                """How many requests were refused for want of room."""
                before = len(ledger.refused)
                sender = Sender(server, ledger, requests(random, f"{random.randrange(1 << 30):x}", 20_000), most)
                sender.run()
                assert sender.failure is None and not sender.cut_off, sender.failure
                return len(ledger.refused) - before

            server.start()
            refused = 0
            for _ in range(100):
                if refused := send(20):
                    break
            assert refused, "it never became full"
            (disk / "taken").write_bytes(
                bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize)
            )  # by someone else: not a byte is left
            trail.look()
            for _ in range(2):
                server.kill()
                server.start()
                send(20)
                trail.look()
            (disk / "taken").unlink()
            ballast.unlink()
            assert send(20) == 0, "there is room again"
            trail.look()
            assert server.stop()[0] == 0
            return True
