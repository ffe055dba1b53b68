"""What an evidence file proves and what not, in words: the same in its report, to whoever writes it and to whoever checks it."""

from __future__ import annotations

from indelible.evidence.case import Case
from indelible.model.counting import counted

_ALONE = "under no checkpoint: the server's word alone, signed by nobody"
_NOT_SAID = "Does not prove that what the events say is true, that clocks were right, or that everything that happened was sent to the log."


def first_line(case: Case) -> str:
    """All of it in a paragraph. It says that it proves only where every event that matches is proven."""
    proven, but = _proven(case), doubt(case)
    if not but:
        return f"Proves {proven}. {_NOT_SAID}"
    return f"NOT PROVEN: {but}. Proven is {f'only {proven}' if proven else 'nothing'}. {_NOT_SAID}"


def doubt(case: Case) -> str:
    """What the question asks for and no checkpoint signs; empty if all of that is proven."""
    clauses = []
    if case.unproven and case.matching == 1:
        clauses.append(f"the one event that matches stands {_ALONE}")
    elif case.unproven:
        clauses.append(f"{case.unproven:,} of the {case.matching:,} events that match {_verb(case.unproven, 'stands', 'stand')} {_ALONE}")
    if case.complete and case.unsigned:
        which = counted(case.unsigned, "entry", "entries")
        clauses.append(f"{which} of the range {_verb(case.unsigned, 'stands', 'stand')} {_ALONE}")
    if not case.complete and not case.matching:
        clauses.append("no event is shown, and others may match")
    return "; ".join(clauses)


def others(case: Case) -> str:
    """What is known of entries that are not shown as matching."""
    which = "every entry that a checkpoint signs" if case.unsigned else "every entry"
    return f"{which} is in it, so no other of them matches" if case.complete else "others may match"


def _proven(case: Case) -> str:
    """What a checkpoint shows; empty if that is nothing."""
    clauses = []
    if shown := case.matching - case.unproven:
        which = "the other" if case.unproven else "the"
        events = f"{which} one event below is" if shown == 1 else f"{which} {shown:,} events below are"
        clauses.append(f"that {events}, byte for byte, in the log {case.log!r} as its signed checkpoint has it")
    if case.complete and any(True for _ in case.parts()):
        which = "matches that a checkpoint signs" if case.unsigned else "matches"
        clauses.append(f"that no other entry from {case.first} up to, not including, {case.last} {which}")
    elif clauses:
        clauses.append("nothing about other events: others may match")
    return ", and ".join(clauses)


def _verb(number: int, one: str, more: str) -> str:
    return one if number == 1 else more
