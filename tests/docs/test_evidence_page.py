"""docs/evidence.md works as printed, after the README's own events: asking, handing over, checking with the program and by hand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from console import ROOT, Shell, differences, examples, matches
from served import server

from indelible.cli.main import EXITS

PAGE = (ROOT / "docs/evidence.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOOLS = ("openssl", "sha256sum", "base64", "od", "sed")
MISSING = [tool for tool in TOOLS if not shutil.which(tool)]


def block(kind: str) -> str:
    [found] = re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the page was followed: `differs` says what it shows otherwise."""
    made = tmp_path_factory.mktemp("page")
    with server(made / "data") as served:
        shell = Shell(made, served)
        [stored] = [command for _, command, _ in examples(README) if command.startswith("curl --json")]
        assert '"stored":4' in shell.run(stored)
        (made / "differs").write_text("\n".join(differences(PAGE, shell)))
        yield made


def test_every_example_prints_what_it_shows(folder: Path) -> None:
    assert (folder / "differs").read_text() == ""
    assert {path.name for path in folder.glob("*.zip")} == {"case.zip", "whole.zip", "none.zip"}


@pytest.mark.skipif(bool(MISSING), reason=f"this machine lacks {MISSING}")
def test_the_check_by_hand_prints_what_it_shows(folder: Path) -> None:
    bin = folder / "hands"
    bin.mkdir()
    if not shutil.which("unzip"):
        (bin / "unzip").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m zipfile -e "$2" "$4"\n')
        (bin / "unzip").chmod(0o755)
    ran = subprocess.run(
        ["sh", "-ec", block("sh")],
        cwd=folder,
        env={"PATH": f"{bin}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0 and matches(block("text"), ran.stdout), ran.stdout + ran.stderr


def test_the_statuses_are_documented_ones() -> None:
    codes = {int(code) for row in re.findall(r"^\|([\d, ]+)\|", PAGE, re.MULTILINE) for code in row.split(", ")}
    assert codes <= set(EXITS) and {0, 1, 64, 65, 75} <= codes


def test_the_readmes_example_finds_an_event_of_its_own() -> None:
    [(member, value)] = re.findall(r"`indelible evidence --filter (\w+)\.id=(\S+) ", README)
    [stored] = [command for _, command, _ in examples(README) if command.startswith("curl --json")]
    assert re.search(rf'"{member}": \S*{{[^}}]*"id": "{value}"', stored)
