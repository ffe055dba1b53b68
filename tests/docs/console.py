"""The examples of a page: commands in ```console blocks, run in a shell on a terminal, and what they print held against the page.

`$ ` begins a command, which goes on over lines while a quote is open or a line ends in a backslash. `…` stands for anything in its
line, and alone on a line for any number of lines. The page's server is at 127.0.0.1:8080, the one that is asked at a port of its own.
"""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from served import Server

ROOT = Path(__file__).resolve().parents[2]
PAGES = "127.0.0.1:8080"
RUNS = ("make run", "curl ", "printf ", "echo ", "indelible ", ".venv/bin/indelible ")  # a page shall not get at anything else
STAND_IN = Path(__file__).with_name("curl.py")


class Example(NamedTuple):
    """A command and what the page says that it prints; `line` is the command's, counted from 1."""

    line: int
    command: str
    shown: str


def examples(page: str) -> Iterator[Example]:
    """Every command of the page, in order."""
    inside = False
    line, command, shown = 0, "", ""
    for number, text in enumerate([*page.splitlines(), "```"], 1):
        if inside and command and _is_open(command):
            command += f"\n{text}"
        elif inside and not text.startswith(("$ ", "```")):
            shown += f"{text}\n"
        else:
            if command:
                yield Example(line, command, shown)
            line, command, shown = number, text[2:] if inside and text.startswith("$ ") else "", ""
            inside = text == "```console" or (inside and not text.startswith("```"))


def _is_open(command: str) -> bool:
    try:
        shlex.split(command)
    except ValueError:
        return True
    return False


def matches(shown: str, printed: str) -> bool:
    lines = (r"(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + r"\n" for line in shown.splitlines())
    return re.fullmatch("".join(lines), printed) is not None


class Shell:
    """Runs commands in `folder`; `make run` starts `server`, and what is printed is what stands on the screen in the end."""

    def __init__(self, folder: Path, server: Server, curl: bool | None = None) -> None:
        """`curl`: whether to take the machine's own; by default if it knows --json."""
        self._folder = folder
        self._server = server
        stand_in = folder / "bin"
        stand_in.mkdir()
        if not (has_curl() if curl is None else curl):
            (stand_in / "curl").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(STAND_IN))} "$@"\n')
            (stand_in / "curl").chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not re.match("INDELIBLE_|.*_proxy$", name, re.IGNORECASE)}
        path = os.pathsep.join([str(stand_in), str(Path(sys.executable).parent), kept["PATH"]])
        self._env = {**kept, "PATH": path, "HOME": str(folder), "COLUMNS": "140", "INDELIBLE_URL": server.url}

    def run(self, command: str) -> str:
        """What it prints, a line end after each line."""
        assert command.startswith(RUNS), f"no test may run this: {command}"
        if command.startswith("make run"):
            return self._started()
        master, slave = pty.openpty()
        words = ["sh", "-c", self.own(command).replace(".venv/bin/indelible ", "indelible ")]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, cwd=self._folder, env=self._env)
        os.close(slave)
        pieces = []
        with os.fdopen(master, "rb", buffering=0) as screen, suppress(OSError):  # EIO: nobody is left who could write
            while piece := screen.read(1 << 16):
                pieces.append(piece)
        process.wait()
        return _on_screen(b"".join(pieces).decode())

    def _started(self) -> str:
        self._server.start()
        assert self._server.process and self._server.process.stderr
        said = ""
        for line in self._server.process.stderr:
            said += line
            if '"event":"ready"' in line:
                break
        return said

    def own(self, text: str) -> str:
        """A page's text with the port of this server."""
        return text.replace(PAGES, f"127.0.0.1:{self._server.port}")


def has_curl() -> bool:
    """Whether the machine has a curl that knows --json (7.82)."""
    try:
        return "--json" in subprocess.run(["curl", "--help", "all"], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return False


def _on_screen(text: str) -> str:
    lines = [line.rpartition("\r\x1b[K")[2].rstrip("\r") for line in text.removesuffix("\n").split("\n")]
    return "".join(f"{line}\n" for line in lines) if text else ""


def differences(page: str, shell: Shell) -> list[str]:
    """Runs every example; for each that prints something else than the page shows, its line, what it printed and what is shown."""
    found = []
    for line, command, shown in examples(page):
        printed = shell.run(command)
        if not matches(shell.own(shown), printed):
            found.append(f"line {line}: {command}\nprinted:\n{printed}shown:\n{shown}")
    return found
