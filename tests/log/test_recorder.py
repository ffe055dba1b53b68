"""The recorder against a list and a dict: what it says of an event, live and after a replay, is what they say."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_support import Said, Sent, Watched, opened, prepared, said, state, with_journal

from indelible.errors import JournalFailed, JournalFull
from indelible.journal.file import FileJournal
from indelible.journal.port import Frame, Position
from indelible.journal.reader import FileReader
from indelible.log.prepare import Prepared
from indelible.log.recorder import Recorder
from indelible.model.conflict import conflict_entry
from indelible.model.entry import Origin
from indelible.model.receipt import Status


class Request(NamedTuple):
    log: str
    events: tuple[Sent, ...]
    key: str | None


@dataclass
class Model:
    """What the recorder promises, written a second time. `generation` is that of the window."""

    generation: int
    leaves: dict[str, list[bytes]] = field(default_factory=dict)
    chains: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    receipts: dict[tuple[str, int], tuple[bytes, int]] = field(default_factory=dict)
    position: int = 0

    def record(self, prepared: Prepared) -> list[Said]:
        return [self._one(prepared, at) for at in range(len(prepared.ids))]

    def _one(self, prepared: Prepared, at: int) -> Said:
        frame, line = prepared.frame, prepared.lines[at]
        key = (frame.log, prepared.sources[at], prepared.ids[at])
        log = self.leaves.setdefault(frame.log, [])
        oldest = (self.position // self.generation - 1) * self.generation
        chain = self.chains.get(key)
        visible = [seen for seen in chain["seen"] if seen[0] >= oldest] if chain else []
        if not chain or not visible:
            chain = self.chains[key] = {"first": len(log), "line": line, "seen": []}
            status, index = Status.stored, len(log)
            log.append(prepared.leaves[at])
        else:
            same = next((seen for seen in visible if seen[1] == line), None)
            if same:
                status, index = same[2], same[3]
            elif line == chain["line"]:
                status, index = Status.duplicate, chain["first"]
            else:
                status, index = Status.conflict, len(log)
                salt = frame.salts[16 * at : 16 * at + 16]
                log.append(conflict_entry(key[1], key[2], chain["first"], line, salt, Origin(frame.recorded, "-", "native")).leaf)
        self.receipts.setdefault((frame.log, index), (log[index], frame.recorded))
        chain["seen"].append((self.position, line, Status.duplicate if status is Status.stored else status, index))
        self.position += 1
        return status, index, *self.receipts[frame.log, index]


def root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, 2.1, as it stands there."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + root(leaves[:split]) + root(leaves[split:])).digest()


def refused(logs: Sequence[str], told: Sequence[Sequence[Said]]) -> tuple[set[int], set[int]]:
    """The positions without an entry, and those of conflict entries, going by what was said."""
    sizes = dict.fromkeys(logs, 0)
    dropped, conflicts = set(), set()
    position = 0
    for log, request in zip(logs, told, strict=True):
        for status, index, _, _ in request:
            if index < sizes[log]:
                dropped.add(position)
            elif status is Status.conflict:
                conflicts.add(position)
            sizes[log] = max(sizes[log], index + 1)
            position += 1
    return dropped, conflicts


sent = st.builds(Sent, st.sampled_from("ab"), st.sampled_from([None, "x", "y", "z"]), st.integers(0, 2))
requests = st.lists(
    st.builds(
        Request,
        st.sampled_from(["default", "eu"]),
        st.lists(sent, min_size=1, max_size=6).map(tuple),
        st.sampled_from([None, None, "k1", "k2"]),
    ),
    min_size=1,
    max_size=12,
)


@given(requests, st.sampled_from([1, 2, 3, 5, 8, 1 << 20]), st.sampled_from([1, 2, 5]))
@settings(max_examples=200)
def test_whatever_comes_is_settled_as_a_list_and_a_dict_settle_it_live_and_replayed(
    drawn: list[Request], generation: int, together: int
) -> None:
    async def work(journal: FileJournal) -> None:
        recorder, model = opened(journal, generation), Model(generation)
        expected: list[list[Said]] = []
        for moment in range(0, len(drawn), together):
            run = [
                await prepared([one.line for one in request.events], request.log, 1_700_000_000_000_000 + moment, request.key)
                for request in drawn[moment : moment + together]
            ]
            expected += map(model.record, run)
            assert [said(each) for each in await recorder.record_all(run)] == expected[-len(run) :]
        for log, leaves in model.leaves.items():
            assert (recorder.size(log), recorder.head(log).root) == (len(leaves), root(leaves))
        assert recorder.folded == model.position
        again = opened(journal, generation)
        assert state(again, ("default", "eu")) == state(recorder, ("default", "eu"))
        assert again.told == expected
        found = again.refusals(Position(0), again.folded)
        assert (found.dropped, found.conflicts.keys()) == refused([request.log for request in drawn], expected)

    with tempfile.TemporaryDirectory() as directory:
        with_journal(Path(directory), work)


@given(requests, st.sampled_from([3, 1 << 20]))
@settings(max_examples=60)
def test_keys_that_collide_only_cost_a_look(drawn: list[Request], generation: int) -> None:
    class Colliding(Watched):
        def _keys(self, log: str, sources: Sequence[str], ids: Sequence[str]) -> list[int]:
            return [len(source) for source in sources]

    async def work(journal: FileJournal) -> None:
        recorder, model = Colliding(journal, generation), Model(generation)
        recorder.replay()
        for moment, request in enumerate(drawn):
            made = await prepared([one.line for one in request.events], request.log, moment, request.key)
            assert said(await recorder.record(made)) == model.record(made)

    with tempfile.TemporaryDirectory() as directory:
        with_journal(Path(directory), work)


def test_a_replay_tells_how_far_it_is_and_is_ready_at_its_end(tmp_path: Path) -> None:
    async def work(journal: FileJournal) -> None:
        recorder = opened(journal)
        for place in range(3):
            await recorder.record(await prepared([Sent("a", None, place).line] * 2, recorded=place))
        other, told = Recorder(journal), list[tuple[int, int]]()
        assert not other.ready
        other.replay(lambda done, total: told.append((done, total)))
        assert told == [(2, 6), (4, 6), (6, 6)]
        assert other.ready

    with_journal(tmp_path, work)


def test_what_nobody_waited_for_any_more_is_folded_before_what_came_after_it(tmp_path: Path) -> None:
    async def work(journal: FileJournal) -> None:
        recorder = opened(journal)
        await recorder.record(await prepared([Sent("a", "1", 0).line]))
        gone = asyncio.create_task(recorder.record(await prepared([Sent("a", "2", 0).line, Sent("a", "3", 0).line])))
        await asyncio.sleep(0)  # it is with the journal now
        gone.cancel()
        await asyncio.wait([gone])
        after = await recorder.record(await prepared([Sent("a", "2", 0).line, Sent("a", "4", 0).line]))
        assert [(status, index) for status, index, _, _ in said(after)] == [(Status.duplicate, 1), (Status.stored, 3)]
        assert state(opened(journal), ["default"]) == state(recorder, ["default"])

    with_journal(tmp_path, work)


def test_requests_at_once_get_their_indexes_in_the_journals_order(tmp_path: Path) -> None:
    async def work(journal: FileJournal) -> None:
        recorder = opened(journal)
        made = [await prepared([Sent("a", f"{place}-{at}", 0).line for at in range(3)]) for place in range(20)]
        recorded = await asyncio.gather(*map(recorder.record, made))
        assert [each.first for each in recorded] == list(range(0, 60, 3))
        same = [await prepared([Sent("b", "one", 0).line]) for _ in range(64)]
        indexes = [said(each)[0][:2] for each in await asyncio.gather(*map(recorder.record, same))]
        assert sorted(indexes, key=str) == [(Status.duplicate, 60)] * 63 + [(Status.stored, 60)]

    with_journal(tmp_path, work)


def test_a_failed_write_is_told_once_and_nothing_is_recorded_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(journal: FileJournal) -> None:
        recorder, told = opened(journal), list[JournalFailed]()
        recorder.on_failure = told.append

        async def failing(frames: Sequence[Frame]) -> Any:
            await asyncio.sleep(0)
            raise JournalFailed("EIO")

        monkeypatch.setattr(journal, "append_all", failing)
        two = [await prepared([Sent("a", None, number).line]) for number in range(2)]
        outcomes = await asyncio.gather(*map(recorder.record, two), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [JournalFailed, JournalFailed]
        assert recorder.failed and len(told) == 1
        monkeypatch.undo()
        with pytest.raises(JournalFailed):
            await recorder.record(await prepared([Sent("a", None, 1).line]))
        assert (recorder.size("default"), journal.end.position) == (0, 0)

    with_journal(tmp_path, work)


def test_a_fold_that_stops_halfway_ends_the_process_and_the_next_start_folds_its_frame_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(journal: FileJournal) -> None:
        recorder, told = opened(journal), list[JournalFailed]()
        recorder.on_failure = told.append
        await recorder.record(await prepared([Sent("a", "x", 0).line]))

        def unreadable(self: FileReader, unit: int, offset: int, length: int) -> bytes:
            monkeypatch.undo()
            raise OSError("too many open files")

        monkeypatch.setattr(FileReader, "text", unreadable)
        two = [await prepared([Sent("a", "y", 0).line, Sent("a", "x", 0).line]), await prepared([Sent("a", "z", 0).line])]
        outcomes = await asyncio.gather(*map(recorder.record, two), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [JournalFailed, JournalFailed]
        assert recorder.failed and len(told) == 1 and "too many open files" in told[0].detail
        again = opened(journal)
        assert [[one[:2] for one in request] for request in again.told] == [
            [(Status.stored, 0)],
            [(Status.stored, 1), (Status.duplicate, 0)],
            [(Status.stored, 2)],
        ]

    with_journal(tmp_path, work)


def test_a_full_journal_changes_nothing_and_the_next_event_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(journal: FileJournal) -> None:
        recorder = opened(journal)

        async def full(frames: Sequence[Frame]) -> Any:
            raise JournalFull("no room")

        monkeypatch.setattr(journal, "append_all", full)
        made = await prepared([Sent("a", "x", 0).line])
        with pytest.raises(JournalFull):
            await recorder.record(made)
        assert (recorder.size("default"), recorder.folded, recorder.failed) == (0, 0, False)
        monkeypatch.undo()
        assert said(await recorder.record(made))[0][:2] == (Status.stored, 0)

    with_journal(tmp_path, work)


def test_the_tiles_of_a_large_batch_are_closed_in_the_turns_after_it(tmp_path: Path) -> None:
    async def work(journal: FileJournal) -> None:
        recorder = opened(journal)
        await recorder.record(await prepared([b'{"type":"t","source":"s","id":"%d"}' % number for number in range(3000)]))
        tree = recorder.generations("default")[-1].tree
        assert tree.close(0), "the receipts waited for them"
        for _ in range(3000 // 256):
            await asyncio.sleep(0)
        assert not tree.close(0)
        assert not opened(journal).generations("default")[-1].tree.close(0)

    with_journal(tmp_path, work)
