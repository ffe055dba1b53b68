"""`indelible verify DIR`: every frame, tree and checkpoint of a data directory, offline, without a lock and without a write."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from journal_disk import killed
from msgspec import structs
from trails import LOSSES, Harm, Quick, contents, files, frames_of, line, mend, overwrite, trail
from verify_support import Verify, life, sign

from indelible.formats.lines import Lines
from indelible.journal.directory import take_lock
from indelible.journal.frame import After, encode, opening, seed
from indelible.journal.port import Frame
from indelible.journal.scan import Tape
from indelible.log.prepare import Terms, framed, prepare, replayed
from indelible.model.event import Limits
from indelible.signing.directory import read_identity
from indelible.signing.ledger import encoded, read_ledger

SIGNED = "signing/checkpoints"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "trail"
    trail(data)
    sign(data)
    return data


def vkeys(data: Path) -> list[str]:
    identity = read_identity(data)
    assert identity
    return [word for log in ("billing", "default") for key in identity.public(f"trail.example/{log}") for word in ("--key", key.vkey)]


def append(data: Path, lines: list[bytes]) -> None:
    """An event a frame in the log `default`, none of them under a checkpoint."""
    life(data, [(lines, False)])


def test_a_directory_that_holds_is_verified_while_another_process_has_it_and_nothing_is_written(data: Path, verify: Verify) -> None:
    before = contents(data)
    lock = take_lock(data)
    try:
        assert verify(str(data)) == 3
        assert "trail.example/billing: all 36 entries hold" in verify.said
        assert "consistent with itself, signer not confirmed" in verify.said
        assert verify(str(data), *vkeys(data)) == 0
        assert verify(str(data), *vkeys(data)[:2]) == 3
        assert "trail.example/default: all 33 entries hold, signer not confirmed" in verify.said
    finally:
        os.close(lock)
    assert contents(data) == before


def test_duplicates_conflicts_and_entries_that_are_not_signed_yet_are_told_apart(data: Path, verify: Verify) -> None:
    append(data, [line(3), line(3).replace(b"xxx", b"yyy"), line(3).replace(b"xxx", b"yyy"), b'{"type":"t","source":"s"}'])
    assert verify(str(data)) == 3
    assert "trail.example/default: 3 entries came after its newest checkpoint" in verify.said
    sign(data)
    assert verify(str(data)) == 3
    assert "trail.example/default: all 36 entries hold" in verify.said


@pytest.mark.parametrize("harm", LOSSES, ids=lambda harm: harm.__name__)
def test_whatever_was_done_to_the_journal_is_named_with_file_and_offset(harm: Harm, data: Path, verify: Verify) -> None:
    harm(data)
    before = contents(data)
    assert verify(str(data), *vkeys(data)) == 65
    assert f"{data}/journal/" in verify.said
    assert "byte " in verify.said
    assert contents(data) == before
    assert not verify.state.exists()


def rewritten(data: Path, change: Callable[[list[bytes]], list[bytes]], frame_number: int, remade: bool = True) -> None:
    """The chain made anew from its first to its last frame, with other events in one of them: what a thief of the disk would do."""
    frames = []
    for path in files(data):
        with Tape(Quick(), path) as tape:
            for start, _ in frames_of(path):
                found = tape.frame(start)
                frames.append(found.frame)
    victim = frames[frame_number]
    lines = change(victim.text.splitlines())
    text = b"".join(each + b"\n" for each in lines)
    forged = structs.replace(victim, text=text, count=len(lines), salts=victim.salts[: 16 * len(lines)])
    if remade:
        made = asyncio.run(
            prepare(Lines(text, lines, False), Terms(victim.log, victim.recorded, Limits()), lambda size: forged.salts[:size])
        )
        forged = framed(Terms(victim.log, victim.recorded, Limits()), text, forged.salts, made.leaves, {})
        replayed([forged])
    frames[frame_number] = forged
    for path in files(data)[1:]:
        path.unlink()
    prev, parts = seed("00000001.journal"), []
    for frame in frames:
        head, prev = encode(frame, prev, 0, "" if parts else opening(0, None))
        parts += [head, frame.text]
    files(data)[0].write_bytes(b"".join(parts))
    (data / "journal" / "closed").write_bytes(msgspec.json.encode(After("00000001.journal", len(b"".join(parts)), prev)))


FORGED: dict[str, tuple[Callable[[list[bytes]], list[bytes]], int]] = {
    "another event": (lambda lines: [each.replace(b"xxx", b"yyy") for each in lines], 7),
    "another id": (lambda lines: [each.replace(b'"id":"', b'"id":"1') for each in lines], 7),
    "an event dropped": (lambda lines: lines[:-1], 7),
    "events in another order": (lambda lines: lines[::-1], 7),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_history_that_was_written_anew_with_all_its_checksums_is_not_what_was_signed(what: str, data: Path, verify: Verify) -> None:
    change, frame = FORGED[what]
    rewritten(data, change, frame)
    assert verify(str(data), *vkeys(data)) == 65
    assert "trail.example/default" in verify.said
    assert f"under the root in line 2 of {data / SIGNED}" in verify.said


def other_events(path: Path) -> None:
    """One file's chain made anew with other events in its last frame: as long as before, and sound if looked at alone."""
    again(path, lambda frame, last: restated(frame, [each.replace(b"xxx", b"yyy") for each in frame.text.splitlines()]) if last else frame)


