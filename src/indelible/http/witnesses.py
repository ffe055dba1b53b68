"""The witnesses of this service: read from a policy file, asked over HTTP, told of in the log and the status."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from indelible.errors import Malformed, Misconfigured
from indelible.http.answers import WitnessStatus
from indelible.http.log import say
from indelible.http.posting import Poster
from indelible.log.publisher import Publisher
from indelible.log.witnessing.asking import Outcome
from indelible.log.witnessing.standing import Report
from indelible.log.witnessing.witnesses import Witnesses
from indelible.model import times
from indelible.tree.policy import MOST_BYTES, Policy, is_met, parse_policy


def read_policy(path: Path, described: str) -> Policy:
    """Raises Misconfigured for a file that is none, or whose quorum the witnesses that can be asked do not make up.

    `described` says, for that, which setting names the file.
    """
    try:
        with path.open("rb") as file:
            policy = parse_policy(file.read(MOST_BYTES + 1))
        urls = {name: witness.url for name, witness in policy.witnesses.items() if witness.url}
        for url in urls.values():
            Poster(url, 1)
    except OSError as error:
        raise Misconfigured(f"{described} and cannot be read: {error.strerror}: name a policy file, or none") from None
    except (Malformed, Misconfigured) as error:
        raise Misconfigured(f"{described}: {error.detail}") from None
    if not is_met(policy, [policy.witnesses[name].key for name in urls]):
        raise Misconfigured(f"{described}: the witnesses that have a URL do not make up its quorum: add the URLs, or ask for fewer")
    return policy


def asked(policy: Policy, publisher: Publisher, seconds: float) -> Witnesses:
    """The witnesses of `policy`, for the checkpoints of `publisher`; each answer may take so many seconds."""
    witnesses = Witnesses(policy, publisher, lambda url: Poster(url, seconds), tell)
    publisher.is_witnessed = witnesses.quorum.is_witnessed
    return witnesses


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
