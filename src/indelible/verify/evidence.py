"""An evidence file, as `indelible evidence` writes it: all that is in it, held against the checkpoints in it."""

from __future__ import annotations

from pathlib import Path

from indelible.evidence.check import check
from indelible.verify.terms import Terms, Verdict
from indelible.verify.trust import Accepted


def verify(target: str, terms: Terms) -> Verdict:
    """The file. Raises Malformed or Unproven, with the first thing in it that does not hold."""
    report = check(Path(target), terms.trust.policy, terms.progress)
    case = report.case
    for opened in report.opened:
        terms.compare(Accepted(opened, report.confirmed))
    entries = f"entries {case.first} to {case.last - 1} of log {case.log}"
    which = "every entry that a checkpoint signs" if case.unsigned else "every entry"
    others = f"{which} is in it, so no other of them matches" if case.complete else "others may match"
    lines = [f"{report.proven} events of {entries} match {case.question!r} and are in the log; {others}"]
    if report.unproven:
        lines.append(f"{report.unproven} more match and stand under no checkpoint: their tree had ended")
    if case.unsigned:
        lines.append(f"{case.unsigned} entries of the range stand under no checkpoint: nothing in the file shows that they are the log's")
    lines += [f"{opened.checkpoint.origin}: {opened.checkpoint.size} entries" for opened in report.opened]
    if report.cosigners:
        lines.append(f"cosigned by {', '.join(report.cosigners)}")
    if not report.page:
        lines.append("report.html and README.txt were written by another version and not compared: rely on what stands here")
    return Verdict(lines, report.confirmed)
