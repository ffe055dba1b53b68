"""`indelible verify`: check what a log shows, by keys that came from elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from indelible.errors import IndelibleError

if TYPE_CHECKING:
    from indelible.cli.progress import Progress
    from indelible.verify.terms import Terms

UNCONFIRMED, PARTLY, UNPROVEN = 3, 1, 65

EXAMPLES = """
\b
Examples:
  indelible verify https://trail.example.com --key "$VKEY"
  indelible verify /srv/trail --policy policy.txt
  indelible verify receipt.json --server https://trail.example.com --event event.json
  indelible verify case.zip --key "$VKEY"
  indelible verify default-5.tlog-proof --entry header.json --key "$VKEY"
"""
_FILE = click.Path(exists=True, dir_okay=False)


@click.command(epilog=EXAMPLES)
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@click.option("--key", "keys", multiple=True, metavar="VKEY", help="A log's public key, from anywhere but the target; may stand again.")
@click.option("--policy", metavar="FILE", type=_FILE, help="Whose signatures are enough: logs, witnesses and a quorum.")
@click.option("--from", "before", multiple=True, metavar="CHECKPOINT", type=_FILE, help="A checkpoint from before; it has to be continued.")
@click.option("--all", "again", is_flag=True, help="Look at every entry again, also at those that were verified before.")
@click.option("--server", metavar="URL", help="Of a receipt or a proof: the server that is asked.")
@click.option("--data", metavar="DIR", type=click.Path(exists=True, file_okay=False), help="The same, a data directory.")
@click.option("--event", metavar="FILE", type=_FILE, help="Of a receipt: the event's bytes, as they were sent.")
@click.option("--entry", metavar="FILE", type=_FILE, help="Of a .tlog-proof: the entry's header.")
@click.option("--state", metavar="FILE", type=click.Path(dir_okay=False), help="Where verified checkpoints are remembered.")
@click.option("--forget", is_flag=True, help="What is remembered of the log does not count, and is replaced.")
@click.option("--patience", type=click.FloatRange(0), default=60, show_default=True, help="Seconds to wait for a server that is away.")
def command(targets: tuple[str, ...], **given: Any) -> int:
    """Check that a log is what was signed and continues what it was: a server, a data directory, a receipt, a proof, an evidence file.

    Exit status 0: all of it holds, and a key from elsewhere signed it. 1: an evidence file shows what stands under no checkpoint. 3: it is
    consistent with itself, and nobody has said whose key that is. 65: it does not hold; the first bad place is named. INDELIBLE_KEY is sent
    to servers if it is set.
    """
    from pathlib import Path

    from indelible.verify.memory import Memory, usual
    from indelible.verify.targets import content
    from indelible.verify.terms import Terms, earlier
    from indelible.verify.trust import trust

    files = {name: content(given[name]) if given[name] else None for name in ("policy", "event", "entry")}
    terms = Terms(
        trust(given["keys"], files["policy"]),
        Memory(Path(given["state"]) if given["state"] else usual(os.environ)),
        [(name, earlier(name, content(name))) for name in given["before"]],
        event=files["event"],
        entry=files["entry"],
        key=os.environ.get("INDELIBLE_KEY", ""),
        **{name: given[name] for name in ("again", "forget", "server", "data", "patience")},
    )
    return max((_verified(target, terms, len(targets) > 1) for target in targets), key=_weight)


def _verified(target: str, terms: Terms, several: bool) -> int:
    """The exit code of one target."""
    from indelible.client.answers import plain
    from indelible.verify.targets import verify

    shown, progress = _progress()
    try:
        verdict = verify(target, terms._replace(progress=progress))
    except IndelibleError as error:
        shown.say(f"indelible: {f'{target}: ' if several else ''}{plain(error.detail)}")
        return error.exit_code
    shown.clear()
    for line in verdict.lines:
        click.echo(plain(line))  # ids, origins and names of witnesses are others' words
    if verdict.unproven:
        click.echo(plain(f"NOT PROVEN: {verdict.unproven}"))
    elif verdict.confirmed:
        click.echo("verified")
    if not verdict.confirmed:
        click.echo("consistent with itself, signer not confirmed: give the log's key, from anywhere but here, with --key or --policy")
    return PARTLY if verdict.unproven else 0 if verdict.confirmed else UNCONFIRMED


def _progress() -> tuple[Progress, Callable[[int, int], None]]:
    """A bar on a terminal, and nothing elsewhere."""
    from indelible.cli.progress import Progress

    shown = Progress(sys.stderr, what="looked at")

    def progress(done: int, total: int) -> None:
        if shown.rewrites:
            shown.show(done, done / total if total else None)

    return shown, progress


def _weight(code: int) -> tuple[bool, bool, int]:
    """What does not hold counts over what could not be looked at or is not proven, and that over an unknown signer."""
    return code == UNPROVEN, code not in (0, UNCONFIRMED), code
