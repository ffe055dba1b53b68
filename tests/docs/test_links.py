"""Every page of the project leads somewhere: its links, their anchors, and the files that it names are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from console import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
FOLDERS = ("src", "tests", "docs", "bench", "tools", "requirements", ".ci")
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_NAMED = re.compile(r"`([\w.-]+(?:/[\w.-]+)*/?)`")
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def links(text: str) -> list[str]:
    """The targets of links to places in the project."""
    return [target for target in _LINK.findall(_FENCED.sub("", text)) if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """What the headings of a page are called in links."""
    headings = re.findall(r"^#+ (.*)$", _FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path, text: str) -> list[str]:
    """The links of `text`, as it stands in `page`, that lead nowhere."""
    wrong = []
    for target in links(text):
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        if not path.exists() or (anchor and anchor not in anchors(text if path == page else path.read_text(encoding="utf-8"))):
            wrong.append(target)
    return wrong


def files_named(text: str) -> list[str]:
    """What stands in backticks and looks like a path of the repository, be it from its root or from src/indelible."""
    names = _NAMED.findall(_FENCED.sub("", text))
    return [name for name in names if name.endswith((".py", ".md")) or ("/" in name and name.startswith(FOLDERS))]


def missing(text: str) -> list[str]:
    """A name without a folder may stand for any file of that name."""
    return [
        name
        for name in files_named(text)
        if not ((ROOT / name).exists() or (ROOT / "src/indelible" / name).exists() or ("/" not in name and any((ROOT / "src").rglob(name))))
    ]


def relative(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken(page, page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    assert missing(page.read_text(encoding="utf-8")) == []


def test_each_page_can_be_reached_from_the_readme() -> None:
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        seen.add(page)
        found = {(page.parent / target.partition("#")[0]).resolve() for target in links(page.read_text(encoding="utf-8"))}
        found |= {each for folder in found if folder.is_dir() for each in folder.glob("*.md")}
        waiting += [each for each in found if each.suffix == ".md" and each not in seen]
    assert set(PAGES) - seen == {ROOT / "CHANGELOG.md"}  # has a place of its own that everyone knows


def test_a_link_that_leads_nowhere_is_found() -> None:
    page = ROOT / "docs/format.md"
    text = "# One & two\n[a](http-api.md#reading) [b](#one--two) [c](gone.md) [d](http-api.md#gone) [e](#gone) [f](https://x.example/y)\n"
    assert broken(page, text) == ["gone.md", "http-api.md#gone", "#gone"]


def test_a_file_that_is_not_there_is_found() -> None:
    text = "`http/ingest.py` `src/indelible/http` `docs/adr/` `recorder.py` `a/b` `/v1/events` `http/gone.py` `docs/gone` `gone.md`"
    assert missing(text) == ["http/gone.py", "docs/gone", "gone.md"]
