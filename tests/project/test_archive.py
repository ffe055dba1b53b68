"""The archive holds all that is needed: unpacked into an empty folder, with an empty environment, it is the project."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from project_files import ROOT, tracked

import indelible

BARE = {"PATH": "/usr/bin:/bin", "PYTHON": sys.executable}


def output(command: Sequence[str | Path], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, env=BARE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    written = output(["make", "--no-print-directory", "archive", f"DIST={folder}"], ROOT).strip()
    assert Path(written) == folder / f"indelible-{indelible.__version__}.tar.gz"
    return Path(written)


@pytest.fixture(scope="module")
def unpacked(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    (top,) = folder.iterdir()
    assert top.name == f"indelible-{indelible.__version__}"
    return top


def test_the_pages_install_the_archive_under_the_name_that_it_has() -> None:
    """The package is in no index: who sends or verifies has the archive or a clone."""
    for page in ("README.md", "docs/verify.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert set(re.findall(r"indelible-[\d.]+\.tar\.gz", text)) == {f"indelible-{indelible.__version__}.tar.gz"}
        assert re.search(r"pip install (\./|dist/)indelible-", text) and "pip install indelible" not in text


def test_the_archive_holds_every_file_as_it_is_and_no_other(unpacked: Path) -> None:
    files = {path.relative_to(unpacked): path.read_bytes() for path in unpacked.rglob("*") if path.is_file()}
    assert files == {path.relative_to(ROOT): path.read_bytes() for path in tracked()}


def test_an_unpacked_archive_makes_the_same_archive_without_git(archive: Path, unpacked: Path, tmp_path: Path) -> None:
    (unpacked / "data").mkdir()
    (unpacked / "data" / "journal").touch()
    (unpacked / "src" / "indelible" / "__pycache__").mkdir(exist_ok=True)
    (unpacked / "src" / "indelible" / "__pycache__" / "errors.pyc").touch()

    again = output([sys.executable, "tools/archive.py", tmp_path], unpacked).strip()

    assert Path(again).read_bytes() == archive.read_bytes()


def test_both_commands_set_up_an_environment_of_their_own_in_an_unpacked_archive(unpacked: Path) -> None:
    for command, last in (("run", ".venv/bin/indelible serve"), ("test", "-m pytest")):
        plan = output(["make", "-n", command], unpacked)
        assert "-m venv --clear .venv" in plan
        assert plan.index("--require-hashes") < plan.index(last)


def test_the_sources_in_an_unpacked_archive_compile_and_can_be_imported(unpacked: Path, tmp_path: Path) -> None:
    compiled = [sys.executable, "-X", f"pycache_prefix={tmp_path}", "-m", "compileall", "-q", "src", "tests", "tools"]
    assert output(compiled, unpacked) == ""
    where = output(
        [sys.executable, "-I", "-B", "-c", "import sys; sys.path.insert(0, 'src'); import indelible; print(indelible.__file__)"], unpacked
    )
    assert (unpacked / where.strip()).is_relative_to(unpacked)
