"""What runs the pages' examples catches a page that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from console import Example, Shell, differences, examples, matches
from served import Server

PAGE = """# A page
```console
$ echo one
one
$ printf '%s\\n' 'two
lines' \\
    three
two
lines
three
```
```sh
echo is not run
```
```console
$ echo 4
```
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path, Server(tmp_path / "data"))


def test_commands_are_found_with_their_lines_and_what_they_print() -> None:
    assert list(examples(PAGE)) == [
        Example(3, "echo one", "one\n"),
        Example(5, "printf '%s\\n' 'two\nlines' \\\n    three", "two\nlines\nthree\n"),
        Example(16, "echo 4", ""),
    ]


def test_a_page_that_is_right_has_no_differences(shell: Shell) -> None:
    assert differences(PAGE.replace("echo 4", "echo 4\n4"), shell) == []


def test_an_answer_that_is_not_the_pages_is_caught(shell: Shell) -> None:
    assert differences(PAGE, shell) == ["line 16: echo 4\nprinted:\n4\nshown:\n"]
    assert len(differences(PAGE.replace("\none\n", "\nONE\n"), shell)) == 2


@pytest.mark.parametrize(
    ("shown", "printed"),
    [("…\nlast\n", "last\n"), ("…\nlast\n", "a\nb\nlast\n"), ('{"id":"…",…}\n', '{"id":"7","b":[]}\n'), ("a …\nb\n", "a \nb\n"), ("", "")],
)
def test_an_ellipsis_stands_for_anything(shown: str, printed: str) -> None:
    assert matches(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"), [("a…c\n", "a\nc\n"), ("a\n", "a\nb\n"), ("…\na\n", "a\nb\n"), ("a.c\n", "abc\n"), ("a\n", "")]
)
def test_but_only_where_it_stands(shown: str, printed: str) -> None:
    assert not matches(shown, printed)


def test_a_terminal_is_shown_what_a_person_would_see(shell: Shell) -> None:
    assert shell.run("printf 'half\\r\\033[Kwhole\\nnext'") == "whole\nnext\n"
    assert shell.run("echo here; test -t 1 && echo a terminal") == "here\na terminal\n"


def test_nothing_runs_that_no_page_needs(shell: Shell) -> None:
    with pytest.raises(AssertionError, match="no test may run this"):
        differences("```console\n$ rm -r data\n```\n", shell)
