"""What the pages say about the code as a whole is so: the life of an event, the plan, the decisions."""

from __future__ import annotations

import re

from console import ROOT
from test_links import links

SOURCE = ROOT / "src/indelible"
LIFE = (ROOT / "docs/life-of-an-event.md").read_text(encoding="utf-8")
PLAN = (ROOT / "docs/plan.md").read_text(encoding="utf-8")
DECISIONS = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))


def test_each_step_of_an_events_life_names_the_file_that_does_it() -> None:
    steps = re.findall(r"^\d+\. .*(?:\n   .*)*", LIFE, re.MULTILINE)
    assert len(steps) == 14
    for step in steps:
        assert any((ROOT / "docs" / target).resolve().is_relative_to(SOURCE) for target in links(step)), step


def test_a_link_to_a_file_shows_where_it_leads() -> None:
    shown = re.findall(r"\[([\w/]+\.py)\]\(([^)]*)\)", LIFE)
    assert len(shown) > 20
    assert [path for path, target in shown if target != f"../src/indelible/{path}"] == []


def test_every_concern_of_the_plan_that_is_a_link_leads_to_its_section() -> None:
    rows = re.findall(r"^\|\[.*?\]\(#(.*?)\)\|", PLAN, re.MULTILINE)
    sections = re.findall(r"^## (.*)$", PLAN, re.MULTILINE)
    assert rows == [re.sub(r"[^\w ]", "", section.lower()).replace(" ", "-") for section in sections]


def test_no_module_is_longer_than_the_plan_says() -> None:
    [most] = map(int, re.findall(r"no module has more than (\d+) lines", PLAN))
    long = {path.name: lines for path in SOURCE.rglob("*.py") if (lines := len(path.read_bytes().splitlines())) > most}
    assert long == {}


def test_the_tables_that_something_new_joins_are_where_the_plan_says() -> None:
    places = re.findall(r"`(\w+)` (?:and `(\w+)` )?in (?:`([\w/]+\.py)`|the contract tests)", PLAN.partition("## No app in one file")[2])
    assert len(places) == 6
    for *names, file in places:
        texts = [path.read_text(encoding="utf-8") for path in ([SOURCE / file] if file else (ROOT / "tests/contract").glob("*.py"))]
        for name in filter(None, names):
            assert any(re.search(rf"^(?:def )?{name}\b", text, re.MULTILINE) for text in texts), name


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    assert links((ROOT / "docs/adr/README.md").read_text(encoding="utf-8")) == [path.name for path in DECISIONS]


def test_each_decision_says_why_what_at_what_cost_and_what_was_dropped() -> None:
    for path in DECISIONS:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {path.name[:4]}: ")
        assert re.findall(r"^\*\*(.*?)\.\*\*", text, re.MULTILINE) == ["Context", "Decision", "Consequences", "Tried and dropped"]
