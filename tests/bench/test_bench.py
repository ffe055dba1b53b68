"""The benchmark tells the truth: rows are what their names say, what cannot be right ends the run, and nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import served

from bench import frames, generator, measurements, page, parts, profile, reading, report, rows, writing
from bench.client import Failed
from bench.events import event
from bench.load import Result
from bench.processes import family, total
from bench.server import Server, discarding_server, offered
from indelible.journal.file import open_file_journal
from indelible.log.recorder import Recorder

ROOT = Path(__file__).resolve().parents[2]


def test_a_count_that_differs_from_what_was_acknowledged_is_a_failure(tmp_path: Path) -> None:
    with discarding_server(tmp_path) as server:
        result = generator.send(server, 1000, 4, 5000)
        assert generator.confirm(server, result.acknowledged) > 0
        with pytest.raises(Failed, match="5001 events were acknowledged, and /v1/count says"):
            generator.confirm(server, 5001)


def test_a_server_is_gone_when_its_block_ends_however_it_ends(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), discarding_server(tmp_path) as server:
        process = server.pid
        raise KeyboardInterrupt
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_server_that_does_not_start_is_told_with_its_words(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"No module named bench\.nothing"):
        Server([sys.executable, "-m", "bench.nothing"], tmp_path, "/readyz")


def test_the_run_ends_on_sigterm_and_leaves_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, "-m", "bench", "--only", "parts", "--data", str(data)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        process.stderr.readline()  # run 1 of 3: parts …
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
    assert not data.exists()


def test_a_row_is_judged_by_its_median_and_shows_its_spread() -> None:
    name = "batches of 1,000 × 4"
    runs: list[dict[str, float | None]] = [{name: value, rows.HASHES: 400_000.0} for value in (90_000.0, 140_000.0, 160_000.0)]
    row = report.table(runs, full=True).splitlines()[1]
    assert row.split("  ")[0] == name
    for words in ("140,000", "90,000", "160,000", "≥ 170,000  MISSED", "0.35 of decode + 3 SHA-256"):
        assert words in row
    assert "≥ 170,000  met" in report.table([{name: 170_000.0}], full=True)


@pytest.mark.parametrize(
    ("value", "full", "words"), [(299.0, True, "met"), (300.0, True, "MISSED"), (300.0, False, "not judged"), (None, True, "–")]
)
def test_memory_is_judged_by_the_full_amount_alone(value: Any, full: bool, words: str) -> None:
    assert words in report.table([{"resident, nothing read yet": value}], full=full)


def test_every_measured_name_is_a_row(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = {row.name for row in report.ROWS}
    assert {row.limit for row in report.ROWS} - {""} <= names
    result = Result(1, 1, 1, 1, 1, 1, 1, 1)
    for module in (parts, reading, writing):
        monkeypatch.setattr(module, "send", lambda *_, **__: result)
        monkeypatch.setattr(module, "confirm", lambda *_: 1.0)
    for module in (reading, writing):
        monkeypatch.setattr(module, "Sending", Idle)
        monkeypatch.setattr(module, "indelible_server", Idle)
    monkeypatch.setattr(writing, "offered", lambda flag: True)
    monkeypatch.setattr(writing, "attacked", Idle)
    monkeypatch.setattr(reading, "_warm", lambda *_: {})
    monkeypatch.setattr(reading, "_read_meanwhile", lambda *_: (result, [1.0]))
    monkeypatch.setattr(parts, "discarding_server", Idle)
    monkeypatch.setattr(parts, "syncing", lambda *_: {})
    measured = {name for measure in measurements.MEASUREMENTS.values() for name in measure(tmp_path, 100)}
    assert measured <= names
    assert names - measured == {"by id, warm", "last 100 of an actor, warm", "count of a type, warm"} | SYNCS


def test_the_page_says_of_each_measurement_what_happens() -> None:
    text = (ROOT / "docs/performance.md").read_text()
    section = text.partition("## What is measured")[2].partition("\n## ")[0]
    assert re.findall(r"^\|`(\w+)`\|", section, re.MULTILINE) == list(measurements.MEASUREMENTS)


SYNCS = {"fdatasync of 541 KB", "fdatasync of 4 KiB"}


class Idle:
    """In place of a server, or of a generator that is sending."""

    started = 1.0
    port = 1
    going_on = True

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> Idle:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def cpu(self) -> None:
        return None

    def resident(self) -> None:
        return None

    def stop(self) -> Result:
        return Result(1, 1, 1, 1, 1, 1, 1, 1)


def test_what_the_server_does_not_offer_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert offered("--port") and not offered("--por") and not offered("--nothing")
    monkeypatch.setattr(writing, "offered", lambda flag: False)
    assert writing.workers(tmp_path, 100) == {}


def test_a_count_that_shrinks_or_a_page_of_others_ends_the_run_with_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    page = {"complete": True, "events": [{"actor": {"id": "customer-000"}}]}
    for answers, words in (
        ([{"count": 20}, page, {"count": 10}], "10.* after 20"),
        ([{"count": 10}, {**page, "complete": False}], "1 events of customer-000 are found among 10"),
        ([{"count": 90_000}, page], "1 events of customer-000 are found among 90000"),
        ([{"count": 10}, {"complete": True, "events": [{"actor": {"id": "customer-001"}}]}], "of customer-000 are found"),
        ([{"count": 100_001}], "100001"),
    ):
        monkeypatch.setattr(reading, "Sending", Idle)
        monkeypatch.setattr(reading, "_EVERY", 0)
        with pytest.raises(Failed, match=words):
            reading._read_meanwhile(Asked(answers), 100_000)  # type: ignore[arg-type]


def test_a_journal_that_is_written_directly_is_one_that_single_posts_leave(tmp_path: Path) -> None:
    asyncio.run(frames.write(tmp_path, 2000))
    journal = open_file_journal(tmp_path)
    assert [placed.frame.text for placed in journal.reader().frames(journal.first, journal.end.position)] == [
        event(number) + b"\n" for number in range(2000)
    ]
    recorder = Recorder(journal)
    recorder.replay()
    assert recorder.size("default") == 2000
    asyncio.run(journal.close())
    with served.server(tmp_path) as running:
        assert running.get("/v1/count")[1]["count"] == 2000


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")
def test_the_processes_that_a_server_started_count_as_its_own() -> None:
    before = len(family(os.getpid()))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        members = family(os.getpid())
        assert len(members) == before + 1
        assert total(stat.resident for stat in members) > total(stat.resident for stat in family(process.pid)) > 0  # type: ignore[operator]
        process.communicate(b"\n")
    assert family(process.pid) == []


def test_a_page_gets_its_table_between_its_marks_and_keeps_all_else(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("a\n<!-- bench -->\nold\n<!-- /bench -->\nz\n")
    for text in ("one", "two\nthree"):
        page.write(path, "bench", text)
        assert path.read_text() == f"a\n<!-- bench -->\n```text\n{text}\n```\n<!-- /bench -->\nz\n"
    with pytest.raises(SystemExit, match="has no lines <!-- other --> and <!-- /other -->"):
        page.write(path, "other", "x")


def test_a_profile_counts_for_the_innermost_function_that_is_told_apart() -> None:
    loop = "main (indelible/cli/main.py:83);run (indelible/http/server.py:29)"
    cycle = "RequestResponseCycle.run_asgi (uvicorn/protocols/http/httptools_impl.py:420)"
    stacks = [
        f"{loop};Runner.run (asyncio/runners.py:118) 2",
        f"{loop};{cycle};Ingest._stored (indelible/http/ingest.py:66);headers.<locals>.<listcomp> (indelible/model/entry.py:7) 5",
        f"{loop};{cycle};Ingest._stored (indelible/http/ingest.py:70);sleep (asyncio/tasks.py:639) 1",
        f"{loop};{cycle} 3",
        "_bootstrap (threading.py:988) 4",
    ]
    assert profile.shares(stacks) == {
        ("indelible/http/server.py", "run"): 2,
        ("indelible/model/entry.py", "headers.<locals>.<listcomp>"): 5,
        ("indelible/http/ingest.py", "Ingest._stored"): 1,
        ("uvicorn/protocols/http/httptools_impl.py", "RequestResponseCycle.run_asgi"): 3,
        ("elsewhere", "-"): 4,
    }


class Asked:
    """A server that gives these answers in turn."""

    port = 1

    def __init__(self, answers: list[Any]) -> None:
        self._answers = iter(answers)

    def ask(self, path: str) -> tuple[Any, float]:
        return next(self._answers), 0.0
