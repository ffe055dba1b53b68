"""Whose turn it is, and which checkpoint is asked about: held against what a list would say."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from witness_fakes import ORIGIN, policy_of, signing

from indelible.log.generations import Generation
from indelible.log.shown import Published, Shown
from indelible.log.witnessing.quorum import Quorum
from indelible.log.witnessing.rounds import Round, Rounds
from indelible.log.witnessing.turns import Turns
from indelible.tree.checkpoint import Checkpoint, sign_checkpoint
from indelible.tree.cosignature import Witness
from indelible.tree.merkle import Tree, leaf_hash
from indelible.tree.note import parse_note
from indelible.tree.policy import NONE, evaluate

STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "take", "done", "again", "pause", "wait"]), st.sampled_from("abcd"), st.integers(0, 5)), max_size=60
)


class ListedTurns:
    """The same in lists."""

    def __init__(self) -> None:
        self.now = self.pause = 0.0
        self.ready: list[str] = []
        self.held: dict[str, float] = {}
        self.busy: dict[str, bool] = {}

    def add(self, log: str) -> None:
        if log in self.busy:
            self.busy[log] = True
        elif log not in self.held and log not in self.ready:
            self.ready.append(log)

    def take(self) -> str | None:
        if self.now < self.pause:
            return None
        self.ready += [log for at, log in sorted((at, log) for log, at in self.held.items()) if at <= self.now]
        self.held = {log: at for log, at in self.held.items() if at > self.now}
        if not self.ready:
            return None
        self.busy[self.ready[0]] = False
        return self.ready.pop(0)

    def done(self, log: str) -> None:
        if self.busy.pop(log):
            self.ready.append(log)


@given(STEPS)
def test_turns_give_each_log_that_is_due_once_the_longest_waiting_first(steps: list[tuple[str, str, int]]) -> None:
    turns, model = Turns(), ListedTurns()
    for step, log, number in steps:
        at = model.now + number
        match step:
            case "add":
                turns.add(log)
                model.add(log)
            case "take":
                assert turns.take(model.now) == model.take()
            case "done" if log in model.busy:
                turns.done(log)
                model.done(log)
            case "again" if log in model.busy:
                turns.again(log, at)
                del model.busy[log]
                model.held[log] = at
            case "pause":
                turns.pause(at)
                model.pause = max(model.pause, at)
            case "wait":
                model.now = at
        assert turns.is_paused(model.now) == (model.now < model.pause)
        assert turns.waits(log, model.now) == (model.now < model.pause or log in model.held)
        soonest = turns.due()
        assert (soonest is None) == (not model.ready and not model.held)
        assert model.ready or soonest is None or soonest >= min(model.held.values())


def published(log: str, size: int) -> Published:
    origin = f"{ORIGIN}/{log}"
    tree = Tree()
    tree.extend([leaf_hash(b"%d" % at) for at in range(size)])
    checkpoint = Checkpoint(origin, size, tree.root())
    return Published(log, 1, checkpoint, sign_checkpoint(checkpoint, [signing(origin)]))


@given(
    st.sampled_from(["any", "2", "all"]),
    st.lists(st.tuples(st.sampled_from(["grow", "cosign", "fail", "gone"]), st.integers(0, 2)), max_size=50),
)
def test_a_round_lasts_while_somebody_is_waited_for_and_the_next_is_about_the_newest(quorum: str, steps: list[tuple[str, int]]) -> None:
    names = ["w1", "w2", "w3"]
    policy, begun, away = policy_of(*names, quorum=quorum), list[Round](), set[str]()
    asked = Quorum(policy)
    rounds = Rounds(asked, names, lambda log: set(away), begun.append)
    size = 0
    for step, who in steps:
        name, key = names[who], policy.witnesses[names[who]].key
        current = begun[-1] if begun else None
        over = current is None or not current.waiting or asked.is_met(current.cosigned)
        match step:
            case "grow":
                size += 1
                rounds.publish(published("a", size), set(), float(size))
                assert (begun[-1] is not current) == over
            case "cosign" if current:
                rounds.cosigned(current, key)
                rounds.settled(current, name)
            case "fail" if current:
                rounds.settled(current, name)
            case "gone":
                away.symmetric_difference_update({name})
                if name in away:
                    rounds.gone(name)
        if begun:
            assert rounds.current("a") is begun[-1]
            latest = begun[-1]
            assert latest.published.checkpoint.size == size or not (not latest.waiting or asked.is_met(latest.cosigned))
            sizes = [each.published.checkpoint.size for each in begun]
            assert sizes == sorted(set(sizes))


@settings(max_examples=40)
@given(st.sampled_from(["any", "2", "all"]), st.sets(st.sampled_from(["w1", "w2", "w3", "stranger"])))
def test_a_note_is_witnessed_where_the_policy_accepts_it(quorum: str, cosigners: set[str]) -> None:
    policy = policy_of("w1", "w2", "w3", quorum=quorum)
    shown = published("a", 3)
    note = parse_note(shown.note)
    data = bytes(note.joined(Witness(signing(name), 5).sign(note.text) for name in sorted(cosigners)))
    with_log = policy._replace(logs=(policy.witnesses["w1"]._replace(key=signing(shown.checkpoint.origin).public),))
    try:
        evaluate(with_log, data)
        accepted = True
    except Exception:
        accepted = False
    assert Quorum(policy).is_witnessed(data) == accepted


def test_a_quorum_that_needs_no_witness_makes_nothing_witnessed_before_one_has_cosigned() -> None:
    policy = policy_of("w1", quorum="any")._replace(quorum=NONE)
    note = parse_note(published("a", 3).note)
    assert not Quorum(policy).is_witnessed(bytes(note))
    assert Quorum(policy).is_witnessed(bytes(note.joined([Witness(signing("w1"), 5).sign(note.text)])))


def test_a_checkpoint_that_witnesses_are_asked_about_can_be_cosigned_however_much_is_published_meanwhile() -> None:
    shown = Shown("a", Generation(1, 0, Tree()), f"{ORIGIN}/a")
    first = published("a", 1)
    shown.show(first.checkpoint, first.note)
    shown.keep(1)
    for size in range(2, 40):
        later = published("a", size)
        shown.show(later.checkpoint, later.note)
    line = Witness(signing("w1"), 5).sign(first.checkpoint.text)
    assert shown.cosign(1, [line])
    shown.keep(39)  # the next round begins before the line is durable
    ((checkpoint, note),) = shown.take_cosigned()
    shown.show_cosigned(checkpoint, note, True)
    assert shown.witnessed is not None and shown.witnessed.note == note and line in parse_note(note).signatures
    assert not shown.cosign(2, [])
