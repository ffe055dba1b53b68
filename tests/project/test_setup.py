"""Setting up happens once, again when the lock changes, and never by half; a Python that cannot do it is told what would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from project_files import ROOT

# Stands for Python and for the environment's Python: notes what it was asked, fails where a file says so.
STUB = """#!/bin/sh
[ "$1" = -c ] || [ "$1" = --version ] || echo "$*" >> calls
case "$*" in
    --version) cat version ;;
    "-m venv "*)
        mkdir -p .venv/bin; cp "$0" .venv/bin/python
        printf '#!/bin/sh\\necho "serving $*"\\n' > .venv/bin/indelible; chmod +x .venv/bin/indelible ;;
    *fuzz_run*|*long.py*) echo "$PYTHONPATH" > path ;;
    *requirements*) test ! -e no-network ;;
    *version_info*) test ! -e too-old ;;
    *ensurepip*) test ! -e no-venv ;;
esac
"""


class Machine:
    """A folder with the project's Makefile and locks, and a Python that does nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copy(ROOT / "Makefile", folder)
        shutil.copytree(ROOT / "requirements", folder / "requirements")
        (folder / "version").write_text("Python 3.12.1\n")
        (folder / "python").write_text(STUB)
        (folder / "python").chmod(0o755)

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["make", f"PYTHON={self.folder / 'python'}", *arguments]
        return subprocess.run(command, cwd=self.folder, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)

    def set_ups(self) -> int:
        """How often an environment was made from nothing."""
        calls = self.folder / "calls"
        return calls.read_text().count("-m venv --clear .venv\n") if calls.exists() else 0


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_first_run_sets_up_and_the_second_only_serves(machine: Machine) -> None:
    assert machine.make("run").stdout.endswith("serving serve --data ./data --host 127.0.0.1 --port 8080\n")
    calls = (machine.folder / "calls").read_text()
    assert machine.make("run", "PORT=9000").stdout.endswith("serving serve --data ./data --host 127.0.0.1 --port 9000\n")
    assert (machine.folder / "calls").read_text() == calls


def test_an_environment_that_was_interrupted_is_made_anew(machine: Machine) -> None:
    (machine.folder / "no-network").touch()
    assert machine.make("run").returncode != 0
    assert machine.make("run").returncode != 0
    (machine.folder / "no-network").unlink()
    assert machine.make("run").returncode == 0
    assert machine.set_ups() == 3


@pytest.mark.parametrize("changed", ["requirements/server.txt", "version"])
def test_another_lock_or_another_python_makes_it_anew(machine: Machine, changed: str) -> None:
    machine.make("run")
    (machine.folder / changed).write_text("Python 3.13.0\n")
    assert machine.make("run").returncode == 0
    assert machine.set_ups() == 2


def test_touching_the_lock_changes_nothing(machine: Machine) -> None:
    machine.make("run")
    (machine.folder / "requirements/server.txt").touch()
    machine.make("run")
    assert machine.set_ups() == 1


def test_the_tests_add_to_the_environment_that_serves(machine: Machine) -> None:
    machine.make("run")
    machine.make("test")  # the stub has no ruff: only the set-up counts here
    calls = (machine.folder / "calls").read_text()
    assert machine.set_ups() == 1
    assert calls.rstrip().endswith("--require-hashes --only-binary :all: -r requirements/dev.txt")


@pytest.mark.parametrize("target", ["fuzz", "torture"])
def test_what_starts_other_processes_gives_them_a_path_that_holds_in_every_folder(target: str, machine: Machine, tmp_path: Path) -> None:
    """The fuzzer of the parsers runs in a folder of its own, and imports what lies beside it in tests."""
    assert machine.make(target).returncode == 0
    path = Path((machine.folder / "path").read_text().strip())
    assert path == machine.folder / "tests"
    parsers = ROOT / "tests/fuzz/fuzz_parsers.py"
    command = [sys.executable, "-c", f"import runpy; runpy.run_path({str(parsers)!r})"]
    for given, ends in ((ROOT / path.name, 0), (path.name, 1)):
        environment = {"PYTHONPATH": os.pathsep.join(map(str, (given, parsers.parent))), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == ends, done.stderr


def test_the_example_of_a_part_of_the_tests_has_tests() -> None:
    [path, word] = re.findall(r'TESTS="(\S+) -k (\w+)"', (ROOT / "Makefile").read_text())[0]
    names = [name for file in (ROOT / path).glob("test_*.py") for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)]
    assert any(word in name for name in names)


@pytest.mark.parametrize(("lack", "fix"), [("too-old", "needs CPython 3.11 or later"), ("no-venv", "apt install python3-venv")])
def test_a_python_that_cannot_do_it_is_told_the_fix(machine: Machine, lack: str, fix: str) -> None:
    (machine.folder / lack).touch()
    refused = machine.make("run")
    assert refused.returncode != 0
    assert fix in refused.stderr
    assert "PYTHON=/path/to/python" in refused.stderr
    assert machine.set_ups() == 0
