"""`indelible completion`: click's own script for a shell, with how to use it."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

HOW = {
    "bash": 'in ~/.bashrc:  eval "$(indelible completion bash)"',
    "zsh": 'in ~/.zshrc, after compinit:  eval "$(indelible completion zsh)"',
    "fish": "once:  indelible completion fish > ~/.config/fish/completions/indelible.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(list(HOW)))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands and flags in SHELL.

    \b
    Examples:
      eval "$(indelible completion bash)"           now, or in ~/.bashrc
      eval "$(indelible completion zsh)"            now, or in ~/.zshrc
      indelible completion fish > ~/.config/fish/completions/indelible.fish
    """
    script = get_completion_class(shell)
    assert script
    click.echo(script(ctx.find_root().command, {}, "indelible", "_INDELIBLE_COMPLETE").source())
    click.echo(f"# {HOW[shell]}")  # last: zsh wants its own comment first
