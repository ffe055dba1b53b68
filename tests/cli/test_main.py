"""The command `indelible`: help, exit codes, and one line instead of a traceback."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module

import click
import pytest

import indelible
from indelible import errors
from indelible.cli import main
from indelible.cli.completion import HOW
from indelible.cli.main import COMMANDS, EXITS, SERVER_PACKAGES, run

COMMAND = [sys.executable, "-m", "indelible"]
Captured = pytest.CaptureFixture[str]


def raising(error: BaseException | type[BaseException]) -> click.Command:
    def callback() -> None:
        raise error

    return click.Command("config", callback=callback)


def outcome(monkeypatch: pytest.MonkeyPatch, command: click.Command) -> int:
    monkeypatch.setattr(main.Commands, "get_command", lambda *_: command)
    return run(["config"])


def leaves(kind: type[errors.IndelibleError]) -> Iterator[type[errors.IndelibleError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from leaves(below)


def test_help_lists_every_command_and_every_exit_code_and_imports_none_of_them() -> None:
    script = (
        "import sys; from indelible.cli.main import run; code = run(['--help'])\n"
        "print([name for name in sys.modules if name.startswith('indelible.') and name not in "
        "('indelible.cli', 'indelible.cli.main', 'indelible.errors')], code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n[] 0\n")
    for name, meaning in COMMANDS.items():
        assert f"  {name:10}  {meaning}\n" in done.stdout
    for code, meaning in EXITS.items():
        assert f" {code:3}  {meaning}\n" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_with_examples(name: str, capsys: Captured) -> None:
    assert isinstance(import_module(f"indelible.cli.{name}").command, click.Command)
    assert run([name, "-h"]) == 0
    assert "Examples:" in capsys.readouterr().out


def test_the_version_is_told(capsys: Captured) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"indelible {indelible.__version__}\n"


@pytest.mark.parametrize("kind", list(leaves(errors.IndelibleError)), ids=lambda kind: kind.__name__)
def test_each_of_our_errors_is_one_line_and_its_own_exit_code(
    kind: type[errors.IndelibleError], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    assert outcome(monkeypatch, raising(kind("this was wrong: do that"))) == kind.exit_code
    assert capsys.readouterr() == ("", "indelible: this was wrong: do that\n")
    assert kind.exit_code in EXITS


@pytest.mark.parametrize("arguments", [["srve"], ["--prot"], ["config", "--prot", "1"], ["config", "more"], ["config", "--port"], []])
def test_what_cannot_be_read_as_a_command_is_64(arguments: list[str], capsys: Captured) -> None:
    assert run(arguments) == 64
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(("Usage: indelible", "Error: "))


@pytest.mark.parametrize("package", sorted(SERVER_PACKAGES))
def test_a_missing_server_package_is_answered_with_what_to_install(package: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    assert outcome(monkeypatch, raising(ModuleNotFoundError("no", name=f"{package}.inner"))) == 69
    how = f"pip install './indelible-{indelible.__version__}.tar.gz[server]', or '.[server]' in the sources"
    assert capsys.readouterr().err == f"indelible: this needs the server's packages, and {package} is missing: {how}\n"


def test_another_missing_module_is_our_fault_and_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModuleNotFoundError):
        outcome(monkeypatch, raising(ModuleNotFoundError("no", name="indelible.attic")))


def test_other_errors_of_click_are_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    assert outcome(monkeypatch, raising(click.FileError("a.ndjson", "no such file"))) == 1
    assert capsys.readouterr().err == "indelible: Could not open file 'a.ndjson': no such file\n"


def test_a_command_may_return_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(monkeypatch, click.Command("config", callback=lambda: 7)) == 7
    assert outcome(monkeypatch, click.Command("config", callback=lambda: None)) == 0


def test_ctrl_c_is_130_without_a_traceback(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    for error in (KeyboardInterrupt, click.Abort):
        assert outcome(monkeypatch, raising(error)) == 130
    assert capsys.readouterr().err.strip() == ""


def test_a_reader_that_goes_away_is_no_error_to_see() -> None:
    script = (
        "import click, sys; from indelible.cli import main\n"
        "main.Commands.get_command = lambda *_: click.Command('x', callback=lambda: [click.echo('x' * 99) for _ in range(9999)] and None)\n"
        "sys.argv[1:] = ['x']; main.main()"
    )
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", script], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_python_m_indelible_is_indelible() -> None:
    done = subprocess.run([*COMMAND, "config", "--port", "http"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == 'indelible: port is "http" (flag --port): it must be a whole number from 0 to 65535\n'


@pytest.mark.parametrize("shell", HOW)
def test_the_completion_script_calls_indelible_and_says_how_to_use_it(shell: str, capsys: Captured) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"_INDELIBLE_COMPLETE={shell}_complete" in script
    assert script.splitlines()[-1] == f"# {HOW[shell]}"
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize(("words", "expected"), [("indelible se", "plain,serve"), ("indelible serve --por", "plain,--port")])
def test_a_shell_is_told_commands_and_flags(words: str, expected: str) -> None:
    environ = {**os.environ, "_INDELIBLE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    script = "import sys; from indelible.cli import main; main.COMMANDS = {'serve': '', 'config': ''}; main.main()"
    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [expected]
