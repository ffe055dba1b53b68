"""Checkpoints: one history, strictly growing, durable before they are shown, wherever the process ends."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import shutil
from collections.abc import Coroutine
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from journal_disk import Crash, PowerCut, Watched
from signing_support import MOMENT, ORIGIN, Quick, Seen, Trees, keys_of, opened, root_of, tick, verified

from indelible.errors import Damaged, JournalFailed, JournalFull
from indelible.log.generations import Generation
from indelible.log.publisher import Publisher
from indelible.log.shown import RECENT, Shown
from indelible.model.receipt import State
from indelible.signing import ledger as ledger_module
from indelible.signing.directory import made, rotated
from indelible.signing.ledger import read_ledger
from indelible.signing.notes import Notes, Sealed
from indelible.tree.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from indelible.tree.cosignature import Witness
from indelible.tree.keys import SigningKey
from indelible.tree.merkle import Hash, Tree
from indelible.tree.note import parse_note

LOGS = ("a", "b", "c")
WITNESS = SigningKey("witness.example", bytes(32))


def cosigned(note: bytes, time: int = MOMENT, witness: SigningKey = WITNESS) -> Any:
    return Witness(witness, time).sign(parse_note(note).text)


def test_a_log_gets_a_checkpoint_when_it_has_grown_and_none_while_it_is_empty(tmp_path: Path) -> None:
    trees, seen = Trees(LOGS), Seen()
    publisher = opened(tmp_path, trees, seen)
    tick(publisher)
    assert publisher.published("a") is None
    trees.grow("a", 300)
    assert publisher.published("a") is None
    tick(publisher)
    assert verified(publisher, "a", f"{ORIGIN}/a") == (300, root_of(trees.leaves["a"]))
    note = publisher.published("a")
    tick(publisher)
    assert publisher.published("a") == note and seen.newest == {f"{ORIGIN}/a": 300}
    assert publisher.published("b") is None


def test_a_thousand_logs_that_grow_at_once_take_one_sync(tmp_path: Path) -> None:
    syncs: list[str] = []
    trees = Trees([f"log-{number}" for number in range(1000)])
    disk = Watched()
    publisher = opened(tmp_path, trees, files=disk)
    disk.before = lambda operation, path: syncs.append(operation) if "sync" in operation else None
    for log in trees.trees:
        trees.grow(log, 3)
    tick(publisher)
    assert syncs == ["fdatasync"]
    assert all(publisher.published(log) for log in trees.trees)


def test_nothing_is_shown_before_its_sync_has_returned(tmp_path: Path) -> None:
    trees, disk = Trees(LOGS), Watched()
    publisher = opened(tmp_path, trees, files=disk)
    at_sync: list[bytes | None] = []
    disk.before = lambda operation, path: at_sync.append(publisher.published("a"))
    for _ in range(3):
        trees.grow("a", 1)
        tick(publisher)
        assert publisher.published("a") not in at_sync
    assert len(at_sync) == 6


def scenario(data: Path, trees: Trees, seen: Seen, files: Watched) -> None:
    """Two processes one after the other: growth, cosignatures, a rotation of keys."""
    publisher = opened(data, trees, seen, files)
    for step in range(5):
        for log in LOGS[: 1 + step % 3]:
            trees.grow(log, 1 + 90 * step)
        tick(publisher)
        if (latest := publisher.latest("a")) and step % 2:
            publisher.add_cosignatures("a", latest.checkpoint.size, [cosigned(latest.note)])
    publisher.close()
    rotated(files, data, MOMENT, 100)
    seen.resigned = True
    publisher = opened(data, trees, seen, files)
    for _ in range(3):
        tick(publisher)
        trees.grow("b", 7)
    publisher.close()


@pytest.mark.parametrize("room", [4 << 20, 900], ids=["one file", "often written anew"])
def test_whenever_the_power_goes_what_was_shown_is_known_and_goes_on(tmp_path: Path, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each operation on the disk it goes three times: what lies in the page cache alone is lost, or kept in part."""
    monkeypatch.setattr(ledger_module, "LARGEST", room)
    cuts: list[tuple[Path, Seen, dict[str, int]]] = []
    trees, seen = Trees(LOGS), Seen()

    def cut(operation: str, path: Path) -> None:
        for luck in (None, random.Random(len(cuts)), random.Random(-len(cuts))):
            cuts.append((tmp_path / f"cut-{len(cuts)}", seen.copy(), {log: len(leaves) for log, leaves in trees.leaves.items()}))
            disk.cut(cuts[-1][0], luck)

    (tmp_path / "data" / "signing").mkdir(parents=True)
    disk = PowerCut(tmp_path / "data" / "signing", before=cut)
    scenario(tmp_path / "data", trees, seen, disk)
    disk.release()
    assert len(cuts) > 100
    for data, shown, sizes in cuts:
        if not (data / "signing" / "keys.json").exists():
            assert not shown.newest
            continue
        holds_what_was_shown(data, shown, sizes)
        shutil.rmtree(data)


