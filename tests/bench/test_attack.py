"""The hostile clients of the benchmark are hostile: what they send is refused, for what it is, by a server that goes on."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from served import server

from bench import writing
from bench.client import Failed

ROOT = Path(__file__).resolve().parents[2]


def test_each_kind_of_them_is_there_and_refused(tmp_path: Path) -> None:
    with server(tmp_path / "data") as served:
        command = [sys.executable, "-m", "bench.attack", "--port", str(served.port), "--seconds", "1"]
        assert subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60).stdout == b"there\n"
        reasons = {each["reason"].split(" ")[0] for each in served.get("/v1/status")[1]["refused"]}
        assert {"not-an-event", "too-large"} <= reasons
        answers = {digit: int(count) for digit, count in re.findall(rb'answers_total{class="(\d)xx"} (\d+)', served.read("/metrics")[1])}
        assert answers[b"2"] > 100 and answers[b"4"] > 20 and answers[b"5"] == 0


def test_hostile_clients_who_stay_away_count_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "sys", SimpleNamespace(executable="true"))
    gone: Any = SimpleNamespace(port=1)
    with pytest.raises(Failed, match="did not come"), writing.attacked(gone):
        pass
