"""The image is small, runs as nobody special, and what it copies is enough to build from; docs/deploy.md takes five commands."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from project_files import ROOT, SOURCE, read, sources

LINES = [line for line in read("Dockerfile").splitlines() if line.strip()]


def test_the_dockerfile_has_at_most_fifteen_lines() -> None:
    assert len(LINES) <= 15


def test_the_container_is_not_root_and_keeps_its_data_in_a_volume() -> None:
    last = {line.split()[0]: index for index, line in enumerate(LINES)}
    assert LINES[last["USER"]] != "USER root"
    assert last["RUN"] < last["USER"] < last["CMD"]
    assert "VOLUME /data" in LINES
    assert '"--data", "/data"' in LINES[last["CMD"]]


def test_the_image_installs_only_what_the_lock_pins() -> None:
    installs = [line for line in LINES if "pip install" in line]
    assert all("--require-hashes" in line or {"--no-deps", "--no-index"} <= set(line.split()) for line in installs)


def test_what_the_image_copies_is_enough_to_build_the_whole_package(tmp_path: Path) -> None:
    for line in LINES:
        command, *words = shlex.split(line)
        if command == "COPY":
            *origins, target = words
            for origin in origins:
                _copy(ROOT / origin, tmp_path / target)

    build = [sys.executable, "-m", "flit_core.wheel", "--outdir", str(tmp_path / "wheel"), str(tmp_path)]
    subprocess.run(build, check=True, capture_output=True)

    (wheel,) = (tmp_path / "wheel").iterdir()
    assert set(ZipFile(wheel).namelist()) >= {str(path.relative_to(SOURCE.parent)) for path in sources()}


def _copy(origin: Path, target: Path) -> None:
    """As COPY does: a folder's content into the target, a file into a target that ends in a slash."""
    if origin.is_dir():
        shutil.copytree(origin, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(origin, target)


def test_the_page_on_deploying_needs_five_commands() -> None:
    block = re.search(r"Five commands.*?```sh\n(.*?)```", read("docs/deploy.md"), re.DOTALL)
    assert block
    assert len(block[1].replace("\\\n", " ").strip().splitlines()) == 5
