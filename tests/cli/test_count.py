"""`indelible count`: one number."""

from __future__ import annotations

import pytest
from scripted_server import problem, says, scripted

from indelible.cli.main import run

Captured = pytest.CaptureFixture[str]


def test_it_prints_the_number_alone(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INDELIBLE_KEY", "a-key")
    with scripted(says({"count": 1234567})) as script:
        assert run(["count", "--url", script.url, "type=a.*", "type=b", "--log", "x"]) == 0
    assert capsys.readouterr() == ("1234567\n", "")
    assert script.asked[0].target == "/v1/logs/x/count?type=a.*&type=b"
    assert script.asked[0].headers["authorization"] == "Bearer a-key"


@pytest.mark.parametrize("word", ["limit=5", "cursor=abc", "typ=a", "nothing"])
def test_what_means_nothing_to_a_count_is_64(word: str, capsys: Captured) -> None:
    assert run(["count", "--url", "http://127.0.0.1:1", word]) == 64
    assert word.partition("=")[0] in capsys.readouterr().err


def test_the_servers_refusal_is_one_line_and_its_exit_code(capsys: Captured) -> None:
    with scripted(problem("unauthorized", 401, "a key is needed: send Authorization: Bearer KEY")) as script:
        assert run(["count", "--url", script.url]) == 77
    assert capsys.readouterr().err == "indelible: the key is missing or not the server's: set INDELIBLE_KEY to it\n"


def test_an_address_that_cannot_work_is_one_line(capsys: Captured) -> None:
    assert run(["count", "--url", "localhost:8080"]) == 78
    assert capsys.readouterr().err.startswith("indelible: 'localhost:8080' is not the address of a server: write it as http://")
