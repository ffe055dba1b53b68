"""The project speaks of itself alone: no file names the machine it was made on, nor a package index."""

from __future__ import annotations

import re

import pytest
from project_files import ROOT, tracked

# Each holds a class of one letter, so that this file is not what it looks for.
FORBIDDEN = {
    "a package index": r"py[p]i\.org|python[h]osted|npm[j]s\.|crates\.[i]o|proxy\.gola[n]g|repo1\.mave[n]|deb\.debia[n]",
    "a folder of somebody's machine": r"(?<![\w.-])/(wor[k]|hom[e]|roo[t]|User[s]|tmp/la[b]|opt/wheel[s])/",
    "a folder outside the project": r"(?<![\w/-])(\.\./)?share[d]/",
}


def found(text: str) -> list[str]:
    lines = enumerate(text.splitlines(), 1)
    return [
        f"{number}: names {what}: {hit[0]}" for number, line in lines for what, rule in FORBIDDEN.items() if (hit := re.search(rule, line))
    ]


def test_no_file_names_what_lies_outside_the_project() -> None:
    wrong = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture, or bytes that a test needs
        wrong += [f"{path.relative_to(ROOT)}:{line}" for line in found(text)]
    assert wrong == []


@pytest.mark.parametrize(
    "words", ["https://py{}pi.org/simple", "see ..{}/shared/notes", "`shar{}ed/x`", "/wo{}rk/main/a.py", "/ho{}me/me/x"]
)
def test_a_forbidden_word_is_found(words: str) -> None:
    assert found("fine\n" + words.format("")) != []


@pytest.mark.parametrize("words", ["work/home", "share it", "a/b/homework/", "docs/homes/", "http://h/v1/work/", "pypi"])
def test_other_words_are_not(words: str) -> None:
    assert found(words) == []