def holds_what_was_shown(data: Path, shown: Seen, sizes: dict[str, int]) -> None:
    """A start on what the disk holds knows all that was shown, refuses a journal that lacks it, and goes on from one that has it."""
    known = read_ledger(data / "signing").notes.newest()
    for origin, size in shown.newest.items():
        assert known[origin].size >= size
        assert shown.roots[origin, size] == known[origin].root or known[origin].size > size
    for wrong in ("shorter", "other"):
        trees = Trees(LOGS)
        for log, size in sizes.items():
            signed = known[f"{ORIGIN}/{log}"].size if f"{ORIGIN}/{log}" in known else 0
            trees.grow(log, signed - 1 if signed and wrong == "shorter" else size, "x" if signed and wrong == "other" else "")
        if known:
            with pytest.raises(Damaged, match="journal holds .*indelible adopt" if wrong == "shorter" else "not those that were signed"):
                opened(data, trees)
    trees = Trees(LOGS)
    for log, size in sizes.items():
        trees.grow(log, size)
    publisher = opened(data, trees)
    for log in LOGS:
        trees.grow(log, 5)
    publisher.on_published.append(shown)
    tick(publisher)
    publisher.close()
    assert shown.newest == {f"{ORIGIN}/{log}": len(trees.leaves[log]) for log in LOGS}


class Unsynced(Watched):
    """Counts its syncs as operations, and waits for none."""

    def fsync(self, fd: int) -> None:
        self.before("fsync", self.paths[fd])

    def fdatasync(self, fd: int) -> None:
        self.before("fdatasync", self.paths[fd])


