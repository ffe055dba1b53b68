"""The demo against the real service, which is killed in its middle and started again: nothing is lost, nothing doubled."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

PATIENCE = 30  # s that a server may take to start


def test_the_counts_hold_though_the_server_is_killed_in_the_middle(tmp_path: Path) -> None:
    port = free_port()
    server = served(tmp_path, port)
    demo = subprocess.Popen(
        [sys.executable, "-m", "indelible", "demo", "--url", f"http://127.0.0.1:{port}", "--journeys", "40", "--rate", "400"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert demo.stderr is not None
        while "events acknowledged" not in (line := demo.stderr.readline()):
            assert line, demo.communicate()
        server.kill()
        server.wait()
        server = served(tmp_path, port)
        table, told = demo.communicate(timeout=60)
    finally:
        for process in (demo, server):
            process.kill()
            process.wait()

    assert demo.returncode == 0, table + told
    assert "events are there, and the four failures were found." in table


def served(data: Path, port: int) -> subprocess.Popen[bytes]:
    """The service as a process of its own, once it answers."""
    command = [sys.executable, "-m", "indelible", "serve", "--data", str(data), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if server.poll() is not None:
            assert server.stderr is not None
            raise AssertionError(f"the server ended with {server.returncode}: {server.stderr.read().decode()}")
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=PATIENCE):
                return server
        except (URLError, ConnectionError):
            time.sleep(0.05)
    server.kill()
    raise AssertionError(f"the server did not answer within {PATIENCE} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
