"""docs/configuration.md says what the code does: its tables are the code's tables, its examples run."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from indelible.cli.main import COMMANDS, EXITS, indelible
from indelible.config import load
from indelible.model.settings import SETTINGS, Setting

PAGE = (Path(__file__).resolve().parents[2] / "docs/configuration.md").read_text(encoding="utf-8")


def table(heading: str) -> list[str]:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("|")][2:]


def row(setting: Setting) -> str:
    flag = f"`{setting.flag}`" if setting.flag else "—"
    default = "—" if setting.default is None else f"`{setting.show(setting.default)}`"
    return f"|`{setting.name}`|{flag}|`{setting.variable}`|{default}|{setting.meaning}|"


def test_the_table_of_settings_is_the_codes() -> None:
    assert table("Settings") == [row(setting) for setting in SETTINGS]


def test_the_table_of_exit_codes_is_the_codes() -> None:
    assert table("Exit codes") == [f"|{code}|{meaning}|" for code, meaning in EXITS.items()]


def test_the_example_of_a_file_works_and_sets_what_it_says(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "indelible.toml").write_text(example)
    settings = load({"config": str(tmp_path / "indelible.toml")}, {})
    assert (settings.port, settings.data, settings.logs) == (9000, tmp_path / "trail", ("default", "billing"))
    assert (settings.limits.batch_bytes, settings.in_flight) == (32 << 20, 128 << 20)


def test_the_example_of_the_command_prints_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    command, *shown, rest = example.splitlines()
    assert (command, rest) == ("$ INDELIBLE_PORT=9000 indelible config --data /srv/trail", "…")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(indelible, ["config", "--data", "/srv/trail"], env={"INDELIBLE_PORT": "9000"})
    assert result.output.splitlines()[: len(shown)] == shown


def test_the_commands_that_know_the_url_are_those_that_it_lists() -> None:
    (listed,) = re.findall(r"^`INDELIBLE_URL` tells (.*?) where the server is", PAGE, re.MULTILINE)
    with click.Context(indelible) as ctx:
        commands = {name: indelible.get_command(ctx, name) for name in COMMANDS}
    knowing = {name for name, command in commands.items() if command and any(each.envvar == "INDELIBLE_URL" for each in command.params)}
    assert set(re.findall("`(.*?)`", listed)) == knowing
