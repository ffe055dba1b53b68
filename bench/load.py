"""The load generator: a process of its own that costs little, for it shares the machine with what it measures.

    python -m bench.load --port 8080 --batch 1000 --connections 4 --events 1000000

Requests are written from forms that were made before the clock starts, sockets do not block, and of an answer only the status, the
length and the first receipts are read. Prints one line of JSON (Result), also after a SIGTERM: it then begins nothing new and waits
for what is under way. Ends with 1, and says why on stderr, as soon as an answer has another status than it should, does not
acknowledge every event of its request, or does not come.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import select
import signal
import sys
from array import array
from collections.abc import Iterator
from itertools import count
from time import perf_counter, sleep
from typing import NamedTuple

from bench.api import APIS
from bench.client import BATCHES, Client, Failed
from bench.events import DIGITS, span

_GATHER = 1e-4  # s between two looks at many clients: waking up for each answer costs the server's cores more than this delay


class Shape(NamedTuple):
    """What is sent to whom. `first`: the number that events are counted from, so that two generators send different ones."""

    port: int
    batch: int = 1000
    connections: int = 4
    events: int = 1_000_000
    first: int = 0
    logs: int = 0  # so many (log-0000, log-0001, …) in turn, for batches of 1,000 or more; 0: the log without a name
    api: str = "indelible"
    timeout: float = 300.0  # s


class Result(NamedTuple):
    """What became of a run. Latencies in milliseconds, from a request's first byte to its answer's last; `cpu` in seconds."""

    acknowledged: int
    requests: int
    seconds: float
    rate: float  # events a second
    p50: float
    p99: float
    worst: float
    cpu: float  # of the generator itself


class Run:
    """A run that has connected, and sends nothing before `drive`."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._most = shape.events // shape.batch  # requests
        self._clients: list[Client] = []
        width, blocks = span(shape.batch), dict[int, Iterator[int]]()
        try:
            for place in range(min(shape.connections, self._most)):
                lane = place * shape.batch % width
                numbers = blocks.setdefault(lane, count(shape.first // width))
                self._clients.append(Client(shape.port, APIS[shape.api], shape.batch, lane, numbers, shape.logs))
        except BaseException:
            self._close()
            raise

    def stop(self) -> None:
        """Begin no more requests."""
        self._most = 0

    def drive(self) -> Result:
        """Send what was asked for and wait for every receipt. Raises Failed, also when the time is up."""
        gc.collect()
        gc.disable()
        before, start = _cpu(), perf_counter()
        try:
            latencies = self._drive(start + self._shape.timeout)
        finally:
            gc.enable()
            self._close()
        seconds, cpu = perf_counter() - start, _cpu() - before
        return _result(latencies, self._shape.batch, seconds, cpu)

    def _drive(self, deadline: float) -> array[float]:
        """Every request's latency in seconds."""
        latencies = array("d")
        poller, unit = (select.epoll(), 1) if hasattr(select, "epoll") else (select.poll(), 1000)
        by_file = {client.socket.fileno(): client for client in self._clients}
        for file, client in by_file.items():
            poller.register(file, select.POLLIN if client.begin() else select.POLLOUT)
        begun = len(by_file)
        pause = _GATHER if begun > 8 else 0.0
        while len(latencies) < begun:
            if pause:
                sleep(pause)
            ready = poller.poll(unit * max(0.0, deadline - perf_counter()))
            if not ready or perf_counter() > deadline:
                raise Failed(f"the time is up after {len(latencies)} of {self._most} answers")
            for file, event in ready:
                client = by_file[file]
                if event == select.POLLOUT:
                    if client.go_on():
                        poller.modify(file, select.POLLIN)
                elif client.receive():
                    latencies.append(perf_counter() - client.begun)
                    if begun < self._most:
                        begun += 1
                        if not client.begin():
                            poller.modify(file, select.POLLOUT)
        return latencies

    def _close(self) -> None:
        for client in self._clients:
            client.socket.close()


def _result(latencies: array[float], batch: int, seconds: float, cpu: float) -> Result:
    ordered = sorted(latencies)
    events = len(ordered) * batch

    def at(share: float) -> float:
        return round(1000 * ordered[int(share * (len(ordered) - 1))], 3)

    return Result(events, len(ordered), round(seconds, 3), round(events / seconds, 1), at(0.5), at(0.99), at(1), round(cpu, 3))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    shape = _arguments()
    try:
        run = Run(shape)
        signal.signal(signal.SIGTERM, lambda *_: run.stop())
        result = run.drive()
    except (Failed, OSError) as error:
        sys.exit(f"bench.load: {error}")
    print(json.dumps(result._asdict()))


def _arguments() -> Shape:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description="Send events and measure how fast they are acknowledged.")
    parser.add_argument("--port", type=int, default=8080)
    for name, default in Shape._field_defaults.items():
        parser.add_argument(f"--{name}", type=type(default), default=default, choices={"batch": BATCHES, "api": APIS}.get(name))
    shape = Shape(**vars(parser.parse_args()))
    if shape.logs and shape.batch < 1000:
        parser.error("--logs spreads batches of 1000 or 10000")
    if shape.first % span(shape.batch) or shape.first + shape.events > 10**DIGITS:
        parser.error(f"--first must be a multiple of {span(shape.batch)}, and no number has more than {DIGITS} digits")
    return shape


if __name__ == "__main__":
    main()
