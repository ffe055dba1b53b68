"""`make bench`, or `python -m bench`: how fast Indelible is on this machine.

    make bench                       1,000,000 events a row, median of 3 runs, about five minutes
    make bench ARGS=--quick          a tenth of the events, one run: to see whether a change helps
    make bench ARGS="--only batches" some rows alone

One shape against a server that already runs: `python -m bench.load --port 8080 --batch 1000 --connections 4 --events 1000000`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.load import Failed, Result
from bench.server import Server, indelible_server

SHAPES = ((1000, 4, 1_000_000), (100, 4, 300_000), (10, 16, 100_000), (1, 64, 60_000))


def send(server: Server, batch: int, connections: int, events: int) -> Result:
    """A run of the generator, in its own process. Raises Failed."""
    shape = {"port": server.port, "batch": batch, "connections": connections, "events": events}
    command = [sys.executable, "-m", "bench.load", *(f"--{name}={value}" for name, value in shape.items())]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False, timeout=400)
    if done.returncode:
        raise Failed(done.stderr.strip())
    return Result(**json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, default=Path(".bench-data"))
    given = parser.parse_args()
    given.data.mkdir(exist_ok=True)
    for batch, connections, events in SHAPES:
        with tempfile.TemporaryDirectory(dir=given.data.resolve()) as folder, indelible_server(Path(folder)) as server:
            result = send(server, batch, connections, events // (10 if given.quick else 1))
            print(batch, connections, result, "server cpu", server.cpu(), "MB", server.resident(), flush=True)


if __name__ == "__main__":
    main()
