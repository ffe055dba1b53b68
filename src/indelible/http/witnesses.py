"""What this service lets its operator know of the witnesses: lines in the log, and their part of the status."""

from __future__ import annotations

from collections.abc import Iterable

from indelible.http.answers import WitnessStatus
from indelible.http.log import say
from indelible.log.witnessing.asking import Outcome
from indelible.log.witnessing.standing import Report
from indelible.model import times


def tell(witness: str, log: str, outcome: Outcome, detail: str) -> None:
    """A line: an alarm is an error, all else a warning."""
    if outcome is Outcome.alarm:
        say("witness-alarm", "error", witness=witness, log=log, detail=detail)
    else:
        say("witness", "warning", witness=witness, log=log, outcome=str(outcome), detail=detail)


def status(reports: Iterable[Report]) -> list[WitnessStatus]:
    return [
        WitnessStatus(
            report.name,
            report.url,
            None if report.last_ok is None else times.text(int(report.last_ok * 1_000_000)),
            report.last_outcome,
            report.last_detail,
            report.behind,
            round(report.lag, 3),
            report.alarms,
        )
        for report in reports
    ]