def other_position(path: Path) -> None:
    again(path, lambda frame, last: frame, position=1)


def another_before_it(path: Path) -> None:
    again(path, lambda frame, last: frame, before="00000009.journal")


def restated(frame: Frame, lines: list[bytes]) -> Frame:
    """With other lines, and the leaves that belong to these."""
    terms, text = Terms(frame.log, frame.recorded, Limits()), b"".join(each + b"\n" for each in lines)
    made = asyncio.run(prepare(Lines(text, lines, False), terms, lambda size: frame.salts[:size]))
    return framed(terms, text, frame.salts[: 16 * len(lines)], made.leaves, {})


def again(path: Path, change: Callable[[Frame, bool], Frame], position: int = 0, before: str = "") -> None:
    spans, parts = frames_of(path), list[bytes]()
    prev = seed(path.name)
    with Tape(Quick(), path) as tape:
        for start, stop in spans:
            found = tape.frame(start)
            opened = ""
            if found.position is not None:
                assert found.after
                after = structs.replace(found.after, file=before or found.after.file)
                opened = opening(found.position + position, after)
            frame = change(found.frame, stop == spans[-1][1])
            head, prev = encode(frame, prev, found.safe, opened)
            parts += [head, frame.text]
    assert len(b"".join(parts)) == spans[-1][1]
    overwrite(path, 0, b"".join(parts))


CHAINED = {
    "other events": (other_events, 1, "00000002.journal is damaged at byte ", "it does not end as 00000003.journal says"),
    "another position": (other_position, 1, "00000002.journal is damaged at byte 0", "it begins at position "),
    "another file before it": (another_before_it, 1, "00000002.journal is damaged at byte 0", "its first frame follows 00000009.journal"),
}


@pytest.mark.parametrize("what", CHAINED)
def test_a_file_that_is_sound_alone_has_to_follow_and_be_followed(what: str, data: Path, verify: Verify) -> None:
    change, number, where, why = CHAINED[what]
    change(files(data)[number])
    assert verify(str(data)) == 65
    assert where in verify.said
    assert why in verify.said


def test_below_the_last_known_durable_mark_nothing_may_be_missing(data: Path, verify: Verify) -> None:
    life(data, [([line(1000 + number) for number in range(3)], False)])
    last = files(data)[-1]
    start, _ = frames_of(last)[1]
    overwrite(last, start + 40, b"????")
    assert verify(str(data)) == 65
    assert f"{last} is damaged at byte {start}: " in verify.said


def test_other_events_under_old_leaves_are_forged(data: Path, verify: Verify) -> None:
    rewritten(data, FORGED["another event"][0], 7, remade=False)
    assert verify(str(data)) == 65
    assert "holds other events than those that were hashed" in verify.said


def test_of_several_checkpoints_the_last_that_fits_says_where_the_difference_begins(data: Path, verify: Verify) -> None:
    life(data, [([line(1000 + number) for number in range(5)], True), ([line(2000)], True)])
    rewritten(data, lambda lines: [lines[0].replace(b"xxx", b"yyy")], -2)
    assert verify(str(data)) == 65
    assert "entries 33 to 37 of trail.example/default are not those under the root in line " in verify.said
    assert f"they begin in {data}/journal/00000001.journal, byte " in verify.said


def test_a_directory_that_was_rolled_back_is_found_out_by_what_was_seen_before(data: Path, verify: Verify, tmp_path: Path) -> None:
    backup = contents(data)
    append(data, [line(1000)])
    sign(data)
    assert verify(str(data), *vkeys(data)) == 0
    for path in (data / "journal").iterdir():
        path.unlink()
    for name, content in backup.items():
        (data / name).write_bytes(content)
    assert verify(str(data), *vkeys(data)) == 65
    assert "trail.example/default shows 33 entries, and had 34 under the root that it showed on 20" in verify.said


def test_a_signed_tree_of_which_a_repair_lost_entries_says_so(data: Path, verify: Verify) -> None:
    LOSSES[0](data)
    mend(data)
    assert verify(str(data)) == 65
    assert "says that the others are lost" in verify.said


def note_lines(data: Path) -> list[bytes]:
    return (data / SIGNED).read_bytes().splitlines(keepends=True)