class Histories(RuleBasedStateMachine):
    """Processes that grow, sign and are killed between any two operations on the disk; what was shown must hold for ever."""

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.data = Path(self.folder.name)
        self.trees, self.seen = Trees(LOGS), Seen()
        self.left: int | None = None
        self.full = False
        self.publisher: Publisher | None = None
        self.start()

    def before(self, operation: str, path: Path) -> None:
        if self.full and operation == "pwrite":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Crash

    def start(self) -> None:
        self.publisher = opened(self.data, self.trees, self.seen, Unsynced(self.before))

    @rule(log=st.sampled_from(LOGS), count=st.integers(1, 300))
    def grow(self, log: str, count: int) -> None:
        self.trees.grow(log, count)

    @rule()
    def tick(self) -> None:
        assert self.publisher
        tick(self.publisher)
        assert all(self.seen.newest.get(f"{ORIGIN}/{log}", 0) == len(leaves) for log, leaves in self.trees.leaves.items())

    @rule()
    def tick_on_a_full_disk(self) -> None:
        assert self.publisher
        before = dict(self.seen.newest)
        self.full = True
        tick(self.publisher)
        self.full = False
        assert self.seen.newest == before

    @rule(log=st.sampled_from(LOGS), time=st.integers(1, 9))
    def cosign(self, log: str, time: int) -> None:
        assert self.publisher
        if latest := self.publisher.latest(log):
            assert self.publisher.add_cosignatures(log, latest.checkpoint.size, [cosigned(latest.note, time)])

    @rule(steps=st.integers(0, 12), signing=st.booleans())
    def killed(self, steps: int, signing: bool) -> None:
        """After so many operations, in a tick or in the start after it; then it starts again."""
        assert self.publisher
        self.left = steps
        try:
            if signing:
                tick(self.publisher)
            self.start()
        except Crash:
            pass
        self.left = None
        self.start()

    @precondition(lambda self: self.seen.newest)
    @rule(data=st.data())
    def started_on_another_journal(self, data: st.DataObject) -> None:
        """One that lacks the last entry that was shown, or has another in its place."""
        log = data.draw(st.sampled_from([origin.rpartition("/")[2] for origin in self.seen.newest]))
        trees = Trees(LOGS)
        for each in LOGS:
            trees.grow(each, len(self.trees.leaves[each]) if each != log else self.seen.newest[f"{ORIGIN}/{log}"] - 1)
        if data.draw(st.booleans()):
            trees.grow(log, 1, "x")
        with pytest.raises(Damaged):
            opened(self.data, trees)
        self.start()

    @invariant()
    def what_is_shown_is_true(self) -> None:
        for log in LOGS:
            if self.publisher and (latest := self.publisher.latest(log)):
                size = latest.checkpoint.size
                assert verified(self.publisher, log, f"{ORIGIN}/{log}") == (size, root_of(self.trees.leaves[log][:size]))

    def teardown(self) -> None:
        self.folder.cleanup()


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=120, stateful_step_count=25)


@pytest.mark.parametrize("operation", ["fdatasync", "pwrite"])
def test_a_failed_sync_ends_the_process_and_nothing_more_is_signed(tmp_path: Path, operation: str) -> None:
    trees, disk, failures = Trees(LOGS), Watched(), list[JournalFailed]()
    publisher = opened(tmp_path, trees, files=disk)
    publisher.on_failure = failures.append
    trees.grow("a", 1)

    def fail(done: str, path: Path) -> None:
        if done == operation:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    disk.before = fail
    tick(publisher)
    disk.before = lambda operation, path: None
    assert [error.exit_code for error in failures] == [74]
    tick(publisher)
    assert publisher.published("a") is None and len(failures) == 1


def test_a_full_disk_delays_a_checkpoint_and_loses_no_cosignature(tmp_path: Path) -> None:
    trees, disk = Trees(LOGS), Watched()
    publisher = opened(tmp_path, trees, files=disk)
    trees.grow("a", 1)
    tick(publisher)
    latest = publisher.latest("a")
    assert latest
    publisher.add_cosignatures("a", 1, [cosigned(latest.note)])
    trees.grow("a", 1)

    def full(operation: str, path: Path) -> None:
        if operation == "pwrite":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    disk.before = full
    tick(publisher)
    assert publisher.published("a") == latest.note
    assert "has no room" in publisher.trouble
    disk.before = lambda operation, path: None
    tick(publisher)
    assert verified(publisher, "a", f"{ORIGIN}/a")[0] == 2
    first = publisher.shown("a").at(1)
    assert first and first.note.count(b"witness.example") == 1


def test_a_start_on_a_full_disk_shows_what_was_signed_and_signs_on_once_there_is_space(tmp_path: Path) -> None:
    trees, disk = Trees(LOGS), Watched()
    trees.grow("a", 1)
    before = opened(tmp_path, trees)
    tick(before)
    before.close()
    with (tmp_path / "signing" / "checkpoints").open("ab") as file:
        file.write(b'{"v":1,"torn')

    def full(operation: str, path: Path) -> None:
        if operation == "pwrite" and path.suffix == ".new":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    disk.before = full
    publisher = opened(tmp_path, trees, files=disk)
    assert publisher.published("a") == before.published("a")
    assert (tmp_path / "signing" / "checkpoints").read_bytes()[-1:] == b"\n"
    trees.grow("a", 1)
    tick(publisher)
    assert publisher.published("a") == before.published("a") and "cannot be written anew" in publisher.trouble
    disk.before = lambda operation, path: None
    tick(publisher)
    assert verified(publisher, "a", f"{ORIGIN}/a")[0] == 2
    publisher.close()
    assert opened(tmp_path, trees).published("a") == publisher.published("a")


