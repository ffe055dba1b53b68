"""`indelible events`: the question that is asked, the table for people, the bytes for programs."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from scripted_server import Says, says, scripted

from indelible.cli import table
from indelible.cli.main import run

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INDELIBLE_URL", "INDELIBLE_KEY"):
        monkeypatch.delenv(name, raising=False)


def event(index: int, **members: Any) -> Any:
    record = {"log": "default", "index": index, "time": "2026-11-23T09:30:00.123456Z"}
    return {"record": record, "type": "a", "source": "s"} | members


def page(*events: Any, after: str | None = None, complete: bool = True) -> Says:
    return says({"events": events, "next": after, "complete": complete})


def test_a_pipe_gets_each_event_as_its_own_bytes(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    body = b'{"record":{"index":1},"data":{"a":1e400 , "a":"\\u00e9"}}'
    with scripted(Says(200, b'{"events":[%b,%b],"next":null,"complete":true}' % (body, body))) as script:
        assert run(["events", "--url", script.url]) == 0
    assert capfdbinary.readouterr().out == body + b"\n" + body + b"\n"


def test_filters_log_and_limit_are_asked_for(capsys: Captured) -> None:
    with scripted(page()) as script:
        assert run(["events", "--url", script.url, "type=pay.*", "labels.a=b=c", "--limit", "5", "--log", "billing"]) == 0
        assert run(["events", "--url", script.url, "limit=7"]) == 0
        assert run(["events", "--url", script.url]) == 0
        assert run(["events", "--url", script.url, "--all", "cursor=abc"]) == 0
    assert [asked.target for asked in script.asked] == [
        "/v1/logs/billing/events?type=pay.*&labels.a=b%3Dc&limit=5",
        "/v1/events?limit=7",
        "/v1/events?limit=100",
        "/v1/events?cursor=abc&limit=1000",
    ]


def test_a_page_that_the_server_cut_is_gone_on_from_up_to_the_limit(capsys: Captured) -> None:
    with scripted(page(event(9), event(8), after="x"), page(event(7), after="y")) as script:
        assert run(["events", "--url", script.url, "--limit", "3"]) == 0
    out, err = capsys.readouterr()
    assert [json.loads(line)["record"]["index"] for line in out.splitlines()] == [9, 8, 7]
    assert [asked.target for asked in script.asked] == ["/v1/events?limit=3", "/v1/events?cursor=x&limit=1"]
    assert err == "there are more: --all shows them, cursor=y goes on from here\n"


def test_all_follows_every_cursor(capsys: Captured) -> None:
    with scripted(page(event(2), after="x"), page(event(1), after="y"), page(event(0))) as script:
        assert run(["events", "--url", script.url, "--all", "source=s"]) == 0
    assert [asked.target.partition("?")[2] for asked in script.asked] == [
        "source=s&limit=1000",
        "source=s&cursor=x&limit=1000",
        "source=s&cursor=y&limit=1000",
    ]
    out, err = capsys.readouterr()
    assert out.count("\n") == 3
    assert err == ""


def test_an_incomplete_answer_is_shown_and_told_and_1(capsys: Captured) -> None:
    with scripted(page(event(2), after="x", complete=False), page(event(1))) as script:
        assert run(["events", "--url", script.url, "--all"]) == 1
    out, err = capsys.readouterr()
    assert out.count("\n") == 2
    assert err == "indelible: some of the range could not be read: these are not all events that match\n"


WRONG = {
    ("typ=a",): "did you mean type?",
    ("billing",): "'billing' is no filter: write NAME=VALUE",
    ("outcome=broken",): "none of success",
    ("since=yesterday",): "since: ",
    ("since=2026-11-23T00:00:00Z", "since=2026-11-23T00:00:00Z"): "twice",
    ("limit=0",): "limit",
    ("limit=5", "--limit", "5"): "give one of them",
    ("--all", "limit=5"): "give one of them",
    ("type=\udcff",): "not text",
}


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_a_question_that_means_nothing_is_64_and_nobody_is_asked(arguments: tuple[str, ...], capsys: Captured) -> None:
    with scripted(page()) as script:
        assert run(["events", "--url", script.url, *arguments]) == 64
    assert script.asked == []
    assert WRONG[arguments] in capsys.readouterr().err


def test_the_table_shows_when_what_where_who_how_and_on_what(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    full = event(
        2,
        type="customer.billed",
        source="billing",
        actor={"type": "user", "id": "42", "name": "Ann"},
        outcome={"result": "failure", "code": "declined"},
        targets=[{"type": "invoice", "id": "i-7"}, {"name": "no id"}],
        data={"a": None},
    )
    none = event(1, actor=None, outcome=None, targets=None, later="member")
    with scripted(page(full, none)) as script:
        assert run(["events", "--url", script.url, "--format", "table"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "TIME                      TYPE             SOURCE   ACTOR    OUTCOME           TARGETS",
        "2026-11-23T09:30:00.123Z  customer.billed  billing  user:42  failure declined  invoice:i-7, no id",
        "2026-11-23T09:30:00.123Z  a                s",
    ]


def test_no_line_is_wider_than_the_terminal_and_nothing_in_it_can_control_it(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    hostile = event(1, actor={"name": "\x1b[2J\u202e\n" + "x" * 200}, targets=[{"id": "顧客" * 60}])
    wide = event(2, source="顧客" * 20)
    with scripted(page(hostile, wide)) as script:
        assert run(["events", "--url", script.url, "--format", "table"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert r" \x1b[2J\u20…" in lines[1]
    assert all(line.isprintable() and table.cells(line) <= 70 for line in lines)
    assert "…" in lines[1] and "…" in lines[2]


def test_wide_characters_take_two_cells() -> None:
    assert table.cells("a顧b") == 4
    assert table.cut("顧客顧客", 4) == "顧…"
    assert table.cut("顧客", 4) == "顧客"


@pytest.mark.parametrize("width", range(1, 9))
def test_a_cut_text_fits_whatever_its_characters(width: int) -> None:
    for text in ("abcdefgh", "顧客顧客", "a顧b客", "é" * 8):
        assert table.cells(table.cut(text, width)) <= width
        assert table.cut(text, table.cells(text)) == text


def test_a_terminal_gets_the_table(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(page(event(1))) as script:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        assert run(["events", "--url", script.url]) == 0
    assert capsys.readouterr().out.startswith("TIME")


def test_an_answer_that_is_no_indelible_servers_is_one_line(capsys: Captured) -> None:
    with scripted(Says(200, b"<html>", "text/html")) as script:
        assert run(["events", "--url", script.url]) == 69
    assert capsys.readouterr().err == (
        f"indelible: {script.url} answered 200 OK with text/html: is it the address of an Indelible server?\n"
    )
