"""docs/http-api.md says what the service does: its examples run, its tables are the code's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from console import ROOT, Shell, differences, has_curl
from served import server

from indelible.http.about.meanings import MEANINGS
from indelible.http.app import routes
from indelible.http.auth import OPEN, OPEN_BELOW
from indelible.model.query import FIELDS

PAGE = (ROOT / "docs/http-api.md").read_text(encoding="utf-8")
MOMENT = "2026-11-23T09:30:00.123456Z"  # stands for the server's clock wherever the page shows it


def section(heading: str) -> str:
    return PAGE.partition(f"\n{heading}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("curl", [True, False] if has_curl() else [False], ids=["curl", "stand-in"][not has_curl() :])
def test_every_example_answers_what_it_shows(tmp_path: Path, curl: bool) -> None:
    with server(tmp_path / "data") as served:
        assert "\n".join(differences(PAGE.replace(MOMENT, "…"), Shell(tmp_path, served, curl))) == ""


def test_the_table_of_routes_is_the_applications() -> None:
    named = set()
    for row in re.findall(r"^\|(`(?:GET|POST) .*?)\|", PAGE, re.MULTILINE):
        method = row[1:].partition(" ")[0]
        named |= {(method, path) for path in re.findall(r"`(?:[A-Z]+ )?(/.*?)`", row)}
    assert named | {(method, path.replace("/v1/", "/v1/logs/{log}/", 1)) for method, path in named if _of_a_log(path)} == {
        (method, re.sub(r":(path|int)}", "}", route.path)) for route in routes() for method in (route.methods or set()) - {"HEAD"}
    }


def _of_a_log(path: str) -> bool:
    return path.startswith("/v1/") and not path.startswith(("/v1/logs", "/v1/status"))


def test_the_table_of_statuses_is_that_of_the_errors() -> None:
    rows = re.findall(r"^\|(\d{3})\|(.*?)\|.*\|$", section("## Statuses and problems"), re.MULTILINE)
    assert {(int(status), name) for status, names in rows for name in re.findall("`(.*?)`", names)} == {
        (error.status, error.name) for error in MEANINGS
    }
    assert [status for status, _ in rows] == sorted(status for status, _ in rows)


def test_the_table_of_filters_is_the_codes() -> None:
    table = section("## Reading").partition("**Filters**")[2].partition("Each `targets")[0]
    assert set(re.findall(r"`([a-z_.]+)`", table)) - {"time"} == {*FIELDS, "since", "until"}
    assert "`labels.NAME`" in table


@pytest.mark.parametrize(
    ("page", "sentence"),
    [("docs/http-api.md", "except (.*?), which then shows"), ("docs/deploy.md", "Without it answer only (.*?) without events")],
)
def test_what_asks_for_no_key_is_what_the_page_says(page: str, sentence: str) -> None:
    [said] = re.findall(sentence, (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert sorted(re.findall("`(.*?)`", said)) == sorted(path.decode() for path in (*OPEN, OPEN_BELOW + "…".encode()))
