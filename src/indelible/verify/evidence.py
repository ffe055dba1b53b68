"""An evidence file, as `indelible evidence` writes it: all that is in it, held against the checkpoints in it."""

from __future__ import annotations

from pathlib import Path

from indelible.evidence.check import check
from indelible.evidence.claims import doubt, others
from indelible.model.counting import counted
from indelible.verify.terms import Terms, Verdict
from indelible.verify.trust import Accepted


def verify(target: str, terms: Terms) -> Verdict:
    """The file. Raises Malformed or Unproven, with the first thing in it that does not hold."""
    report = check(Path(target), terms.trust.policy, terms.progress)
    case = report.case
    for opened in report.opened:
        terms.compare(Accepted(opened, report.confirmed))
    entries = f"entries {case.first} to {case.last - 1} of log {case.log}"
    verbs = "matches {!r} and is" if report.proven == 1 else "match {!r} and are"
    lines = [f"{counted(report.proven, 'event')} of {entries} {verbs.format(case.question)} in the log; {others(case)}"]
    lines += [f"{opened.checkpoint.origin}: {counted(opened.checkpoint.size, 'entry', 'entries')}" for opened in report.opened]
    if report.cosigners:
        lines.append(f"cosigned by {', '.join(report.cosigners)}")
    if not report.page:
        lines.append("report.html and README.txt were written by another version and not compared: rely on what stands here")
    return Verdict(lines, report.confirmed, doubt(case))
