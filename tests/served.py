"""The real service as a process of its own, on a free port of this machine, to be killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from msgspec.json import decode

PATIENCE = 30  # s that a start may take


class Server:
    """Started by `start`, ended by `kill` or `stop`; the port stays the same."""

    def __init__(self, data: Path, command: tuple[str, ...] = ("-m", "indelible"), **variables: str) -> None:
        self.data = data
        self.command = command
        self.port = free_port()
        self.variables = variables
        self.process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def spawn(self) -> subprocess.Popen[str]:
        """A process that may refuse to start."""
        command = [sys.executable, *self.command, "serve", "--data", str(self.data), "--port", str(self.port)]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("INDELIBLE_")}
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**clean, "INDELIBLE_RESERVE": "0", **self.variables})

    def start(self) -> None:
        """Return once it is ready."""
        if not self.begin():
            raise AssertionError("the server ended with {}: {}".format(*self.reap()))

    def begin(self) -> bool:
        """Whether it became ready; False if it has ended before that."""
        self.process = self.spawn()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                return False
            try:
                if self.get("/readyz")[0] == 200:
                    return True
            except (OSError, HTTPException):
                pass
            time.sleep(0.02)
        raise AssertionError(f"the server was not ready within {PATIENCE} s")

    def kill(self) -> None:
        """SIGKILL: nothing is finished, nothing is closed."""
        assert self.process
        self.process.kill()
        self.reap()

    def stop(self) -> tuple[int, str]:
        """SIGTERM; its exit status and what it said."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        return self.reap()

    def reap(self) -> tuple[int, str]:
        """Its exit status once it has ended, and what it said."""
        assert self.process
        _, said = self.process.communicate(timeout=PATIENCE)
        status, self.process = self.process.returncode, None
        return status, said

    def get(self, target: str) -> tuple[int, Any]:
        status, answer = self.read(target)
        return status, decode(answer)

    def read(self, target: str) -> tuple[int, bytes]:
        """As `get`, for an answer that is no JSON or is decoded by the caller."""
        return self.ask("GET", target)

    def post(self, lines: list[bytes]) -> tuple[int, Any]:
        """NDJSON; the status and the answer. Raises OSError if none came."""
        body = b"".join(line + b"\n" for line in lines)
        status, answer = self.ask("POST", "/v1/events", body, {"Content-Type": "application/x-ndjson"})
        return status, decode(answer)

    def ask(self, method: str, target: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        """The status and the body. Raises OSError if no answer came."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, target, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextmanager
def server(data: Path, command: tuple[str, ...] = ("-m", "indelible"), **variables: str) -> Iterator[Server]:
    """A server that is ready, and gone at the end."""
    made = Server(data, command, **variables)
    try:
        made.start()
        yield made
    finally:
        if made.process:
            made.process.kill()
            made.process.communicate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