@pytest.mark.parametrize("first", [True, False])
def test_a_start_without_any_room_is_refused_until_there_is_space(first: bool, tmp_path: Path) -> None:
    if not first:
        opened(tmp_path, Trees(LOGS)).close()

    def full(operation: str, path: Path) -> None:
        if operation == "pwrite" and path.parent.name == "signing":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    disk = Watched()
    disk.before = full
    with pytest.raises(JournalFull, match="make space and start again"):
        opened(tmp_path, Trees(LOGS), files=disk)
    assert opened(tmp_path, Trees(LOGS)).published("a") is None


def test_cosignatures_are_shown_under_their_checkpoint_and_survive_a_restart(tmp_path: Path) -> None:
    trees = Trees(LOGS)
    publisher = opened(tmp_path, trees)
    publisher.is_witnessed = lambda note: b"witness.example" in note
    trees.grow("a", 3)
    tick(publisher)
    latest = publisher.latest("a")
    assert latest
    assert publisher.add_cosignatures("a", 3, [cosigned(latest.note)])
    assert publisher.published("a") == latest.note and publisher.holding("a", 0).state(0) is State.proven
    tick(publisher)
    assert publisher.published("a") == latest.note + cosigned(latest.note).line.encode()
    assert publisher.holding("a", 0).state(2) is State.witnessed
    trees.grow("a", 4)
    tick(publisher)
    publisher.close()

    again = opened(tmp_path, trees)
    again.is_witnessed = publisher.is_witnessed
    again.start()
    assert [again.holding("a", 0).state(index) for index in (2, 3, 6, 7)] == [State.witnessed, State.proven, State.proven, State.sequenced]
    assert again.shown("a").at(3) is not None
    assert verified(again, "a", f"{ORIGIN}/a")[0] == 7


def test_what_a_quorum_of_several_has_cosigned_survives_a_restart_though_some_have_cosigned_more(tmp_path: Path) -> None:
    """The first size has both witnesses, later ones one of them or none: whatever is written anew, the first stays witnessed."""
    other = SigningKey("other.example", bytes([1] * 32))
    trees = Trees(LOGS)
    publisher = opened(tmp_path, trees)
    publisher.is_witnessed = lambda note: b"witness.example" in note and b"other.example" in note
    for witnesses in ((WITNESS, other), (WITNESS,), (other,), (WITNESS,), ()):
        trees.grow("a", 1)
        tick(publisher)
        latest = publisher.latest("a")
        assert latest
        for witness in witnesses:
            assert publisher.add_cosignatures("a", latest.checkpoint.size, [cosigned(latest.note, witness=witness)])
        tick(publisher)
    publisher.close()
    for _ in range(2):  # the second start reads what the first one wrote anew
        again = opened(tmp_path, trees)
        again.is_witnessed = publisher.is_witnessed
        again.start()
        assert [again.holding("a", 0).state(index) for index in range(6)] == [State.witnessed, *[State.proven] * 4, State.sequenced]
        again.close()


def test_of_all_that_was_cosigned_only_what_no_newer_note_covers_is_kept() -> None:
    keys = [SigningKey(name, bytes([at] * 32)) for at, name in enumerate(("x.example", "y.example", "z.example"))]
    log = SigningKey(f"{ORIGIN}/a", bytes([9] * 32))
    notes = Notes()
    for size, cosigners in enumerate(("xyz", "x", "", "yz", "z", "xy", "", "x", ""), 1):
        note = sign_checkpoint(Checkpoint(f"{ORIGIN}/a", size, Hash(bytes(32))), [log])
        lines = [cosigned(note, witness=key) for key in keys if key.public.name[0] in cosigners]
        notes.add(Sealed(parse_checkpoint(parse_note(note).text), bytes(parse_note(note).joined(lines))))
    kept = [parse_checkpoint(parse_note(note).text).size for note in notes.by_origin()[f"{ORIGIN}/a"]]
    assert kept == [1, 4, 5, 6, 8, 9]  # all three; y and z; z; x and y; x; and the newest


