"""What is measured while events come in: batches, single events, both at once, and many logs. Nobody reads meanwhile."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from bench.client import Failed
from bench.events import log_name
from bench.generator import Sending, confirm, send
from bench.load import Result, Shape
from bench.rows import ALONE, ATTACKED, BATCHES, SHORT, SINGLES, TWO, Rows
from bench.server import Server, indelible_server, offered

_FAR = 500_000_000  # a number that no other generator of a run comes to
_EVENTS = 400_000_000  # more than any server takes before it is told to stop
_TWO_WORKERS = ("--workers", "2")


def batches(data: Path, scale: int) -> Rows:
    """Smaller batches: what an agent sends that waits a moment, and what a busy service sends."""
    rows: Rows = {}
    for batch, connections, events in ((100, 4, 300_000), (10, 16, 100_000)):
        with scratch(data) as folder, indelible_server(folder) as server:
            result = send(server, batch, connections, events // scale)
            confirm(server, result.acknowledged)
            rows[f"batches of {batch} × {connections}"] = result.rate
    return rows


def workers(data: Path, scale: int) -> Rows:
    """Batches of 1,000, prepared by two processes before the one that records; nothing where the server cannot do that."""
    if not offered("--workers"):
        return {}
    with scratch(data) as folder, indelible_server(folder, *_TWO_WORKERS) as server:
        result = send(server, 1000, 4, 1_000_000 // scale)
        cpu = each(server.cpu(), result)
        confirm(server, result.acknowledged)
    return {BATCHES + TWO: result.rate, "… server, processor" + TWO: cpu}


def singles(data: Path, scale: int) -> Rows:
    """One event a request, what most services send: through ASGI, and by the short way below it where the server has one."""
    ways = {"": ("--quick", "false"), SHORT: ("--quick", "true")} if offered("--quick") else {"": ()}
    rows: Rows = {}
    for way, flags in ways.items():
        with scratch(data) as folder, indelible_server(folder, *flags) as server:
            result = send(server, 1, 64, 60_000 // scale)
            cpu = each(server.cpu(), result)
            confirm(server, result.acknowledged)
        rows[SINGLES + way] = result.rate
        rows[f"singles, server, processor{way}"] = cpu
        rows[f"singles, p50{way}"] = result.p50
        rows[f"singles, p99{way}"] = result.p99
        if not way:
            rows["singles, generator, processor"] = each(result.cpu, result)
    return rows


def beside(data: Path, scale: int) -> Rows:
    """Single events while one client sends the largest batches that are taken."""
    rows: Rows = {}
    for how, flags in {"": (), **({TWO: _TWO_WORKERS} if offered("--workers") else {})}.items():
        with scratch(data) as folder, indelible_server(folder, *flags) as server:
            with Sending(Shape(server.port, 10_000, 1, _EVENTS, _FAR)) as large:
                small = send(server, 1, 64, 30_000 // scale)
                result = large.stop()
            confirm(server, small.acknowledged + result.acknowledged)
        rows[f"singles × 64 beside batches of 10,000{how}"] = small.rate
        rows[f"singles, p99, beside batches of 10,000{how}"] = small.p99
        rows[f"batches of 10,000 × 1 beside singles{how}"] = result.rate
    return rows


def hostile(data: Path, scale: int) -> Rows:
    """Single events of sixteen well-behaved clients, alone and beside all that bench/attack.py does."""
    p99 = {}
    for how in (ALONE, ATTACKED):
        with scratch(data) as folder, indelible_server(folder) as server, attacked(server) if how is ATTACKED else nullcontext():
            result = send(server, 1, 16, 40_000 // scale)
            confirm(server, result.acknowledged)
        p99[how] = result.p99
    return {**p99, "… of what it is alone": p99[ATTACKED] / p99[ALONE]}


@contextmanager
def attacked(server: Server) -> Iterator[None]:
    """Hostile clients at work while the block lasts, and gone when it ends."""
    command = [sys.executable, "-m", "bench.attack", "--port", str(server.port), "--seconds", "120"]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE) as process:
        try:
            if not process.stdout or not process.stdout.readline():
                raise Failed("the hostile clients did not come")
            yield
            if process.poll() is not None:
                raise Failed("the hostile clients went away too early")
        finally:
            process.kill()


def logs(data: Path, scale: int) -> Rows:
    """1,000 logs in turn, a batch each: how fast, and whether each has what it was sent."""
    many = 1000 // scale
    with scratch(data) as folder:
        config = folder / "logs.toml"
        config.write_text(f"logs = {[log_name(number) for number in range(many)]}\n")
        with indelible_server(folder, "--config", str(config)) as server:
            result = send(server, 1000, 4, 1000 * many, logs=many)
            for number in range(many):
                confirm(server, result.acknowledged // many, log_name(number))
    return {"batches of 1,000 × 4 over 1,000 logs": result.rate}


def each(cpu: float | None, result: Result) -> float | None:
    """Microseconds an event."""
    return None if cpu is None else 1e6 * cpu / result.acknowledged


@contextmanager
def scratch(data: Path) -> Iterator[Path]:
    """A folder for one measurement."""
    with tempfile.TemporaryDirectory(dir=data, prefix="run-") as folder:
        yield Path(folder)
