"""What is remembered of a log: what keys from elsewhere confirmed gives way to nothing that only fits itself."""

from __future__ import annotations

from pathlib import Path

from indelible.tree.checkpoint import Checkpoint, sign_checkpoint
from indelible.tree.keys import SigningKey
from indelible.tree.merkle import leaf_hash
from indelible.verify.memory import Memory
from indelible.verify.trust import Accepted, by_own_keys

ORIGIN = "trail.example/default"
OURS, OTHER = (SigningKey(ORIGIN, bytes([seed]) * 32) for seed in (1, 2))


def accepted(size: int, key: SigningKey, confirmed: bool) -> Accepted:
    note = sign_checkpoint(Checkpoint(ORIGIN, size, leaf_hash(b"%d" % size)), [key])
    return by_own_keys(note, [key.public])._replace(confirmed=confirmed)


def sizes(memory: Memory, key: SigningKey, confirmed: bool = True) -> list[int]:
    return [seen.told.size for seen in memory.seen(accepted(100, key, confirmed))]


def test_a_newer_checkpoint_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "state" / "verified.json")
    for size in (5, 7):
        memory.keep(accepted(size, OURS, True))
    assert sizes(memory, OURS) == [7]


def test_what_was_confirmed_stays_whatever_is_verified_without_a_key(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "verified.json")
    memory.keep(accepted(5, OURS, True))
    for key in (OURS, OTHER):
        memory.keep(accepted(9, key, False))
        assert 5 in sizes(memory, key, False)
    assert 5 in sizes(memory, OURS)


def test_what_was_not_confirmed_counts_for_its_own_key_alone(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "verified.json")
    memory.keep(accepted(9, OTHER, False))
    assert (sizes(memory, OTHER, False), sizes(memory, OURS)) == ([9], [])
    memory.keep(accepted(5, OURS, True))
    assert (sizes(memory, OTHER, False), sizes(memory, OURS)) == ([9, 5], [5])
