"""Dependencies are few and known: declared, imported and explained are the same set, and the lock pins each with hashes."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
from project_files import ROOT, SOURCE, read, tracked

PROJECT = tomllib.loads(read("pyproject.toml"))
LIGHT = ("client", "demo", "model", "tree", "errors.py")  # what the base install must be able to import
TOOLS = {"flit_core": "pyproject.toml", "mypy": "Makefile", "ruff": "Makefile", "pytest_xdist": "pyproject.toml"}
"""Never imported: where each is named instead."""


class Row(NamedTuple):
    """A row of docs/dependencies.md; `through` is the package that uses this one for us."""

    through: str | None


def names(requirements: Iterable[str]) -> set[str]:
    return {re.match(r"[\w.-]+", requirement)[0].replace("-", "_").lower() for requirement in requirements}  # type: ignore[index]


BASE = names(PROJECT["project"]["dependencies"])
SERVER = names(PROJECT["project"]["optional-dependencies"]["server"])
CHECKS = names(PROJECT["dependency-groups"]["build"] + PROJECT["dependency-groups"]["dev"])
PEERS = names(PROJECT["dependency-groups"]["peers"])
FUZZ = names(PROJECT["dependency-groups"]["fuzz"])  # of `make fuzz` alone


def imported(files: Iterable[Path], own: set[str]) -> dict[str, str]:
    """Third-party modules that `files` import, each with one place."""
    found: dict[str, str] = {}
    for path in files:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            else:
                continue
            for top in {module.partition(".")[0] for module in modules} - sys.stdlib_module_names - own:
                found.setdefault(top, f"{path}:{node.lineno}")
    return found


def explained(page: str) -> dict[str, Row]:
    rows = re.findall(r"^\|`([\w-]+)`\|([^|]*)\|", page, re.MULTILINE)
    return {name.replace("-", "_"): Row(through[1] if (through := re.search(r"through `(\w+)`", text)) else None) for name, text in rows}


def problems(declared: set[str], imports: dict[str, str], rows: dict[str, Row]) -> list[str]:
    """Why the three are not the same set; empty when they are."""
    used = imports.keys() | {name for name, row in rows.items() if row.through in imports}
    return [
        *(f"{imports[name]}: {name} is imported and not declared in pyproject.toml" for name in sorted(imports.keys() - declared)),
        *(f"pyproject.toml declares {name}, which nothing imports" for name in sorted(declared - used)),
        *(f"docs/dependencies.md gives no reason for {name}" for name in sorted(declared - rows.keys())),
        *(f"docs/dependencies.md explains {name}, which is not declared" for name in sorted(rows.keys() - declared)),
    ]


def python_files(*folders: str) -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders]


def test_declared_imported_and_explained_are_the_same_set() -> None:
    imports = imported(SOURCE.rglob("*.py"), own={"indelible"})
    checks = python_files("tests", "bench", "tools")
    imports |= imported(checks, own={path.stem for path in checks} | {"indelible", "bench", "tests"})
    imports |= {name: place for name, place in TOOLS.items() if name.replace("_xdist", "-xdist") in read(place)}
    assert problems(BASE | SERVER | CHECKS | PEERS | FUZZ, imports, explained(read("docs/dependencies.md"))) == []


def test_nothing_but_the_service_beside_us_imports_what_only_that_needs() -> None:
    ours = [path for path in python_files("src", "tests", "tools", "bench") if "handmade" not in path.parts]
    assert not imported(ours, own=set()).keys() & (PEERS - SERVER - CHECKS)


def test_the_service_imports_nothing_that_only_checks_need() -> None:
    assert imported(SOURCE.rglob("*.py"), own={"indelible"}).keys() <= BASE | SERVER


def test_the_light_rooms_need_only_the_base() -> None:
    files = [path for path in SOURCE.rglob("*.py") if path.relative_to(SOURCE).parts[0] in LIGHT]
    assert imported(files, own={"indelible"}).keys() <= BASE


@pytest.mark.parametrize(
    ("declared", "imports", "rows", "word"),
    [
        ({"a"}, {"a": "x.py:1", "b": "x.py:2"}, {"a": Row(None)}, "x.py:2: b is imported and not declared"),
        ({"a", "b"}, {"a": "x.py:1"}, {"a": Row(None), "b": Row(None)}, "declares b, which nothing imports"),
        ({"a", "b"}, {"a": "x.py:1"}, {"a": Row(None), "b": Row("c")}, "declares b, which nothing imports"),
        ({"a"}, {"a": "x.py:1"}, {}, "gives no reason for a"),
        ({"a"}, {"a": "x.py:1"}, {"a": Row(None), "b": Row("a")}, "explains b, which is not declared"),
    ],
)
def test_a_difference_is_named(declared: set[str], imports: dict[str, str], rows: dict[str, Row], word: str) -> None:
    (found,) = problems(declared, imports, rows)
    assert word in found


def test_what_is_used_through_another_package_counts_as_used() -> None:
    assert problems({"a", "b"}, {"a": "x.py:1"}, {"a": Row(None), "b": Row("a")}) == []


def test_an_import_is_found_wherever_it_stands(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import json, own\nfrom . import b\ndef later():\n    from evil.core import thing\n")
    assert imported([tmp_path / "a.py"], own={"own"}) == {"evil": f"{tmp_path / 'a.py'}:4"}


def pins(lock: str) -> dict[str, str]:
    """Name to version of a lock, all of whose lines must be pins, their hashes and comments."""
    found: dict[str, str] = {}
    for entry in re.sub(r"^ *#.*\n", "", lock, flags=re.MULTILINE).replace("\\\n", " ").splitlines():
        pin = re.fullmatch(r"([\w.-]+)==(\S+)(?: ; [^-]+)?((?: +--hash=sha256:[0-9a-f]{64})+)\s*", entry)
        assert pin, f"{entry!r} is not a version with its hashes"
        found[pin[1].replace("-", "_")] = pin[2]
    return found


def test_each_lock_pins_what_is_declared_with_hashes_and_names_no_index() -> None:
    base, server, dev, peers, fuzz = (pins(read(f"requirements/{name}.txt")) for name in ("base", "server", "dev", "peers", "fuzz"))
    assert base.keys() >= BASE
    assert server.keys() >= BASE | SERVER | {"flit_core"}
    assert dev.keys() >= BASE | SERVER | CHECKS
    assert not base.keys() & SERVER
    assert peers.keys() >= PEERS
    assert {name: peers[name] for name in peers.keys() & server.keys()}.items() <= server.items()  # both sides of a comparison run the same
    assert fuzz.keys() >= BASE | SERVER | CHECKS | FUZZ and not dev.keys() & FUZZ
    assert base.items() <= server.items() <= dev.items() <= fuzz.items()


@pytest.mark.parametrize("line", ["a==1", "a>=1 --hash=sha256:" + "0" * 64, "--index-url there", "a==1 --hash=sha256:0"])
def test_a_lock_line_without_its_hash_or_with_an_address_is_found(line: str) -> None:
    with pytest.raises(AssertionError, match="is not a version with its hashes"):
        pins(f"b==2 \\\n    --hash=sha256:{'0' * 64}\n    # via x\n{line}\n")
