"""What is measured with a reader: the first read, warm ones, reads while events come in, and the start that comes before them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import Any

from bench.client import Failed
from bench.events import KINDS, actor_of, id_of, type_of
from bench.generator import Sending, confirm, send
from bench.load import Result, Shape
from bench.rows import BATCHES, NO_READER, Rows
from bench.server import Server, indelible_server
from bench.writing import each, scratch

REPEATS = 20  # of each warm question, with another value every time
ACTORS = 1000
_EVERY = 1.0  # s between two readings while events come in


def trail(data: Path, scale: int) -> Rows:
    """1,000,000 events in batches of 1,000, the memory that nobody's reading costs, then reads, then a start with all of them."""
    events = 1_000_000 // scale
    rows: Rows = {}
    with scratch(data) as folder:
        with indelible_server(folder) as server:
            result = send(server, 1000, 4, events)
            rows[BATCHES] = result.rate
            rows["… server, processor"] = each(server.cpu(), result)
            rows["… generator, processor"] = each(result.cpu, result)
            rows["resident, nothing read yet"] = server.resident()
            rows["first read"] = confirm(server, result.acknowledged)
            rows |= _warm(server, events)
        with indelible_server(folder) as server:
            rows["start, all sent in batches"] = server.started
            confirm(server, result.acknowledged)
    return rows


def frames(data: Path, scale: int) -> Rows:
    """A start with 1,000,000 events that came one by one. Their journal is written directly: sending them would take minutes."""
    events = 1_000_000 // scale
    with scratch(data) as folder:
        command = [sys.executable, "-m", "bench.frames", "--data", str(folder / "trail"), "--events", str(events)]
        done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(done.stderr.strip())
        with indelible_server(folder) as server:
            confirm(server, events)
            return {"start, a frame an event (written directly)": server.started}


def reads(data: Path, scale: int) -> Rows:
    """Events as fast as they go, with nobody reading, then with a count and the last 100 of an actor every second."""
    events = 2_000_000 // scale
    with scratch(data) as folder, indelible_server(folder) as server:
        alone = send(server, 1000, 4, events)
        confirm(server, alone.acknowledged)
    with scratch(data) as folder, indelible_server(folder) as server:
        result, taken = _read_meanwhile(server, events)
        confirm(server, result.acknowledged)
    return {
        NO_READER: alone.rate,
        "batches of 1,000 × 4, a read a second": result.rate,
        "… lost to the reader": max(0.0, 100 - 100 * result.rate / alone.rate),
        "… a read meanwhile, p50": median(taken),
        "… a read meanwhile, p99": sorted(taken)[int(0.99 * (len(taken) - 1))],
    }


def _read_meanwhile(server: Server, events: int) -> tuple[Result, list[float]]:
    """What the generator reached, and the seconds of each read. Raises Failed for an answer that cannot be right."""
    taken: list[float] = []
    seen = 0
    with Sending(Shape(server.port, events=events)) as sending:
        due = monotonic()
        while sending.going_on:
            answer, counting = server.ask("/v1/count")
            if not seen <= answer["count"] <= events:
                raise Failed(f"/v1/count says {answer} after {seen}, of {events} that are sent")
            seen = answer["count"]
            actor = actor_of(len(taken) * 37)
            page, paging = server.ask(f"/v1/events?actor.id={actor}&limit=100")
            found = [event["actor"]["id"] for event in page["events"]]
            if not page["complete"] or found != [actor] * min(100, len(found)) or len(found) < min(100, seen // (2 * ACTORS)):
                raise Failed(f"{len(found)} events of {actor} are found among {seen}")
            taken += (counting, paging)
            due += _EVERY
            sleep(max(0.0, due - monotonic()))
        return sending.result(), taken


def _warm(server: Server, events: int) -> Rows:
    """Questions to a server that has loaded its tail, milliseconds, median. Raises Failed for a wrong answer."""
    chosen = [events // (REPEATS + 1) * place + place for place in range(1, REPEATS + 1)]

    def by_id(number: int, answer: Any) -> bool:
        return bool(answer["id"] == id_of(number) and answer["record"]["id"] == id_of(number))

    def of_actor(number: int, answer: Any) -> bool:
        found = [one["actor"]["id"] for one in answer["events"]]
        return found == [actor_of(number)] * min(100, events // ACTORS)

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
