"""Rooms import in one direction: the table below is the whole rule, and a violation is named with its line."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from project_files import SOURCE, sources

# What each room may import of Indelible, itself and errors aside. A module stands for all below it.
RULES: dict[str, set[str]] = {
    "errors": set(),
    "tree": set(),
    "model": {"tree"},
    "client": {"model"},
    "demo": {"model", "client"},
    "evidence": {"model", "tree", "client"},
    "journal": {"model", "tree"},
    "formats": {"model", "tree"},
    "signing": {"model", "tree", "journal.files", "journal.directory"},
    "store": {"model", "tree", "journal.port"},
    "log": {"model", "tree", "formats", "journal.port", "store.port", "signing.keys", "signing.names", "signing.port"},
    "http": {"model", "tree", "formats", "journal.port", "store.port", "log"},
    "config": {"model", "tree", "formats", "journal", "store", "signing", "log", "http"},
    "offline": {"model", "tree", "journal", "signing", "log", "config"},
    "verify": {"model", "tree", "client", "formats", "journal.port", "signing", "log", "evidence", "offline"},
    "fsck": {"model", "tree", "journal", "signing", "store", "log", "config", "offline"},
    "cli": {"model", "http", "client", "demo", "evidence", "config", "offline", "signing.keys", "verify", "fsck"},
    "__main__": {"cli"},
}
LIGHT = {"errors", "model", "tree", "client", "evidence"}  # what `pip install indelible` brings without its server extra
SERVER_ONLY = ("httptools", "pyarrow", "starlette", "uvicorn", "uvloop", "xxhash")


class Import(NamedTuple):
    line: int
    module: str  # dotted, without `indelible.`


def imports(tree: ast.AST, package: str) -> Iterator[Import]:
    """Every import of our own modules, wherever it stands: in a function or under TYPE_CHECKING too."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{origin}.{name}" for name in names]
        yield from (Import(node.lineno, name.removeprefix("indelible.")) for name in names if name.startswith("indelible."))


def violations(root: Path, files: list[Path]) -> list[str]:
    """`file:line: rule` for each import that RULES does not allow."""
    found = []
    for path in files:
        parts = path.relative_to(root).with_suffix("").parts
        if parts == ("__init__",):
            continue
        room = parts[0]
        if room not in RULES:
            found.append(f"{path}:1: no rule says what the room {room} may import")
            continue
        package = ".".join(["indelible", *parts[:-1]])
        for line, module in imports(ast.parse(path.read_bytes()), package):
            if not _allowed(room, module):
                allowed = ", ".join(sorted(RULES[room] | {"errors"}))
                found.append(f"{path}:{line}: {room} may import {allowed}; this is {module}")
    return found


def _allowed(room: str, module: str) -> bool:
    if module.partition(".")[0] in (room, "errors", "__version__"):
        return True
    return any(module == name or module.startswith(f"{name}.") for name in RULES[room])


def test_each_room_imports_only_what_its_rule_allows() -> None:
    assert violations(SOURCE, sources()) == []


PLANTED = {
    "tree/a.py": "from indelible.model.event import Event",
    "model/a.py": "def later():\n    import indelible.journal.port",
    "client/a.py": "from indelible import log",
    "store/local/a.py": "from ...journal import file",
    "http/a.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from indelible.store.local.tail import Tail",
    "cli/a.py": "from indelible.journal.file import open_file_journal",
    "log/a.py": "from indelible.config import Settings",
    "attic/a.py": "",
}


@pytest.mark.parametrize("name", PLANTED)
def test_an_import_that_no_rule_allows_is_found(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text(PLANTED[name])

    (found,) = violations(tmp_path, [tmp_path / name])

    line = PLANTED[name].count("\n") + 1
    assert found.startswith(f"{tmp_path / name}:{line}: ")


def test_what_the_rules_allow_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    good = tmp_path / "log" / "a.py"
    good.write_text("import json\nfrom indelible import errors\nfrom indelible.journal.port import Frame\nfrom . import prepare\n")
    (tmp_path / "config.py").write_text("from indelible.store.local.tail import Tail\n")

    assert violations(tmp_path, [good, tmp_path / "config.py"]) == []


def test_the_light_rooms_import_only_light_rooms() -> None:
    assert all(RULES[room] <= LIGHT for room in LIGHT)


@pytest.mark.parametrize(
    "module",
    ["cli.main", "client", "model.strict", "tree", "evidence.check", "verify.server", "verify.receipt", "verify.directory", "cli.verify"],
)
def test_importing_a_light_module_loads_nothing_of_the_server(module: str) -> None:
    script = f"import sys, indelible.{module}; print(*sorted(set({SERVER_ONLY!r}) & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=SOURCE.parent)
    assert loaded.stdout.split() == []
