"""A loss begins a new tree: indices go on, the recorder says so live as after a replay, and nobody outside can say it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_support import Sent, Watched, opened, prepared, state, with_journal

from indelible.errors import NotAnEvent
from indelible.journal.file import FileJournal
from indelible.log.rebuild import damage_frame
from indelible.model.damage import Gap, damage_in
from indelible.model.receipt import Status

LOGS = ("default", "eu")
Step = tuple[str, tuple[Sent, ...] | bool]
"""A log, and what comes: events, or damage that lost something or nothing."""

sent = st.builds(Sent, st.sampled_from("ab"), st.sampled_from([None, "x", "y"]), st.integers(0, 1))
steps = st.lists(
    st.tuples(st.sampled_from(LOGS), st.booleans() | st.lists(sent, min_size=1, max_size=4).map(tuple)), min_size=1, max_size=12
)


def root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, 2.1, as it stands there."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + root(leaves[:split]) + root(leaves[split:])).digest()


async def take(journal: FileJournal, recorder: Watched, step: Step, number: int) -> None:
    """Some steps share their moment: a replay takes frames of one moment together."""
    log, what = step
    moment = 1 + number // 4
    if isinstance(what, tuple):
        await recorder.record(await prepared([one.line for one in what], log, moment))
        return
    gap = Gap("00000001.journal", 1, 2, what, "any")
    recorder.fold([await journal.append(damage_frame(log, gap, recorder, moment, bytes([number]) * 16))])


@given(steps, st.sampled_from([3, 1 << 20]))
@settings(max_examples=40)
def test_each_loss_begins_a_tree_with_its_event_and_indices_go_on(drawn: list[Step], generation: int) -> None:
    async def work(journal: FileJournal) -> None:
        recorder = opened(journal, generation)
        for number, step in enumerate(drawn):
            before, size = recorder.head(step[0]), recorder.size(step[0])
            await take(journal, recorder, step, number)
            if step[1] is True:
                last = recorder.generations(step[0])[-1]
                assert (last.number, last.start, last.tree.size) == (before.generation + 1, size, 1)
                assert (last.since, last.lost) == (1 + number // 4, 0 if before.index is None else before.index + 1)
        for log in LOGS:
            leaves = entries(recorder, [log for log, _ in drawn], log)
            found = recorder.generations(log)
            assert len(found) == 1 + sum(what is True for each, what in drawn if each == log)
            assert recorder.size(log) == len(leaves)
            bounds = [*(each.start for each in found), len(leaves)]
            assert [each.tree.root() for each in found] == [root(leaves[start:stop]) for start, stop in pairwise(bounds)]
            assert recorder.head(log).root == found[-1].tree.root()
        again = opened(journal, generation)
        assert state(again, LOGS) == state(recorder, LOGS)
        assert again.told == recorder.told
        for log in LOGS:
            shown = [(each[:2], each.tree.root(), each[3:]) for each in again.generations(log)]
            assert shown == [(each[:2], each.tree.root(), each[3:]) for each in recorder.generations(log)]

    with tempfile.TemporaryDirectory() as directory:
        with_journal(Path(directory), work)


def entries(recorder: Watched, logs: Sequence[str], log: str) -> list[bytes]:
    """The leaves of a log's entries, going by what was said of each frame: an index that is new has an entry."""
    leaves: list[bytes] = []
    for each, told in zip(logs, recorder.told, strict=True):
        for status, index, leaf, _ in told if each == log else ():
            if index == len(leaves):
                assert status is not Status.duplicate
                leaves.append(leaf)
    return leaves


def test_a_duplicate_of_an_event_before_the_loss_keeps_its_first_receipt(tmp_path: Path) -> None:
    async def work(journal: FileJournal) -> None:
        recorder = opened(journal)
        event = Sent("a", "x", 0)
        await take(journal, recorder, ("default", (event,)), 1)
        await take(journal, recorder, ("default", True), 2)
        await take(journal, recorder, ("default", (event, Sent("a", "x", 1))), 3)
        assert [each[:2] for each in recorder.told[-1]] == [(Status.duplicate, 0), (Status.conflict, 2)]
        assert recorder.generations("default")[1].tree.size == 2

    with_journal(tmp_path, work)


@pytest.mark.parametrize("type", ["indelible.damage", "indelible.conflict", "indelible.anything"])
def test_nobody_outside_sends_what_only_the_service_may_say(type: str, tmp_path: Path) -> None:
    async def work(journal: FileJournal) -> None:
        line = b'{"type":"%b","source":"indelible","data":{"lost":true}}' % type.encode()
        with pytest.raises(NotAnEvent, match="indelible"):
            await prepared([line])

    with_journal(tmp_path, work)


def test_an_event_of_a_source_called_indelible_is_no_damage() -> None:
    assert damage_in(b'{"type":"t","source":"indelible","data":{"type":"indelible.damage"}}') is None