def test_a_log_that_was_signed_and_is_gone_stops_the_start_though_nobody_asks_for_it(tmp_path: Path) -> None:
    trees = Trees(LOGS)
    publisher = opened(tmp_path, trees)
    for log in LOGS:
        trees.grow(log, 3)
    tick(publisher)
    publisher.close()
    opened(tmp_path, trees, logs=["a"]).close()  # not configured any more, and all there
    del trees.trees["b"], trees.leaves["b"]
    with pytest.raises(Damaged, match=f"{ORIGIN}/b was signed with 3 entries and the journal holds 0"):
        opened(tmp_path, trees, logs=["a"])


def test_checkpoints_of_another_service_stop_the_start(tmp_path: Path) -> None:
    trees = Trees(LOGS)
    trees.grow("a", 3)
    publisher = opened(tmp_path / "mine", trees)
    tick(publisher)
    publisher.close()
    (tmp_path / "mine" / "other").mkdir()
    made(Quick(), tmp_path / "mine" / "other", "other.example", MOMENT)
    (tmp_path / "mine" / "other" / "signing" / "keys.json").rename(tmp_path / "mine" / "signing" / "keys.json")
    with pytest.raises(Damaged, match=f"{ORIGIN}/a, which is no log of other.example"):
        opened(tmp_path / "mine", trees)


def test_a_checkpoint_that_is_too_old_is_not_cosigned_any_more(tmp_path: Path) -> None:
    trees = Trees(LOGS)
    publisher = opened(tmp_path, trees)
    notes = []
    for _ in range(RECENT + 1):
        trees.grow("a", 1)
        tick(publisher)
        notes.append(publisher.published("a") or b"")
    assert not publisher.add_cosignatures("a", 1, [cosigned(notes[0])])
    assert publisher.add_cosignatures("a", 2, [cosigned(notes[1])])


def test_after_a_rotation_both_keys_sign_what_is_shown_and_then_the_new_one_alone(tmp_path: Path) -> None:
    trees = Trees(LOGS)
    trees.grow("a", 3)
    publisher = opened(tmp_path, trees)
    tick(publisher)
    first = publisher.published("a") or b""
    publisher.add_cosignatures("a", 3, [cosigned(first)])
    tick(publisher)
    publisher.close()
    rotated(Quick(), tmp_path, MOMENT, 100)

    both = opened(tmp_path, trees, now=MOMENT + 99)
    tick(both)
    note = both.published("a") or b""
    new, old = keys_of(both, f"{ORIGIN}/a")
    lines = parse_note(note).signatures
    assert {line.id for line in lines} == {new.id, old.id, cosigned(first).id}
    assert parse_note(note).text == parse_note(first).text
    assert both.vkeys("a") == [new.vkey, old.vkey]
    both.close()

    later = opened(tmp_path, trees, now=MOMENT + 100)
    trees.grow("a", 1)
    tick(later)
    assert [line.id for line in parse_note(later.published("a") or b"").signatures] == [new.id]
    assert later.vkeys("a") == [new.vkey]


def test_while_the_mark_of_a_restored_backup_is_there_nothing_is_signed(tmp_path: Path) -> None:
    trees = Trees(LOGS)
    trees.grow("a", 3)
    publisher = opened(tmp_path, trees)
    tick(publisher)
    note = publisher.published("a")
    publisher.close()
    (tmp_path / "signing" / "restored").touch()
    halted = opened(tmp_path, trees)
    trees.grow("a", 1)
    trees.grow("b", 1)
    tick(halted)
    assert halted.published("a") == note and halted.published("b") is None
    for command in (f"`indelible adopt --data {tmp_path} --checkpoint FILE`", f"`indelible adopt --data {tmp_path} --new-generation`"):
        assert command in halted.halted
    for state in (State.proven, State.witnessed):
        assert [at_once(halted.reached("a", index, state, 3600)) for index in (2, 3)] == [State.proven, State.sequenced]


