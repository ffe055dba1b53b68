"""`indelible status`: how a server is doing, for people or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from indelible.cli import flags
from indelible.model.counting import counted

_SHOWN = 20  # sources, and reasons of refusals; --format json has them all

EXAMPLES = """
\b
Examples:
  indelible status
  indelible status --url http://10.0.0.5:8080
  indelible status --format json
"""


@click.command(epilog=EXAMPLES)
@flags.server(patience=5)
@click.option("--format", "form", type=click.Choice(["text", "json"]), help="[default: text on a terminal, else JSON]")
def command(url: str, patience: float, form: str | None) -> int:
    """Show how a server is doing: is it ready, how long the disk lasts, what was refused, who was heard of last, which receipts hold.

    INDELIBLE_KEY is sent if it is set. Exit status 1: it is not ready for all that it is for, what it shows is not complete, the journal
    does not hold what was written, no checkpoint is signed, or a witness has seen another history.
    """
    from msgspec.json import decode

    from indelible.client import Client

    with Client(url, patience=patience) as client:
        raw = client.status()
    status: dict[str, Any] = decode(raw)
    if (form or ("text" if sys.stdout.isatty() else "json")) == "json":
        click.echo(raw)
    else:
        for line in lines(status, datetime.now(UTC)):
            click.echo(line)
    wanted = ["read"] if status["read_only"] else ["read", "write"]
    return 0 if status["complete"] and _is_sound(status) and all(status["ready"][purpose] == "ok" for purpose in wanted) else 1


def _is_sound(status: dict[str, Any]) -> bool:
    """Whether the journal holds what was written, checkpoints are signed, and no witness has seen another history."""
    found = status.get("fsck") and status["fsck"]["findings"]
    alarmed = any(witness["alarms"] for witness in status.get("witnesses", []))
    return not found and not alarmed and status.get("signing") in (None, "ok")


def lines(status: dict[str, Any], now: datetime) -> Iterable[str]:
    """The status for people; `now` tells how long ago each source was heard."""
    from indelible.client.answers import plain

    yield from _aligned(_heads(status))
    for log in status["logs"]:
        yield from _log(log)
    for witness in status.get("witnesses", []):  # an older server has none
        yield from _witness(witness, now)
    if status["refused"]:
        yield "refused since the start"
        yield from _aligned([(str(each["count"]), plain(each["source"]), plain(each["reason"])) for each in status["refused"][:_SHOWN]])
        yield from _more(status["refused"])
    if status["sources"]:
        yield "last event of each source"
        rows = [(plain(each["source"]), each["log"], f"index {each['index']:,}", _ago(each["time"], now)) for each in status["sources"]]
        yield from _aligned(rows[:_SHOWN])
        yield from _more(status["sources"])


def _heads(status: dict[str, Any]) -> list[tuple[str, str]]:
    from indelible.client.answers import plain

    disk = status["disk"]
    rows = [
        ("version", f"{status['version']}, started {status['started']}{', read-only' if status['read_only'] else ''}"),
        *((f"ready to {purpose}", said) for purpose, said in status["ready"].items()),
        ("folded", f"{counted(status['position'], 'event')}{'' if status['complete'] else ', and there is more that was not read'}"),
    ]
    if status.get("signing") not in (None, "ok"):
        rows.append(("NOT SIGNED", status["signing"]))
    if status["damage"]:
        rows.append(("damaged", plain(status["damage"])))
    if status.get("fsck"):
        rows.append(("journal read again", _scrubbed(status["fsck"])))
        rows += [("WRONG", plain(finding)) for finding in status["fsck"]["findings"]]
    if disk:
        rows += [("journal", _size(disk["journal"])), ("disk", f"{_size(disk['free'])} free, {_lasting(disk)}")]
    sync = status["fsync_p99"]
    return [*rows, ("fsync p99", "none yet" if sync is None else f"{sync * 1000:.1f} ms")]


def _scrubbed(fsck: dict[str, Any]) -> str:
    through = f"last through at {fsck['finished']}" if fsck["finished"] else "not through yet"
    return f"{counted(fsck['position'], 'event')} in this round, {through}, {counted(len(fsck['findings']), 'finding')}"


def _lasting(disk: dict[str, Any]) -> str:
    if disk["per_hour"] is None:
        return "the rate is known after a minute"
    if disk["hours_left"] is None:
        return "nothing is added"
    return f"{counted(round(disk['hours_left']), 'hour')} at {_size(disk['per_hour'])} an hour"


def _log(log: dict[str, Any]) -> Iterable[str]:
    yield f"log {log['name']}: {counted(log['size'], 'entry', 'entries')}"
    if len(log["trees"]) > 1:
        rows = [(f"generation {tree['generation']}", f"from index {tree['start']:,}", tree["since"] or "") for tree in log["trees"]]
        yield from _aligned(rows)
    for void in log["void"]:
        yield f"  receipts from before {void['before']} for index {void['from']:,} or higher no longer hold"


def _witness(witness: dict[str, Any], now: datetime) -> Iterable[str]:
    from indelible.client.answers import plain

    last = f"cosigned {_ago(witness['last_ok'], now)}" if witness["last_ok"] else "has cosigned nothing since the start"
    owes = f", {counted(witness['behind'], 'log')} behind for {witness['lag']:,.0f} s" if witness["behind"] else ""
    trouble = f"; {witness['last_outcome']}: {plain(witness['last_detail'])}" if witness["last_detail"] else ""
    yield f"witness {plain(witness['name'])}: {last}{owes}{trouble}"
    alarms = list(witness["alarms"].items())
    yield from (f"  ALARM log {log}: {plain(detail)}" for log, detail in alarms[:_SHOWN])
    yield from _more(alarms)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _more(rows: Sequence[Any]) -> Iterable[str]:
    if len(rows) > _SHOWN:
        yield f"  and {len(rows) - _SHOWN:,} more: --format json has them"


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} TiB"


def _ago(time: str, now: datetime) -> str:
    seconds = max(0, int((now - datetime.fromisoformat(time)).total_seconds()))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size:,} {unit} ago"
    return f"{seconds} s ago"
