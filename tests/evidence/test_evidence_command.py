"""`indelible evidence` against a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from paper import contents
from scripted_server import says, scripted
from served import Server, server

from indelible.cli.main import run
from indelible.evidence.check import check

Captured = pytest.CaptureFixture[str]
LINES = [b'{"id":"b-%d","type":"customer.billed","source":"billing","actor":{"id":"%d"}}' % (at, at % 7) for at in range(520)]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INDELIBLE_URL", "INDELIBLE_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("data")) as made:
        assert made.post(LINES)[0] == 201
        assert made.post([b'{"id":"b-3","type":"customer.billed","source":"billing"}'])[0] == 409
        yield made


def test_an_event_is_written_with_all_that_proves_it(trail: Server, tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "case.zip"
    assert run(["evidence", "--url", trail.url, "--id", "b-3", "--as", "J. Doe", "-o", str(path)]) == 0
    report = check(path)
    assert (report.proven, report.case.touching, report.case.asked_by) == (1, 1, "J. Doe")
    members = contents(path)
    assert members["matching/events.ndjson"] == LINES[3] + b"\n"
    assert json.loads(members["touching/events.ndjson"])["data"]["index"] == 3
    out = capsys.readouterr().out
    assert "1 events of entries 0 to 520 match; others may match" in out and "compare it with one from elsewhere" in out


def test_a_question_over_a_whole_range(trail: Server, tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "case.zip"
    asked = ["--filter", "actor.id=3", "--filter", "type=customer.*", "--from", "100", "--to", "400", "--complete"]
    assert run(["evidence", "--url", trail.url, *asked, "-o", str(path)]) == 0
    assert check(path).proven == len([at for at in range(100, 400) if at % 7 == 3])
    assert contents(path)["range/events.ndjson"] == b"".join(line + b"\n" for line in LINES[100:400])
    assert "every entry is in it" in capsys.readouterr().out


def test_a_file_that_is_there_is_kept_unless_it_is_forced(trail: Server, tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "case.zip"
    path.write_bytes(b"precious")
    command = ["evidence", "--url", trail.url, "--id", "b-1", "-o", str(path)]
    assert run(command) == 78
    assert path.read_bytes() == b"precious" and "give --force" in capsys.readouterr().err
    assert run([*command, "--force"]) == 0
    assert check(path).proven == 1


def test_an_id_that_nobody_sent_leaves_no_file(trail: Server, tmp_path: Path, capsys: Captured) -> None:
    assert run(["evidence", "--url", trail.url, "--id", "nobody", "-o", str(tmp_path / "case.zip")]) == 64
    assert run(["evidence", "--url", trail.url, "--filter", "nobody=1", "-o", str(tmp_path / "case.zip")]) == 64
    assert run(["evidence", "--url", trail.url, "-o", str(tmp_path / "case.zip")]) == 64
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(trail: Server, tmp_path: Path, capsys: Captured) -> None:
    assert run(["evidence", "--url", trail.url, "--id", "b-1", "-o", str(tmp_path / "gone" / "case.zip")]) == 78
    assert "could not be written: No such file" in capsys.readouterr().err


def test_a_server_that_breaks_off_leaves_no_file(tmp_path: Path, capsys: Captured) -> None:
    trees = {"log": "default", "size": 1, "trees": []}
    with scripted(says(trees)) as script:
        assert run(["evidence", "--url", script.url, "--patience", "0", "--id", "a", "-o", str(tmp_path / "case.zip")]) != 0
    assert list(tmp_path.iterdir()) == []