def spoil_a_checkpoint(data: Path) -> None:
    text = (data / SIGNED).read_bytes()
    append(data, [line(1000)])
    sign(data)
    (data / SIGNED).write_bytes(text.replace(b"34", b"35", 1) + (data / SIGNED).read_bytes())


def drop_the_checkpoints(data: Path) -> None:
    (data / SIGNED).unlink()


def empty_the_checkpoints(data: Path) -> None:
    (data / SIGNED).write_bytes(b"")


def spoil_the_keys(data: Path) -> None:
    path = data / "signing/keys.json"
    path.write_text(path.read_text().replace("trail.example", "other.example", 1))


def change_the_key(data: Path) -> None:
    other = data.parent / "other"
    trail(other)
    sign(other)
    (data / "signing/keys.json").write_bytes((other / "signing/keys.json").read_bytes())


def lose_the_keys(data: Path) -> None:
    (data / "signing/keys.json").unlink()


SPOILED = [spoil_a_checkpoint, drop_the_checkpoints, empty_the_checkpoints, spoil_the_keys, change_the_key, lose_the_keys]


@pytest.mark.parametrize("spoil", SPOILED, ids=lambda spoil: spoil.__name__)
def test_checkpoints_and_keys_that_are_not_what_was_written_are_named(spoil: Callable[[Path], None], data: Path, verify: Verify) -> None:
    known = vkeys(data)
    spoil(data)
    assert verify(str(data), *known) == 65
    assert str(data) in verify.said


def test_a_torn_last_line_was_never_shown(data: Path, verify: Verify) -> None:
    whole = (data / SIGNED).read_bytes()
    (data / SIGNED).write_bytes(whole + whole[:-30])
    assert verify(str(data)) == 3


def test_frames_that_were_never_known_to_be_durable_may_be_torn(data: Path, verify: Verify) -> None:
    append(data, [line(1000), line(1001)])
    killed(data)
    last = files(data)[-1]
    start, end = frames_of(last)[-1]
    overwrite(last, end - 5, b"?")
    assert verify(str(data)) == 3
    assert "1 entry came after its newest checkpoint" in verify.said
    assert start


def test_after_a_clean_stop_no_frame_may_be_torn(data: Path, verify: Verify) -> None:
    append(data, [line(1000), line(1001)])
    last = files(data)[-1]
    start, end = frames_of(last)[-1]
    overwrite(last, end - 5, b"?")
    assert verify(str(data)) == 65
    assert f"{last} is damaged at byte {start}: " in verify.said and f"it held {end} bytes when it was closed" in verify.said


def test_a_log_that_is_gone_with_all_its_checkpoints_is_missed(data: Path, verify: Verify) -> None:
    keys = vkeys(data)
    assert verify(str(data), *keys) == 0
    kept = [note for note in read_ledger(data / "signing").notes.all() if b"/default\n" in note]
    (data / SIGNED).write_bytes(encoded(kept))
    assert verify(str(data), *keys[2:]) == 65
    assert "trail.example/billing was expected here" in verify.said
    assert verify(str(data), *keys[2:], "--forget") == 0
    assert verify(str(data), *keys[2:]) == 0
    verify.state.unlink()
    assert verify(str(data), *keys) == 65
    assert "trail.example/billing was expected here" in verify.said


def test_where_nothing_is_signed_nothing_is_verified(tmp_path: Path, verify: Verify) -> None:
    trail(tmp_path / "trail")
    assert verify(str(tmp_path / "trail")) == 65
    life(tmp_path / "trail", [([line(1000)], False)])  # it has keys now
    assert verify(str(tmp_path / "trail")) == 65
    assert "has signed nothing" in verify.said
    identity = read_identity(tmp_path / "trail")
    assert identity
    assert verify(str(tmp_path / "trail"), "--key", identity.public("trail.example/default")[0].vkey) == 65


def test_what_is_no_data_directory_is_said(tmp_path: Path, verify: Verify) -> None:
    assert verify(str(tmp_path)) == 78
    assert verify(str(tmp_path / "nothing")) == 78
    (tmp_path / "file").write_bytes(b"nonsense")
    assert verify(str(tmp_path / "file")) == 64
    assert "a data directory" in verify.said


def test_keys_of_other_logs_confirm_nothing(data: Path, verify: Verify) -> None:
    other = data.parent / "other"
    trail(other)
    sign(other)
    identity = read_identity(other)
    assert identity
    (foreign,) = identity.public("elsewhere.example/default")
    assert verify(str(data), "--key", foreign.vkey) == 65
    assert "signed here are trail.example/billing, trail.example/default" in verify.said
    assert verify(str(data), "--key", identity.public("trail.example/default")[0].vkey) == 65


def test_the_memory_holds_each_tree(data: Path, verify: Verify) -> None:
    assert verify(str(data), *vkeys(data)) == 0
    assert sorted(json.loads(verify.state.read_bytes())["logs"]) == ["trail.example/billing", "trail.example/default"]
