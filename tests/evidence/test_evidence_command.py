"""`indelible evidence` against a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from paper import KEY, ORIGIN, Paper, contents, events
from scripted_server import problem, says, scripted
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
    assert "1 event of entries 0 to 520 matches; others may match" in out and "compare it with one from elsewhere" in out


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


@pytest.mark.parametrize("asked", [("--id", "nobody"), ("--filter", "actor.id=nobody")])
def test_nothing_that_matches_is_worth_a_file_with_the_whole_range_only(
    asked: tuple[str, str], trail: Server, tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "case.zip"
    assert run(["evidence", "--url", trail.url, *asked, "-o", str(path)]) == 1
    assert "no event of log 'default' matches" in capsys.readouterr().err and list(tmp_path.iterdir()) == []
    assert run(["evidence", "--url", trail.url, *asked, "--to", "300", "--complete", "-o", str(path)]) == 0
    assert "0 events of entries 0 to 299 match; every entry is in it" in capsys.readouterr().out
    assert check(path).proven == 0


def test_what_makes_no_sense_is_said_to_and_leaves_no_file(trail: Server, tmp_path: Path, capsys: Captured) -> None:
    path = str(tmp_path / "case.zip")
    for asked in (["--filter", "nobody=1"], [], ["--id", "b-1", "--to", "9999"], ["--id", "b-1", "--from", "5", "--to", "5"]):
        assert run(["evidence", "--url", trail.url, *asked, "-o", path]) == 64
    assert run(["evidence", "--url", trail.url, "--log", "nolog", "--id", "b-1", "-o", path]) == 64
    assert "there is no log 'nolog'; this server has: default" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_log_without_entries_is_asked_too_early(tmp_path: Path, capsys: Captured) -> None:
    with server(tmp_path / "data") as empty:
        assert run(["evidence", "--url", empty.url, "--id", "a", "-o", str(tmp_path / "case.zip")]) == 75
    assert "has no entries yet" in capsys.readouterr().err and not (tmp_path / "case.zip").exists()


class Lent(Paper):
    """What a command takes for its client."""

    def __enter__(self) -> Lent:
        return self

    def __exit__(self, *_: object) -> None:
        pass


LIES = [line.replace(b'"4.50', b'"666.50') for line in events(9)]
GENERATION = b'{"type":"indelible.generation","source":"indelible","data":{"generation":2,"index":8,"checkpoint":null}}'
ASKED = {  # the filters, and what is said of them: in these trees the lie is under no checkpoint
    "the lie alone": (["--id", "e-4"], "NOT PROVEN: the one event that matches stands under no checkpoint", 1),
    "the lie and what is signed": (["--id", "e-4", "--id", "f-1"], "NOT PROVEN: 1 of the 2 events that match stands under", 1),
    "what is signed, and that there is no other": (["--id", "f-1", "--complete"], "NOT PROVEN: 9 entries of the range stand under", 1),
    "what is signed": (["--id", "f-1"], "", 0),
}


@pytest.mark.parametrize("what", ASKED)
def test_what_stands_under_no_checkpoint_ends_with_1_and_a_line(
    what: str, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    filters, says, status = ASKED[what]
    lent = Lent(LIES, [GENERATION, *[line.replace(b'"e-', b'"f-') for line in events(4)]], published=[0, 5])
    monkeypatch.setattr("indelible.client.Client", lambda url, **_: lent)
    path, state = tmp_path / "case.zip", ["--state", str(tmp_path / "state")]
    assert run(["evidence", *filters, "-o", str(path)]) == status
    out = capsys.readouterr().out
    assert says in out and ("checked against" in out) == (what != "the lie alone")
    keys = ["--key", KEY.public.vkey, "--key", KEY.named(f"{ORIGIN}/g2").public.vkey]
    assert run(["verify", str(path), *keys, *state]) == status
    out = capsys.readouterr().out
    assert says in out and ("verified" in out.splitlines()) == (status == 0)
    assert run(["verify", str(path), *state]) == (status or 3)
    out = capsys.readouterr().out
    assert says in out and "signer not confirmed" in out and "verified" not in out.splitlines()
    assert contents(path)["report.html"].decode().count('<p class="first">Proves that') == 1 - status


def test_a_folder_that_is_not_there_is_named(trail: Server, tmp_path: Path, capsys: Captured) -> None:
    assert run(["evidence", "--url", trail.url, "--id", "b-1", "-o", str(tmp_path / "gone" / "case.zip")]) == 78
    assert "could not be written: No such file" in capsys.readouterr().err


def test_a_server_that_breaks_off_leaves_no_file(tmp_path: Path, capsys: Captured) -> None:
    trees = {"log": "default", "size": 1, "trees": []}
    with scripted(says(trees)) as script:
        assert run(["evidence", "--url", script.url, "--patience", "0", "--id", "a", "-o", str(tmp_path / "case.zip")]) != 0
    assert list(tmp_path.iterdir()) == []


def test_damage_is_not_asked_again_and_leaves_no_file(tmp_path: Path, capsys: Captured) -> None:
    with scripted(problem("damaged", 500, "the server's log says more")) as script:
        assert run(["evidence", "--url", script.url, "--id", "a", "-o", str(tmp_path / "case.zip")]) == 65
        assert len(script.asked) == 1
    assert "the server's log says more" in capsys.readouterr().err and list(tmp_path.iterdir()) == []
