"""One process a service: each sends its own source's share of the traffic, and one pipe tells the parent how far they are."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from msgspec import Struct
from msgspec.json import decode, encode

from indelible.client import Client
from indelible.demo.services import SOURCES, share
from indelible.demo.traffic import Traffic
from indelible.errors import IndelibleError

MOST = 500  # events a request
TICK = 0.1  # s that due events wait for company
_TOLD = 3  # exit status of a process whose last report says why
_GRACE = 5.0  # s between asking a process to end and ending it

Due = tuple[int, str, bytes]  # place in the whole traffic, type, the event
Sent = Counter[tuple[str, str]]  # (source, type) → acknowledged events


class Task(Struct, frozen=True):
    """What one process has to do. `rate` is events/s of all processes together, 0: as fast as it goes; `begun` s since 1970."""

    source: str
    traffic: Traffic
    url: str
    patience: float
    rate: float
    begun: float


class Report(Struct, frozen=True):
    """What a process tells after each request: events acknowledged since its last report, or why it ends."""

    source: str
    sent: dict[str, int] = {}
    failed: str = ""


def run(traffic: Traffic, url: str, patience: float, rate: float, progress: Callable[[int], None]) -> Sent:
    """Send the whole traffic and return what was acknowledged. `progress` is called with their number, at least once a second.

    Raises IndelibleError as soon as one process fails. However this ends, no process is left behind.
    """
    begun = time.time()
    tasks = [Task(source, traffic, url, patience, rate, begun) for source in SOURCES]
    sent: Sent = Counter()
    with _started(tasks) as (processes, pipe):
        for report in _reports(pipe):
            if report is None:
                _all_well(processes, but=_TOLD)  # that one's report is on its way
            elif report.failed:
                raise IndelibleError(f"{report.source} gave up: {report.failed}")
            else:
                sent.update({(report.source, type_): number for type_, number in report.sent.items()})
            progress(sent.total())
        for process in processes.values():
            process.wait()
        _all_well(processes)
    return sent


def forward(task: Task, tell: Callable[[Report], object]) -> None:
    """What one process does: send its share, batch by batch, each until it is acknowledged."""
    with Client(task.url, patience=task.patience) as client:
        for batch in batches(share(task.traffic, task.source), task.rate, task.begun):
            client.send([event for _, _, event in batch])
            tell(Report(task.source, dict(Counter(type_ for _, type_, _ in batch))))


def batches(
    events: Iterable[Due],
    rate: float,
    begun: float,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[list[Due]]:
    """The events in lists of at most 500, none before it is due: event n of the whole traffic is due n / rate s after `begun`."""
    waiting: list[Due] = []
    for event in events:
        early = begun + event[0] / rate - now() if rate else 0
        if waiting and (early > 0 or len(waiting) == MOST):
            yield waiting
            waiting = []
            early = begun + event[0] / rate - now() if rate else 0
        if early > 0:
            sleep(max(early, TICK))
        waiting.append(event)
    if waiting:
        yield waiting


@contextmanager
def _started(tasks: Iterable[Task]) -> Iterator[tuple[dict[str, subprocess.Popen[bytes]], int]]:
    """The running processes by source, and the pipe that all of them report through: at its end none is left."""
    reading, writing = os.pipe()
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for task in tasks:
            # a session of its own: Ctrl-C reaches the parent alone, which then ends them all
            command = [sys.executable, "-m", "indelible.demo.processes", encode(task).decode()]
            processes[task.source] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=writing, start_new_session=True)
        os.close(writing)
        writing = -1
        yield processes, reading
    finally:
        if writing >= 0:
            os.close(writing)
        _stop(processes.values())
        os.close(reading)


def _stop(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()  # does nothing to one that has ended
    for process in processes:
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _reports(pipe: int) -> Iterator[Report | None]:
    """What the processes tell until the last has ended; None between two looks at the pipe, at least once a second."""
    rest = b""
    while True:
        yield None
        if not select.select([pipe], [], [], 1.0)[0]:
            continue
        text = os.read(pipe, 1 << 16)
        if not text:
            return
        *lines, rest = (rest + text).split(b"\n")
        for line in lines:
            yield decode(line, type=Report)


def _all_well(processes: dict[str, subprocess.Popen[bytes]], but: int = 0) -> None:
    for source, process in processes.items():
        if process.poll() not in (None, 0, but):
            raise IndelibleError(f"the process of {source} died with status {process.returncode}; what it had sent is kept")


def _main(argument: str) -> int:
    task = decode(argument.encode(), type=Task)

    def tell(report: Report) -> None:
        os.write(1, encode(report) + b"\n")  # whole or not at all: shorter than PIPE_BUF

    try:
        forward(task, tell)
    except IndelibleError as error:
        with suppress(OSError):
            tell(Report(task.source, failed=error.detail[:1000]))
        return _TOLD
    except BrokenPipeError:  # the parent is gone
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
