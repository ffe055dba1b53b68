"""The measurements: each starts its own server on an empty directory, and what was acknowledged is held against what is there."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench import parts
from bench.events import KINDS, actor_of, id_of, type_of
from bench.load import Failed, Result
from bench.server import Server, discarding_server, indelible_server

REPEATS = 20  # of each warm question, with another value every time
_MOST = 300  # s for one run of the generator

Rows = dict[str, float | None]


def send(server: Server, batch: int, connections: int, events: int) -> Result:
    """A run of the generator, in a process of its own. Raises Failed."""
    shape = {"port": server.port, "batch": batch, "connections": connections, "events": events, "timeout": _MOST}
    command = [sys.executable, "-m", "bench.load", *(f"--{name}={value}" for name, value in shape.items())]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False, timeout=2 * _MOST)
    if done.returncode:
        raise Failed(done.stderr.strip())
    return Result(**json.loads(done.stdout))


def confirm(server: Server, acknowledged: int) -> float:
    """Seconds until /v1/count has answered with the number of acknowledged events. Raises Failed if it is another."""
    answer, seconds = server.ask("/v1/count")
    if answer != {"count": acknowledged}:
        raise Failed(f"{acknowledged} events were acknowledged, and /v1/count says {answer}")
    return seconds


def trail(data: Path, scale: int) -> Rows:
    """1,000,000 events in batches of 1,000, the memory that nobody's reading costs, then reads, then a start with all of them."""
    events = 1_000_000 // scale
    rows: Rows = {}
    with _folder(data) as folder:
        with indelible_server(folder) as server:
            result = send(server, 1000, 4, events)
            rows["batches of 1,000 × 4"] = result.rate
            rows["… server, processor"] = _each(server.cpu(), result)
            rows["… generator, processor"] = _each(result.cpu, result)
            rows["resident, nothing read yet"] = server.resident()
            rows["first read"] = confirm(server, result.acknowledged)
            rows |= _warm(server, events)
        with indelible_server(folder) as server:
            rows["start with the trail"] = server.started
            confirm(server, result.acknowledged)
    return rows


def batches(data: Path, scale: int) -> Rows:
    """Smaller batches: what an agent sends that waits a moment, and what a busy service sends."""
    rows: Rows = {}
    for batch, connections, events in ((100, 4, 300_000), (10, 16, 100_000)):
        with _folder(data) as folder, indelible_server(folder) as server:
            result = send(server, batch, connections, events // scale)
            confirm(server, result.acknowledged)
            rows[f"batches of {batch} × {connections}"] = result.rate
    return rows


def singles(data: Path, scale: int) -> Rows:
    """One event a request: what most services send."""
    with _folder(data) as folder, indelible_server(folder) as server:
        result = send(server, 1, 64, 60_000 // scale)
        cpu = server.cpu()
        confirm(server, result.acknowledged)
    return {
        "singles × 64": result.rate,
        "singles, p50": result.p50,
        "singles, p99": result.p99,
        "singles, server, processor": _each(cpu, result),
        "singles, generator, processor": _each(result.cpu, result),
    }


def alone(data: Path, scale: int) -> Rows:
    """The parts."""
    with _folder(data) as folder:
        rows: Rows = {**parts.decoding(500 // scale), **parts.syncing(folder, 100)}
        for name, batch, connections, events in (("batches of 1,000 × 4", 1000, 4, 2_000_000), ("singles × 64", 1, 64, 60_000)):
            with discarding_server(folder) as server:
                result = send(server, batch, connections, events // scale)
                confirm(server, result.acknowledged)
            rows[f"discarding server, {name}"] = result.rate
    return rows


MEASUREMENTS: dict[str, Callable[[Path, int], Rows]] = {"trail": trail, "batches": batches, "singles": singles, "parts": alone}


def _warm(server: Server, events: int) -> Rows:
    """Questions to a server that has loaded its tail, milliseconds, median. Raises Failed for a wrong answer."""
    chosen = [events // (REPEATS + 1) * place + place for place in range(1, REPEATS + 1)]

    def by_id(number: int, answer: Any) -> bool:
        return bool(answer["id"] == id_of(number) and answer["record"]["id"] == id_of(number))

    def of_actor(number: int, answer: Any) -> bool:
        found = [one["actor"]["id"] for one in answer["events"]]
        return found == [actor_of(number)] * min(100, events // 1000)

    def of_type(number: int, answer: Any) -> bool:
        return bool(answer["count"] == events // len(KINDS))

    return {
        "by id, warm": _asked(server, lambda number: f"/v1/events/{id_of(number)}", by_id, chosen),
        "last 100 of an actor, warm": _asked(server, lambda number: f"/v1/events?actor.id={actor_of(number)}&limit=100", of_actor, chosen),
        "count of a type, warm": _asked(server, lambda number: f"/v1/count?type={type_of(number)}", of_type, chosen),
    }


def _asked(server: Server, question: Callable[[int], str], right: Callable[[int, Any], bool], numbers: list[int]) -> float:
    taken = []
    for number in [numbers[-1], *numbers]:  # the first one warms up
        answer, seconds = server.ask(question(number))
        if not right(number, answer):
            raise Failed(f"{question(number)} was answered with {str(answer)[:300]}")
        taken.append(seconds)
    return 1000 * median(taken[1:])


def _each(cpu: float | None, result: Result) -> float | None:
    """Microseconds an event."""
    return None if cpu is None else 1e6 * cpu / result.acknowledged


@contextmanager
def _folder(data: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=data, prefix="run-") as folder:
        yield Path(folder)
