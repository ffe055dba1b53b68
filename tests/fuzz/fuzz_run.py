"""`make fuzz`: the long form. Requests against a real server, the contract of the OpenAPI document, and the parsers, coverage-guided.

make fuzz                        100,000 requests, a tenth as many by contract, a minute for each parser: ten minutes, more or less
make fuzz COUNT=5000 SEED=7      fewer, and the same ones again
"""

from __future__ import annotations

import argparse
import importlib.util
import secrets
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from fuzz_client import Wrong
from fuzz_parsers import TARGETS
from fuzz_server import PATIENT, fuzz, resident
from served import server

HERE = Path(__file__).parent


def main() -> None:
    given = _arguments()
    print(f"seed {given.seed}: make fuzz SEED={given.seed} COUNT={given.count} repeats it", flush=True)
    try:
        _requests(given.count, given.seed)
        _contract(given.count // 10, given.seed)
    except Wrong as wrong:
        sys.exit(f"fuzz: {wrong}")
    _parsers(given.seconds, given.seed)
    print("nothing was found")


def _requests(count: int, seed: int) -> None:
    with TemporaryDirectory() as folder, server(Path(folder), **PATIENT) as service:
        begun = monotonic()

        def tell(done: int, statuses: Counter[int]) -> None:
            print(f"{done:,} of {count:,} requests, {monotonic() - begun:.0f} s, {resident(service) >> 20} MiB", flush=True)

        statuses = fuzz(service, count, seed, tell)
        print(", ".join(f"{status}: {times:,}" for status, times in sorted(statuses.items())), flush=True)


def _contract(count: int, seed: int) -> None:
    from fuzz_contract import contract

    with TemporaryDirectory() as folder, server(Path(folder)) as service:
        operations = contract(service.url, count, seed)
        print(f"{count:,} requests to {operations} operations keep what the OpenAPI document promises", flush=True)


def _parsers(seconds: int, seed: int) -> None:
    """Each in a process of its own: the fuzzer ends it where something is found, and prints the bytes."""
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed here: the parsers are left to the tests")
        return
    for name in TARGETS:
        # A unit of a second is a stall; 1 GiB is growth.
        limits = [f"-max_total_time={seconds}", f"-seed={seed % 2**32}", "-timeout=10", "-rss_limit_mb=1024", "-max_len=4096"]
        with TemporaryDirectory() as folder:
            command = [sys.executable, str(HERE / "fuzz_parsers.py"), name, *limits, "-print_final_stats=1"]
            done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, errors="replace")
        if done.returncode:
            sys.exit(f"fuzz: {name} of fuzz_parsers.py, seed {seed}:\n{done.stderr[-4000:]}{done.stdout[-2000:]}")
        runs = done.stderr.partition("number_of_executed_units:")[2].split() or ["?"]
        print(f"{name}: {runs[0]} inputs in {seconds} s", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz", description="Look for what no test thought of.")
    parser.add_argument("--count", type=int, default=100_000, help="requests")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--seconds", type=int, default=30, help="for each parser")
    return parser.parse_args()


if __name__ == "__main__":
    main()
