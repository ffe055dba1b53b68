"""What it takes to verify: a data directory and a server with a million events by the command, and entries from what lies in memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from time import perf_counter, process_time

from bench.client import Failed
from bench.events import event
from bench.generator import confirm, send
from bench.proving import await_published
from bench.rows import Rows
from bench.server import indelible_server
from bench.writing import scratch
from indelible.model import strict
from indelible.model.entry import SALT, Origin, entries
from indelible.tree.merkle import Tree

BATCH = 1000
UNCONFIRMED = 3  # the exit code of `verify` without a key from elsewhere


def verifying(data: Path, scale: int) -> Rows:
    """Events in frames of 1,000, signed; then the commands, each with a memory of its own. Their start counts too."""
    events = 1_000_000 // scale
    with scratch(data) as folder:
        with indelible_server(folder) as server:
            result = send(server, BATCH, 4, events)
            await_published(server, events)
            asked = _verified(f"http://127.0.0.1:{server.port}", folder / "server.json")
            confirm(server, result.acknowledged)
        read = _verified(str(folder / "trail"), folder / "directory.json")
    return {
        "verify a data directory": events / read[0],
        "… verify a data directory, processor": 1e6 * read[1] / events,
        "verify a server, every entry": events / asked[0],
        "… verify a server, processor": 1e6 * asked[1] / events,
        "verify bodies and salts in memory": _remade(500 // scale),
    }


def _verified(target: str, state: Path) -> tuple[float, float]:
    """Seconds until the verdict, and of processor. Raises Failed for another verdict than that all holds."""
    command = [sys.executable, "-m", "indelible", "verify", target, "--state", str(state)]
    before, begun = _children(), perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    seconds = perf_counter() - begun
    if done.returncode != UNCONFIRMED:
        raise Failed(f"verify {target} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return seconds, _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _remade(rounds: int) -> float:
    """Events a second of processor: decoded as far as a header needs, salted and hashed, and taken into a tree."""
    lines = [event(number) for number in range(BATCH)]
    text, salts, origin = b"".join([line + b"\n" for line in lines]), os.urandom(SALT * BATCH), Origin(1_790_000_000_000_000, "-", "native")
    tree, begun = Tree(), process_time()
    for _ in range(rounds):
        tree.extend(entries(strict.outlined(text), lines, salts, origin).leaves)
    tree.root()
    return rounds * BATCH / (process_time() - begun)
