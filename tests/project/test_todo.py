"""Every shortcut is written down twice, where it is taken and in README's table, and the two agree."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from project_files import ROOT, read, tracked

TAGGED = re.compile(r"TODO\(([a-z-]+)\): \S")
ANY = re.compile(r"\b(TODO|FIXME|XXX)\b")


def in_code() -> list[Path]:
    """Where a shortcut can be taken: all that `make todo` looks through."""
    folders = {"src", "bench", "tools", "Makefile", "Dockerfile"}
    return [path for path in tracked() if path.relative_to(ROOT).parts[0] in folders and path.suffix in ("", ".py")]


def tags(files: list[Path]) -> dict[str, set[str]]:
    """Tag to the files that carry it."""
    found: dict[str, set[str]] = {}
    for path in files:
        for tag in TAGGED.findall(path.read_text(encoding="utf-8")):
            found.setdefault(tag, set()).add(path.relative_to(ROOT).as_posix())
    return found


def table(readme: str) -> dict[str, str]:
    """Tag to its row in the section "Shortcuts"."""
    section = re.search(r"^## Shortcuts\n(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL)
    assert section, "README.md has no section Shortcuts"
    rows = [row for row in section[1].splitlines() if row.startswith("|") and "TODO(" in row]
    return {tag: row for row in rows for tag in re.findall(r"TODO\(([a-z-]+)\)", row)}


def test_the_table_of_shortcuts_and_the_code_name_the_same_tags() -> None:
    assert set(table(read("README.md"))) == set(tags(in_code()))


def test_each_row_of_the_table_names_a_file_that_carries_its_tag() -> None:
    places = tags(in_code())
    wrong = {tag: row for tag, row in table(read("README.md")).items() if not any(_names(row, place) for place in places.get(tag, ()))}
    assert wrong == {}


def _names(row: str, place: str) -> bool:
    return place in row or place.removeprefix("src/indelible/") in row


def test_no_shortcut_is_left_without_its_tag_and_its_plan() -> None:
    lines = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in in_code()
        if path.suffix == ".py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if ANY.search(line) and not TAGGED.search(line)
    ]
    assert lines == []


def test_make_todo_lists_every_tag_with_its_place() -> None:
    listed = subprocess.run(["make", "--no-print-directory", "todo"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = {(tag, place) for place, tag in re.findall(r"^([^:]+):\d+:TODO\(([a-z-]+)\): ", listed, re.MULTILINE)}
    assert found >= {(tag, place) for tag, places in tags(in_code()).items() for place in places}


def test_a_table_is_read_to_the_end_of_its_section() -> None:
    readme = "## Shortcuts\n\n|what|\n|-|\n|`TODO(one)`|\n|x `TODO(two)`|\n## Next\n|TODO(three)|\n"
    assert set(table(readme)) == {"one", "two"}
