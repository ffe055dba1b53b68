"""`pip install indelible` stays light: its wheel works in an empty environment with the base lock and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from project_files import ROOT

import indelible
from indelible.model.entry import Origin, headers
from indelible.model.event import Event
from indelible.tree.checkpoint import Checkpoint, sign_checkpoint
from indelible.tree.keys import SigningKey
from indelible.tree.merkle import leaf_hash
from indelible.tree.tlogproof import make_proof

SERVER_ONLY = ("httptools", "pyarrow", "starlette", "uvicorn", "uvloop", "xxhash")


def output(command: Sequence[str | Path], env: dict[str, str]) -> str:
    done = subprocess.run(command, cwd="/", env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the base lock and our wheel."""
    folder = tmp_path_factory.mktemp("base")
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    python = folder / "bin" / "python"
    install: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"]
    output([sys.executable, "-m", "venv", "--without-pip", folder], env)
    output([*install, "--require-hashes", "--only-binary", ":all:", "-r", ROOT / "requirements/base.txt"], env)
    output([sys.executable, "-m", "flit_core.wheel", "--outdir", folder, ROOT], env)
    output([*install, "--no-deps", "--no-index", folder / f"indelible-{indelible.__version__}-py3-none-any.whl"], env)
    return folder / "bin"


def test_what_a_producer_imports_works_without_the_server_extra(bare: Path) -> None:
    modules = "indelible.client, indelible.errors, indelible.model.event, indelible.model.strict, indelible.tree"
    absent = f"print(*(name for name in {SERVER_ONLY!r} if find_spec(name)))"
    assert output([bare / "python", "-c", f"import {modules}\nfrom importlib.util import find_spec\n{absent}"], {}) == "\n"


def test_the_command_line_works_without_the_server_extra(bare: Path) -> None:
    assert indelible.__version__ in output([bare / "indelible", "--version"], {})
    assert "NDJSON" in output([bare / "indelible", "send", "--help"], {})


def test_serving_without_the_server_extra_names_what_to_install(bare: Path, tmp_path: Path) -> None:
    refused = subprocess.run([bare / "indelible", "serve", "--data", tmp_path], capture_output=True, text=True, check=False, env={})
    assert refused.returncode != 0
    assert ".tar.gz[server]" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_verifying_works_without_the_server_extra_but_for_a_data_directory(bare: Path, tmp_path: Path) -> None:
    modules = ", ".join(f"indelible.verify.{name}" for name in ("server", "receipt", "prooffile", "targets", "proofs"))
    assert output([bare / "python", "-c", f"import {modules}"], {}) == ""
    key = SigningKey("trail.example", bytes(32))
    (entry,) = headers([Event("t", "s")], ["one"], ["0" * 64], Origin(0, "-", "native"))
    note = sign_checkpoint(Checkpoint("trail.example", 1, leaf_hash(entry)), [key])
    (tmp_path / "entry").write_bytes(entry)
    (tmp_path / "proof").write_bytes(make_proof(0, [], note))
    words: list[str | Path] = [bare / "indelible", "verify", "--state", tmp_path / "state", "--key", key.public.vkey]
    assert output([*words, tmp_path / "proof", "--entry", tmp_path / "entry"], {}).endswith("verified\n")
    refused = subprocess.run([*words, tmp_path], capture_output=True, text=True, check=False, env={})
    assert refused.returncode == 69
    assert ".tar.gz[server]" in refused.stderr
