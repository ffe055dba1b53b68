"""`indelible config`: what is in force and from where. The flags of the settings, which `serve` has too, are made here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import click

from indelible import config
from indelible.model.settings import BY_NAME, SETTINGS, Setting

FIRST = ("data", "host", "port")  # what people look for in --help; the others follow in the table's order

EXAMPLES = """
\b
Examples:
  indelible config
  indelible config --config /etc/indelible.toml --port 9000
"""


def flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` --config and a flag for each setting but the secret ones: keyword arguments, texts or None."""
    return flags_of(*FIRST, *(setting.name for setting in SETTINGS if setting.name not in FIRST), makes=True)(command)


def flags_of(*names: str, makes: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The same for some of the settings. `makes`: the command makes the data directory where there is none."""

    def give(command: Callable[..., Any]) -> Callable[..., Any]:
        for setting in (BY_NAME[name] for name in reversed(names)):
            if setting.flag:
                command = click.option(setting.flag, setting.name, help=_help(setting, makes), **_kind(setting))(command)
        return click.option("--config", metavar="FILE", type=click.Path(), help=_FILE)(command)

    return give


def _kind(setting: Setting) -> dict[str, Any]:
    if setting.switch:
        return {"flag_value": "true", "default": None, "type": click.STRING}
    return {"metavar": setting.form, "type": click.Path() if setting.form == "DIR" else click.STRING}  # a shell completes paths


_FILE = f"A TOML file with settings.  [variable {config.FILE_VARIABLE}; {config.FILE} if it is there]"


def _help(setting: Setting, makes: bool) -> str:
    meaning = setting.meaning if makes or setting.name != "data" else "The data directory."
    return f"{meaning}  [default: {setting.show(setting.default)}]"


@click.command(epilog=EXAMPLES)
@flags
def command(**given: str | None) -> None:
    """Show the settings in force, and where each comes from.

    A flag counts over a variable (INDELIBLE_PORT for --port), a variable over the file, the file over the default.
    """
    click.echo(aligned([("setting", "value", "origin"), *config.load(given, os.environ).rows()]))


def aligned(rows: Iterable[tuple[str, str, str]]) -> str:
    """Rows of three, in columns."""
    rows = list(rows)
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    return "\n".join(f"{name:{first}}  {value:{second}}  {origin}" for name, value, origin in rows)
