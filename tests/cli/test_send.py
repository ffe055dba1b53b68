"""`indelible send`: what reaches the server, what people are told, and how it ends."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from scripted_server import LOST, problem, receipt, says, scripted, stored
from scripted_server import batch as batch_of
from served import server

from indelible.cli.main import run
from indelible.cli.progress import Progress

Captured = pytest.CaptureFixture[str]
EVENTS = b'{"type":"a","source":"s","data":1e5}\n\n{"id":"own","type":"b","source":"s"}\n{"id":null,"type":"c","source":"s"}\n'


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INDELIBLE_URL", "INDELIBLE_KEY"):
        monkeypatch.delenv(name, raising=False)


def typed(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))


def file_of(folder: Path, text: bytes, name: str = "events.ndjson") -> str:
    (folder / name).write_bytes(text)
    return str(folder / name)


def test_a_file_and_standard_input_send_the_same_bytes_and_end_with_the_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    with scripted(stored(3)) as script:
        assert run(["send", "--url", script.url, file_of(tmp_path, EVENTS)]) == 0
        typed(monkeypatch, EVENTS)
        assert run(["send", "--url", script.url]) == 0
        typed(monkeypatch, EVENTS)
        monkeypatch.setenv("INDELIBLE_URL", script.url)
        assert run(["send", "-"]) == 0

    first, second, third = (asked.body for asked in script.asked)
    assert first == second == third
    one, two, three = first.splitlines()
    assert re.fullmatch(rb'\{"id":"[0-9a-f-]{36}","type":"a","source":"s","data":1e5\}', one)
    assert two == b'{"id":"own","type":"b","source":"s"}'
    assert re.fullmatch(rb'\{"id":"[0-9a-f-]{36}","type":"c","source":"s"\}', three)
    assert capsys.readouterr() == ("stored 3, duplicates 0, conflicts 0, refused 0\n" * 3, "")


def test_each_file_has_its_own_ids_whatever_is_sent_beside_it(tmp_path: Path) -> None:
    one, two = file_of(tmp_path, b'{"type":"a"}\n', "1"), file_of(tmp_path, b'{"type":"b"}\n', "2")
    with scripted(stored(1)) as script:
        assert run(["send", "--url", script.url, one, two]) == 0
        assert run(["send", "--url", script.url, two]) == 0
    assert script.asked[1].body == script.asked[2].body


def test_many_events_are_several_requests(tmp_path: Path, capsys: Captured) -> None:
    with scripted(stored(2), stored(1, 1), stored(1)) as script:
        assert run(["send", "--url", script.url, "--batch", "2", file_of(tmp_path, b'{"id":"x"}\n' * 5)]) == 0
    assert [asked.body.count(b"\n") for asked in script.asked] == [2, 2, 1]
    assert capsys.readouterr().out == "stored 4, duplicates 1, conflicts 0, refused 0\n"


BAD = [{"detail": "source is missing", "index": 1, "pointer": "#/source"}, {"detail": "no\x1b[2J", "index": 2}]


def test_a_refused_request_names_file_and_line_and_ends_it(tmp_path: Path, capsys: Captured) -> None:
    path = file_of(tmp_path, EVENTS + b'{"id":"later"}\n')
    with scripted(problem("not-an-event", 422, "2 of 3 events", BAD)) as script:
        assert run(["send", "--url", script.url, "--batch", "3", path]) == 65
    out, err = capsys.readouterr()
    assert len(script.asked) == 1
    assert out == "stored 0, duplicates 0, conflicts 0, refused 2\n"
    told = err.splitlines()
    assert told[:2] == [f"{path}:3: source is missing", rf"{path}:4: no\x1b[2J"]
    assert told[2] == f"indelible: nothing was stored from {path}:1 on: correct it and send the same input again, or give --skip-bad"


def test_a_refusal_without_places_names_the_lines_of_its_request(tmp_path: Path, capsys: Captured) -> None:
    path = file_of(tmp_path, EVENTS)
    with scripted(problem("too-large", 413, "send at most 2 at once")) as script:
        assert run(["send", "--url", script.url, path]) == 65
    assert capsys.readouterr().err == f"indelible: {path}:1-4: send at most 2 at once\n"


def test_with_skip_bad_the_others_are_stored_and_the_end_is_still_65(tmp_path: Path, capsys: Captured) -> None:
    path = file_of(tmp_path, EVENTS)
    mixed = says(batch_of([receipt(7, at=0)], BAD, stored=1, refused=2))
    with scripted(mixed, stored(3)) as script:
        assert run(["send", "--url", script.url, "--skip-bad", path, path]) == 65
    assert {asked.target for asked in script.asked} == {"/v1/events?on_error=skip"}
    out, err = capsys.readouterr()
    assert out == "stored 4, duplicates 0, conflicts 0, refused 2\n"
    assert err == f"{path}:3: source is missing\n" + rf"{path}:4: no\x1b[2J" + "\n"


def test_bad_events_that_the_server_does_not_list_are_counted(tmp_path: Path, capsys: Captured) -> None:
    path = file_of(tmp_path, b'{"id":"x"}\n' * 500)
    faults = [{"detail": "bad", "index": index} for index in range(100)]
    with scripted(says(batch_of([receipt(0, at=499)], faults, stored=1, refused=499) | {"total": 499})) as script:
        assert run(["send", "--url", script.url, "--skip-bad", path]) == 65
    assert capsys.readouterr().err.splitlines()[100:] == [f"{path}:1-500: and 399 more"]


def test_conflicts_are_named_and_the_end_is_65(tmp_path: Path, capsys: Captured) -> None:
    path = file_of(tmp_path, EVENTS)
    mixed = says(batch_of([receipt(0), receipt(1, "conflict"), receipt(2)], stored=2, conflicts=1))
    with scripted(mixed) as script:
        assert run(["send", "--url", script.url, path]) == 65
    out, err = capsys.readouterr()
    assert out == "stored 2, duplicates 0, conflicts 1, refused 0\n"
    assert err == f"{path}:3: the id 'e1' is taken by other bytes; entry 1 keeps the attempt\n"


def test_a_server_that_is_away_is_waited_for_and_told_once(tmp_path: Path, capsys: Captured) -> None:
    with scripted(LOST, LOST, stored(3)) as script:
        assert run(["send", "--url", script.url, file_of(tmp_path, EVENTS)]) == 0
    assert capsys.readouterr().err == f"waiting for {script.url}: the connection was closed without an answer\n"


def test_no_server_is_69_after_what_was_acknowledged_is_told(tmp_path: Path, capsys: Captured) -> None:
    with scripted(stored(2), LOST) as script:
        assert run(["send", "--url", script.url, "--patience", "0", "--batch", "2", file_of(tmp_path, EVENTS)]) == 69
    out, err = capsys.readouterr()
    assert out == "stored 2, duplicates 0, conflicts 0, refused 0\n"
    assert err == f"indelible: {script.url}: the connection was closed without an answer (tried once)\n"


@pytest.mark.parametrize("arguments", [["no-such-file"], ["."], ["--batch", "0"], ["--batch", "10001"], ["--patience", "-1"]])
def test_what_cannot_be_read_is_64_before_anything_is_sent(arguments: list[str], tmp_path: Path) -> None:
    with scripted(stored(3)) as script:
        assert run(["send", "--url", script.url, file_of(tmp_path, EVENTS), *arguments]) == 64
    assert script.asked == []


def test_an_empty_input_is_no_error(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    typed(monkeypatch, b"\n \n")
    assert run(["send", "--url", "http://127.0.0.1:1"]) == 0
    assert capsys.readouterr().out.startswith("stored 0,")


def test_a_terminal_sees_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    to = Terminal()
    times = iter([0.0, 1.0, 1.0, 1.0])
    shown = Progress(to, lambda: next(times))
    shown.show(500, 0.5)
    assert to.getvalue() == "\r\x1b[K[" + "#" * 12 + "-" * 12 + "] 500 events acknowledged in 1.0 s (500/s)"
    shown.clear()
    assert to.getvalue().endswith("(500/s)\r\x1b[K")


def test_killed_in_the_middle_and_sent_again_the_real_service_holds_every_event_once(tmp_path: Path) -> None:
    lines = [b'{"type":"t.%d","source":"s","data":0.1000}\n' % (number % 7) for number in range(20_000)]
    path = file_of(tmp_path, b"".join(lines))
    with server(tmp_path / "data") as service:
        command = [sys.executable, "-m", "indelible", "send", "--url", service.url, "--batch", "100"]
        sender = subprocess.Popen([*command, "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert sender.stdin
        sender.stdin.write(b"".join(lines[:5000]))
        sender.stdin.flush()
        while service.get("/v1/count")[1]["count"] == 0:
            assert sender.poll() is None
        os.kill(sender.pid, signal.SIGKILL)
        sender.communicate()
        kept = service.get("/v1/count")[1]["count"]
        again = subprocess.run([*command, path], capture_output=True, text=True, check=True)

        assert 0 < kept <= 5000
        assert service.get("/v1/count") == (200, {"count": 20_000, "complete": True})
    found = re.fullmatch(r"stored ([\d,]+), duplicates ([\d,]+), conflicts 0, refused 0\n", again.stdout)
    assert found
    new, known = (int(group.replace(",", "")) for group in found.groups())
    assert new + known == 20_000
    assert known >= kept
    assert json.loads(lines[0])
