"""docs/witnesses.md says what the code does: its example is a policy, its table the outcomes, its numbers those in force."""

from __future__ import annotations

import re
from pathlib import Path

from indelible.http import posting
from indelible.log.witnessing import standing, witnesses
from indelible.log.witnessing.asking import Outcome
from indelible.model.settings import BY_NAME
from indelible.tree.policy import Group, parse_policy

PAGE = (Path(__file__).resolve().parents[2] / "docs/witnesses.md").read_text(encoding="utf-8")


def test_the_example_is_a_policy_whose_witnesses_can_be_asked() -> None:
    (example,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    policy = parse_policy(example.encode())
    assert policy.groups == {"two": Group(2, ("city", "uni", "own"))}
    for witness in policy.witnesses.values():
        posting.Poster(witness.url or "", 1)


def test_the_table_of_outcomes_is_the_codes() -> None:
    assert re.findall(r"^\|`([a-z]+)`\|", PAGE, re.MULTILINE) == [str(outcome) for outcome in Outcome]


def test_the_numbers_are_those_in_force() -> None:
    assert (standing.FIRST, standing.LONGEST, standing.REFUSED, standing.ALARMED) == (1, 120, 600, 300)
    assert "after 1 s, then 2, 4, up to 120" in PAGE and "every 10 minutes" in PAGE and "every 5 minutes" in PAGE
    assert (standing.MOST_RETRY_AFTER, standing.TELL_AGAIN) == (3600, 3600)
    assert "up to an hour" in PAGE and "once an hour" in PAGE
    assert witnesses.LANES == 4 and "four at once" in PAGE
    assert posting._MOST == 80 << 10 and "80 KiB" in PAGE
    assert BY_NAME["witness_timeout"].default == 10 and "`witness_timeout` seconds (10)" in PAGE
