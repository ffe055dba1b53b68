"""The comparison is fair and ends in words: what stands side by side, and what is said when PostgreSQL cannot run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.client import Failed
from bench.peers import postgres
from bench.peers.__main__ import Reached, table


def test_the_medians_stand_side_by_side_and_the_rate_alone_is_judged() -> None:
    ours = [Reached(rate, 5.0, 8.0) for rate in (100_000, 90_000, 400_000)]
    theirs = [Reached(rate, 10.0, 32.0) for rate in (25_000, 1_000, 26_000)]
    rate, p99, cpu = table({("batches", "indelible"): ours, ("batches", "handmade"): theirs}).splitlines()[1:]
    assert rate.split() == ["batches", "100,000", "25,000", "4.00", "events/s", "≥", "4", "times", "met"]
    assert p99.split() == ["…", "5", "10", "0.50", "ms,", "p99"]
    assert cpu.split() == ["…", "8", "32", "0.25", "µs/event,", "processor"]
    assert "MISSED" in table({("x", "indelible"): [Reached(3.9, 1, None)], ("x", "handmade"): [Reached(1, 1, None)]})


def test_a_machine_without_postgresql_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(postgres, "_places", lambda: [tmp_path])
    with pytest.raises(Failed, match=r"PostgreSQL is not here .*apt install postgresql"):
        postgres.programs()


def test_the_first_place_that_has_all_programs_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    has = {"none": [], "half": ["initdb", "psql"], "whole": ["initdb", "psql", "postgres"], "later": ["initdb", "psql", "postgres"]}
    for name, programs in has.items():
        (tmp_path / name).mkdir()
        for program in programs:
            (tmp_path / name / program).touch(mode=0o755)
    places = [tmp_path / "missing", *(tmp_path / name for name in has)]
    monkeypatch.setattr(postgres, "_places", lambda: places)
    assert postgres.programs() == tmp_path / "whole"


def test_a_folder_that_the_other_user_cannot_enter_is_named(tmp_path: Path) -> None:
    (tmp_path / "closed/data").mkdir(parents=True)
    os.chmod(tmp_path / "closed", 0o700)
    with pytest.raises(Failed, match=r"cannot enter .*: name a folder that all may enter"):
        postgres._open_to_all(tmp_path / "closed/data")
