"""`indelible config`: a table of what is in force, without secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from indelible.cli.main import run
from indelible.model.settings import SETTINGS

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_setting_is_shown_with_its_value_and_origin_in_columns(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    Path("indelible.toml").write_text('logs = ["default", "billing"]')
    monkeypatch.setenv("INDELIBLE_KEY", "Sesame" * 6)
    monkeypatch.setenv("INDELIBLE_BATCH_BYTES", "8388608")

    assert run(["config", "--host", "0.0.0.0"]) == 0

    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == ""
    assert [line.split()[0] for line in lines] == ["setting", *(setting.name for setting in SETTINGS)]
    column = lines[0].index("origin")
    assert {line[column - 2 : column] for line in lines} == {"  "}
    shown = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}
    assert " ".join(shown["host"].split()) == "0.0.0.0 flag --host"
    assert " ".join(shown["batch_bytes"].split()) == "8 MiB variable INDELIBLE_BATCH_BYTES"
    assert " ".join(shown["logs"].split()) == "default,billing indelible.toml"
    assert " ".join(shown["key"].split()) == "(set) variable INDELIBLE_KEY"
    assert "Sesame" not in out


def test_a_file_is_named_by_its_flag(capsys: Captured) -> None:
    Path("other.toml").write_text("port = 9")
    assert run(["config", "--config", "other.toml"]) == 0
    assert "other.toml" in capsys.readouterr().out
    assert run(["config", "--config", "none.toml"]) == 78


def test_every_setting_but_the_key_is_a_flag_with_its_default_in_the_help(capsys: Captured) -> None:
    assert run(["config", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for setting in SETTINGS:
        flag = setting.flag if setting.switch else f"{setting.flag} {setting.form}"
        assert setting.flag is None or f"{flag} {setting.meaning} [default: {setting.show(setting.default)}]" in text
    assert "--key" not in text
