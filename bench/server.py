"""A server under test: a process of its own, started, asked and ended by its own id."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from time import monotonic, perf_counter, sleep
from types import TracebackType
from typing import Any, Self

import indelible
from bench.client import Failed
from bench.processes import family, total

HOST = "127.0.0.1"
PATIENCE = 120.0  # s for a start, an end or an answer: the first read loads the tail


class Server:
    """`command --port …` in `folder`, ready when the block begins and gone with all its processes when it ends.

    `started` is how many seconds it took from the process's start to the first 200 of `ready`. Raises Failed, with what the
    process said, if that does not come or the end is not clean.
    """

    def __init__(self, command: Sequence[str], folder: Path, ready: str, environment: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        self._asking: http.client.HTTPConnection | None = None
        self._log = folder / "server.log"
        begun = perf_counter()
        with self._log.open("ab") as log:
            command = [*command, "--port", str(self.port)]
            environment = {**_environment(), **(environment or {})}
            # Its own session: Ctrl-C reaches this program alone, which then ends each process it started.
            self._process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            self._await(ready)
        except BaseException:
            self._end()
            raise
        self.started = perf_counter() - begun
        self._before = self._cpu()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._asking is not None:
            self._asking.close()
        code = self._end()
        if code and kind is None:
            raise Failed(f"the server ended with {code}: {self._said()}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, path: str) -> tuple[Any, float]:
        """The JSON that a GET is answered with, and the seconds until all of it was there. Raises Failed unless it is a 200."""
        body, seconds = self.read(path)
        return json.loads(body), seconds

    def read(self, path: str) -> tuple[bytes, float]:
        """The same for any body."""
        if self._asking is None:
            self._asking = http.client.HTTPConnection(HOST, self.port, timeout=PATIENCE)
        begun = perf_counter()
        self._asking.request("GET", path)
        answer = self._asking.getresponse()
        body = answer.read()
        seconds = perf_counter() - begun
        if answer.status != 200:
            raise Failed(f"GET {path} was answered with {answer.status}: {body[:300].decode('utf-8', 'replace')}")
        return body, seconds

    def resident(self) -> float | None:
        """Memory in MB (10 ** 6 bytes) that its processes hold now, each counted alone; None where there is no /proc."""
        return total(stat.resident for stat in family(self.pid))

    def cpu(self) -> float | None:
        """Seconds of processor that its processes have used since it was ready; None where there is no /proc."""
        used = self._cpu()
        return None if used is None or self._before is None else used - self._before

    def _cpu(self) -> float | None:
        return total(stat.cpu for stat in family(self.pid))

    def _await(self, ready: str) -> None:
        deadline = monotonic() + PATIENCE
        while monotonic() < deadline:
            if self._process.poll() is not None:
                raise Failed(f"the server did not start: {self._said()}")
            try:
                connection = http.client.HTTPConnection(HOST, self.port, timeout=PATIENCE)
                connection.request("GET", ready)
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            finally:
                connection.close()
            sleep(0.01)
        raise Failed(f"the server was not ready after {PATIENCE:.0f} s: {self._said()}")

    def _end(self) -> int:
        """Its exit status, after SIGTERM and, if that does not end it, SIGKILL."""
        self._process.terminate()
        try:
            return self._process.wait(PATIENCE / 2)
        except subprocess.TimeoutExpired:
            return -signal.SIGKILL
        finally:  # a second Ctrl-C too leaves nothing behind
            with suppress(OSError):  # nobody is left
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def _said(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


def indelible_server(folder: Path, *flags: str) -> Server:
    """Indelible with its default settings but for `flags`; the trail lies in `folder`/trail, where the next one started finds it."""
    return Server(_python("indelible", "serve", "--data", str(folder / "trail"), "--host", HOST, *flags), folder, "/readyz")


def discarding_server(folder: Path) -> Server:
    """What forgets everything (discard.py), under uvicorn set as Indelible sets it."""
    return Server(_python("bench.discard"), folder, "/readyz")


@cache
def offered(flag: str) -> bool:
    """Whether `indelible serve` has this flag."""
    told = subprocess.run(_python("indelible", "serve", "--help"), env=_environment(), capture_output=True, text=True, check=True)
    return f"{flag} " in told.stdout


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def _python(*words: str) -> list[str]:
    return [sys.executable, "-m", *words]


def _environment() -> dict[str, str]:
    """This one's without settings of Indelible, so that defaults are measured, and with this very source of it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("INDELIBLE_")}
    roots = [Path(indelible.__file__).parents[1], Path(__file__).parents[1]]
    return {**kept, "PYTHONPATH": os.pathsep.join(map(str, roots))}
