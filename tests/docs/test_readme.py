"""README.md works as printed: its commands are run in their order on a new data directory, its program too, its counts are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from console import ROOT, Shell, differences, examples
from served import Server

README = ROOT / "README.md"
SIX = "\n## Read these six files\n"


def text() -> str:
    return README.read_text(encoding="utf-8")


def programs(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def miscounted(page: str) -> list[str]:
    """Rows of the section on six files that are not true, or how many rows it has if these are not six."""
    rows = re.findall(r"^\|\[(.*?)\]\((.*?)\)\|(\d+)\|.+\|$", page.partition(SIX)[2].partition("\n## ")[0], re.MULTILINE)
    wrong = [f"{shown}: {count} lines" for shown, path, count in rows if shown != path or _lines(path) != int(count)]
    return wrong if len(rows) == 6 else [f"{len(rows)} rows"]


def _lines(path: str) -> int:
    return len((ROOT / path).read_bytes().splitlines()) if (ROOT / path).is_file() else -1


def run(page: str, folder: Path) -> list[str]:
    """What differs when a page is followed from its top to its end; its programs come last."""
    server = Server(folder / "data")
    shell = Shell(folder, server)
    try:
        wrong = differences(page, shell)
        for program in programs(page):
            exec(compile(shell.own(program), "README.md", "exec"), {})
        return wrong
    finally:
        if server.process:
            server.process.kill()
            server.process.communicate()


def test_whoever_follows_the_readme_sees_what_it_shows(tmp_path: Path) -> None:
    assert "\n".join(run(text(), tmp_path)) == ""


def test_the_readme_begins_with_the_one_command_that_starts_it() -> None:
    assert next(examples(text())).command == "make run"


def test_the_readme_counts_the_lines_of_the_files_to_read() -> None:
    assert miscounted(text()) == []


SMALL = """
```console
$ make run
…
{…"event":"ready","url":"http://127.0.0.1:8080","entries":{"default":0},…}
```
```console
$ curl --json '[
  {"type": "a", "source": "s"}]' http://127.0.0.1:8080/v1/events
{"stored":1,…,"receipts":[…],"errors":[]}
$ .venv/bin/indelible count type=a
1
```
```python
from indelible.client import Client
with Client("http://127.0.0.1:8080") as trail:
    trail.send([b'{"type":"b","source":"s"}'])
```
"""


def test_a_page_that_is_right_passes_and_one_that_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.mkdir()
    wrong.mkdir()
    assert run(SMALL, right) == []
    page = SMALL.replace('"stored":1', '"stored":2').replace('"default":0', '"default":1').replace("\n1\n", "\n2\n")
    assert [difference.partition(":")[0] for difference in run(page, wrong)] == ["line 3", "line 8", "line 11"]


def test_a_program_that_fails_is_caught(tmp_path: Path) -> None:
    with pytest.raises(NotImplementedError):
        run("```python\nraise NotImplementedError\n```\n", tmp_path)


def test_a_wrong_count_is_caught() -> None:
    path = "src/indelible/http/service.py"
    count = _lines(path)
    row = f"|[{path}]({path})|{count}|what it does|\n"
    assert miscounted(f"{SIX}{row * 6}\n## Next\n") == []
    assert miscounted(f"{SIX}{row * 5}{row.replace(str(count), '7')}") == [f"{path}: 7 lines"]
    assert miscounted(f"{SIX}{row * 5}") == ["5 rows"]
    assert miscounted(SIX + row.replace("service", "gone") * 6) != []