def at_once(waiting: Coroutine[Any, Any, State]) -> State:
    """What comes without waiting for anything."""
    with closing(waiting), pytest.raises(StopIteration) as done:
        waiting.send(None)
    found = done.value.value
    assert isinstance(found, State)
    return found


def test_nobody_waits_for_what_cannot_come(tmp_path: Path) -> None:
    """Without a policy no checkpoint is ever witnessed; of a tree that has ended none is signed any more."""
    trees = Trees(LOGS)
    trees.grow("a", 3)
    publisher = opened(tmp_path, trees)
    tick(publisher)
    assert at_once(publisher.reached("a", 2, State.witnessed, 3600)) is State.proven
    trees.grow("a", 1)

    async def wait() -> State:
        waiting = asyncio.create_task(publisher.reached("a", 3, State.witnessed, 3600))
        await asyncio.sleep(0)
        assert not waiting.done()
        await publisher.tick()
        return await waiting

    assert asyncio.run(wait()) is State.proven
    trees.grow("a", 1)
    ended = publisher.shown("a")
    publisher._trees["a"].append(Shown("a", Generation(2, 5, Tree()), f"{ORIGIN}/a/g2"))
    assert ended.state(4) is State.sequenced and at_once(publisher.reached("a", 4, State.proven, 3600)) is State.sequenced


def test_with_a_policy_a_wait_goes_on_until_the_quorum_has_cosigned(tmp_path: Path) -> None:
    trees = Trees(LOGS)
    trees.grow("a", 3)
    publisher = opened(tmp_path, trees)
    publisher.is_witnessed = lambda note: b"witness.example" in note

    async def wait() -> State:
        waiting = asyncio.create_task(publisher.reached("a", 2, State.witnessed, 3600))
        await publisher.tick()
        assert not waiting.done()
        publisher.add_cosignatures("a", 3, [cosigned(publisher.published("a") or b"")])
        await publisher.tick()
        return await waiting

    assert asyncio.run(wait()) is State.witnessed


def test_a_later_generation_is_signed_under_its_own_name_and_the_first_ones_checkpoint_stays(tmp_path: Path) -> None:
    trees = Trees(LOGS)
    trees.grow("a", 3)
    publisher = opened(tmp_path, trees)
    tick(publisher)
    note = publisher.published("a")
    publisher.close()
    after = Trees(LOGS)
    after.number = 2
    after.grow("a", 1, "x")
    second = opened(tmp_path, after)
    assert second.published("a") is None
    first = second.shown("a", 1).latest
    assert first and first.note == note and second.shown("a", 1).size == 0  # its entries are gone
    tick(second)
    assert verified(second, "a", f"{ORIGIN}/a/g2")[0] == 1
    assert parse_checkpoint(parse_note(second.published("a") or b"").text).origin == f"{ORIGIN}/a/g2"


def test_whoever_waits_is_told_once_the_entry_is_proven_or_the_time_is_over(tmp_path: Path) -> None:
    trees = Trees(LOGS)
    publisher = opened(tmp_path, trees)

    async def work() -> None:
        trees.grow("a", 3)
        waiting = asyncio.create_task(publisher.reached("a", 2, State.proven, 60))
        beyond = asyncio.create_task(publisher.reached("a", 3, State.proven, 60))
        await asyncio.sleep(0)
        await publisher.tick()
        assert await waiting is State.proven
        assert not beyond.done()
        trees.grow("a", 1)
        await publisher.tick()
        assert await beyond is State.proven
        assert await publisher.reached("a", 0, State.witnessed, 0) is State.proven
        assert await publisher.reached("a", 9, State.proven, 0) is State.sequenced

    asyncio.run(work())
