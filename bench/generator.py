"""Runs of the load generator, each in a process of its own, and what they acknowledged held against what is there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.client import Failed
from bench.load import Result, Shape
from bench.server import Server


class Sending:
    """A generator at work while the block lasts; it is gone when that ends, however it ends."""

    def __init__(self, shape: Shape) -> None:
        self._most = 2 * shape.timeout  # a generator ends by itself
        flags = [f"--{name}={value}" for name, value in shape._asdict().items()]
        command = [sys.executable, "-m", "bench.load", *flags]
        root = Path(__file__).parents[1]
        self._process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def going_on(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> Result:
        """Let it begin no more requests, and take what it has reached. Raises Failed."""
        self._process.send_signal(signal.SIGTERM)
        return self.result()

    def result(self) -> Result:
        """Wait for its end. Raises Failed."""
        said, complained = self._process.communicate(timeout=self._most)
        if self._process.returncode:
            raise Failed(complained.strip())
        return Result(**json.loads(said))


def send(server: Server, batch: int, connections: int, events: int, **more: Any) -> Result:
    """A run from begin to end; `more` as in load.Shape. Raises Failed."""
    with Sending(Shape(server.port, batch, connections, events, **more)) as sending:
        return sending.result()


def confirm(server: Server, acknowledged: int, log: str = "") -> float:
    """Seconds until the log's count was answered with the number of acknowledged events. Raises Failed if it is another."""
    path = f"/v1/logs/{log}/count" if log else "/v1/count"
    answer, seconds = server.ask(path)
    if answer["count"] != acknowledged or not answer.get("complete", True):
        raise Failed(f"{acknowledged} events were acknowledged, and {path} says {answer}")
    return seconds
