"""The command `indelible`: finds the command that was asked for, and turns whatever it raises into one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from indelible import __version__
from indelible.errors import IndelibleError

USAGE, UNAVAILABLE, BROKEN_PIPE, INTERRUPTED = 64, 69, 141, 130
COMMANDS = {  # name: its help in one line; the command is `command` in cli/<name>.py, imported when it is asked for
    "serve": "Keep the trail: take events, store them, answer questions.",
    "config": "Show the settings in force, and where each comes from.",
    "send": "Send events from files or standard input.",
    "events": "Show the events that match, newest first.",
    "count": "Count the events that match.",
    "evidence": "Write what a log says into a file that proves it.",
    "status": "Show how a server is doing.",
    "repair": "Show what is damaged in a data directory, and make it whole.",
    "verify": "Check that a log is what was signed, and continues what it was.",
    "fsck": "Check the parts of a data directory against each other.",
    "keys": "Show, make and rotate the keys that sign checkpoints.",
    "adopt": "Let a data directory sign again that was put back from a backup.",
    "demo": "Run a shop of twelve services that sends its trail.",
    "completion": "Print the script that completes commands in a shell.",
}
EXITS = {
    0: "done",
    1: "something went wrong inside, the server is not ready, its answer or what it proves is not complete, or `demo` found a difference",
    3: "consistent with itself, but signed by a key that nobody has confirmed: `verify` without a key from elsewhere",
    64: "a command, flag, filter, log or event that does not exist, or cannot be read",
    65: "the events were refused, the data directory is damaged, or a proof does not hold",
    69: "no server answers, or the server's packages are not installed",
    74: "the disk failed: whether the last events were stored is unknown",
    75: "busy, full, in use by another process, or not signed yet: try again later",
    77: "the key is missing or wrong",
    78: "a setting cannot work",
    130: "interrupted by Ctrl-C",
    141: "whoever read the output has gone",
}
SERVER_PACKAGES = frozenset(("httptools", "pyarrow", "starlette", "uvicorn", "uvloop", "xxhash"))
_EPILOG = """\b
Examples:
  indelible serve --data ./data
  echo '{"type": "customer.billed", "source": "billing"}' | indelible send
  indelible events --help

\b
Exit codes:
"""


class Commands(click.Group):
    """The table above as a group; help needs no command's module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"indelible.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # before click makes a 1 of it, which would look like an error of ours
            return _gone()


@click.group(
    cls=Commands,
    epilog=_EPILOG + "\n".join(f"  {code:3}  {meaning}" for code, meaning in EXITS.items()),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="indelible %(version)s")
def indelible() -> None:
    """Indelible keeps the audit trail of a system of microservices: what, when and where."""


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """The exit code of `indelible` with these arguments. A command may return its own."""
    try:
        code = indelible.main(arguments, prog_name="indelible", standalone_mode=False)
        sys.stdout.flush()
    except IndelibleError as error:
        from indelible.client.answers import plain

        return _failed(plain(error.detail), error.exit_code)  # it may quote a server, or a file from anybody
    except click.UsageError as error:
        error.show()
        return USAGE
    except click.ClickException as error:
        return _failed(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        return _gone()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in SERVER_PACKAGES:
            raise
        how = f"pip install './indelible-{__version__}.tar.gz[server]', or '.[server]' in the sources"
        return _failed(f"this needs the server's packages, and {package} is missing: {how}", UNAVAILABLE)
    return code if isinstance(code, int) else 0


def _failed(detail: str, code: int) -> int:
    click.echo(f"indelible: {detail}", err=True)
    return code


def _gone() -> int:
    """Nobody reads on, as in `indelible events | head`. What Python would still flush at the end goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE
