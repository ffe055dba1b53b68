"""Witnesses at work: honest ones cosign all logs, others delay nobody, and what they have seen beside us becomes an alarm."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from witness_fakes import (
    DOWN,
    ORIGIN,
    Behaviour,
    Honest,
    Logs,
    Stage,
    Wire,
    at_work,
    honestly,
    http,
    plainly,
    policy_of,
    serving,
    signing,
)

from indelible.http.posting import Poster
from indelible.log.witnessing.asking import Answer, Outcome
from indelible.log.witnessing.standing import ALARMED, LONGEST, REFUSED, Report
from indelible.tree.cosignature import Witness
from indelible.tree.merkle import Hash
from indelible.tree.note import Note, parse_note
from indelible.tree.policy import Policy
from indelible.tree.witness import parse_addition


def staged(policy: Policy, behaviours: dict[str, Behaviour], play: Callable[[Stage], Awaitable[None]], logs: Logs | None = None) -> Stage:
    """Witnesses that behave so, by name."""
    urls = {party.url: name for name, party in policy.witnesses.items()}

    def connect(url: str) -> Wire:
        return Wire(lambda body: behaviours[urls[url]](body))  # noqa: PLW0108 it changes while they work

    async def run() -> Stage:
        async with at_work(policy, logs or Logs(policy), connect) as stage:
            await play(stage)
            return stage

    return asyncio.run(run())


def report(stage: Stage, name: str = "w1") -> Report:
    return next(each for each in stage.witnesses.reports() if each.name == name)


def test_logs_that_grow_are_witnessed_and_proofs_begin_where_the_witness_is() -> None:
    honest = Honest("w1")

    async def play(stage: Stage) -> None:
        for size in (1, 255, 256, 257, 300, 70_000):
            stage.logs.grow("a", size - len(stage.logs.leaves.get("a", [])))
            await stage.quiet()
            assert stage.logs.witnessed("a") == size
            assert stage.logs.cosigners("a") == {"w1"}

    stage = staged(policy_of("w1"), {"w1": plainly(honest)}, play)
    assert [(old, size) for _, old, size in honest.asked] == [(0, 1), (1, 255), (255, 256), (256, 257), (257, 300), (300, 70_000)]
    assert not stage.told
    assert (report(stage).behind, report(stage).lag, report(stage).alarms) == (0, 0, {})


def test_after_a_restart_what_was_cosigned_is_not_asked_again_and_the_rest_from_what_the_witness_says_it_has() -> None:
    policy, honest = policy_of("w1"), Honest("w1")
    logs = Logs(policy)

    async def first(stage: Stage) -> None:
        for log in ("a", "b"):
            logs.grow(log, 10)
        await stage.quiet()
        logs.tick()

    async def second(stage: Stage) -> None:
        await stage.quiet()
        assert honest.asked[2:] == [(f"{ORIGIN}/b", 0, 15), (f"{ORIGIN}/b", 10, 15)]
        logs.grow("a", 1)
        await stage.quiet()
        assert honest.asked[-1] == (f"{ORIGIN}/a", 10, 11)

    staged(policy, {"w1": plainly(honest)}, first, logs)
    logs.grow("b", 5)
    stage = staged(policy, {"w1": plainly(honest)}, second, logs)
    assert (logs.witnessed("a"), logs.witnessed("b")) == (11, 15)
    assert report(stage).counts[Outcome.cosigned] == 2


def test_a_thousand_logs_are_each_witnessed_over_sockets_and_again_after_a_restart() -> None:
    names = [f"log-{number}" for number in range(1000)]
    honest = Honest("w1")

    async def run() -> None:
        async with serving(honestly(honest)) as url:
            policy = policy_of("w1", urls=[url])
            logs = Logs(policy)
            for size in (1, 2):
                async with at_work(policy, logs, lambda url: Poster(url, 60)) as stage:
                    for log in names:
                        logs.grow(log, 1)
                    await stage.quiet()
                    assert {logs.shown[log].at(size) is not None for log in names} == {True}
                    assert [report.behind for report in stage.witnesses.reports()] == [0]
                logs.tick()
                assert {shown.witnessed.checkpoint.size for shown in logs.shown.values() if shown.witnessed} == {size}

    asyncio.run(run())
    assert len(honest.asked) == 2000  # cosigned lines were under the notes: nothing had to be learned anew


def test_each_log_has_its_turn_though_one_grows_all_the_time() -> None:
    honest, order = Honest("w1"), []

    async def play(stage: Stage) -> None:
        for log in ("busy", "b", "c", "d", "e", "f"):
            stage.logs.grow(log, 1)

        def behave(body: bytes) -> Answer | Exception:
            order.append(parse_note(parse_addition(body).checkpoint).text.split("\n")[0].rpartition("/")[2])
            if len(order) < 20:
                stage.logs.grow("busy", 1)
            return plainly(honest)(body)

        behaviours["w1"] = behave
        await stage.quiet()

    behaviours: dict[str, Behaviour] = {}
    staged(policy_of("w1"), behaviours, play)
    assert set(order[:7]) == {"busy", "b", "c", "d", "e", "f"}


@pytest.mark.parametrize("late", [3, 30])
def test_unequal_witnesses_cosign_the_same_checkpoint_of_a_log_that_grows_all_the_time(late: int) -> None:
    """The slow one answers when so many checkpoints were published; without rounds the two would hardly ever meet."""
    policy = policy_of("w1", "w2")
    fast, slow = Honest("w1"), Honest("w2")
    gate = asyncio.Event()

    class Slow(Wire):
        async def __call__(self, body: bytes) -> Answer:
            gate.clear()
            await gate.wait()
            return await super().__call__(body)

    async def run() -> list[int]:
        logs, seen = Logs(policy), []
        wires = {"https://w1.example": Wire(plainly(fast)), "https://w2.example": Slow(plainly(slow))}
        async with at_work(policy, logs, lambda url: wires[url]):
            for turn in range(10 * late):
                logs.grow("a", 7)
                for _ in range(20):
                    await asyncio.sleep(0)
                if turn % late == late - 1:
                    gate.set()
                    for _ in range(20):
                        await asyncio.sleep(0)
                    seen.append(logs.witnessed("a"))
        return seen

    seen = asyncio.run(run())
    assert seen == sorted(set(seen)) and len(seen) == 10


@pytest.mark.parametrize(("quorum", "witnessed"), [("any", 5), ("2", 5), ("all", 0)])
def test_a_witness_that_is_down_delays_nobody_whom_the_quorum_does_not_need(quorum: str, witnessed: int) -> None:
    async def play(stage: Stage) -> None:
        for size in range(1, 6):
            stage.logs.grow("a", 1)
            await stage.quiet()
            assert stage.logs.cosigners("a") == {"w1", "w2"}
            assert stage.logs.witnessed("a") == (size if witnessed else 0)

    behaviours: dict[str, Behaviour] = {"w1": plainly(Honest("w1")), "w2": plainly(Honest("w2")), "w3": lambda body: DOWN}
    stage = staged(policy_of("w1", "w2", "w3", quorum=quorum), behaviours, play)
    assert stage.told == [("w3", "a", Outcome.unanswered)]


def test_a_witness_that_comes_back_is_asked_about_the_newest_checkpoint_and_the_quorum_is_met() -> None:
    honest = Honest("w2")
    behaviours: dict[str, Behaviour] = {"w1": plainly(Honest("w1")), "w2": lambda body: DOWN}

    async def play(stage: Stage) -> None:
        for _ in range(10):
            stage.logs.grow("a", 3)
            await stage.later(30)
        assert stage.logs.witnessed("a") == 0
        assert report(stage, "w2").behind == 1
        assert report(stage, "w2").lag == 300
        behaviours["w2"] = plainly(honest)
        await stage.later(2 * LONGEST)
        assert stage.logs.witnessed("a") == 30

    stage = staged(policy_of("w1", "w2"), behaviours, play)
    assert [size for _, _, size in honest.asked] == [30]
    assert (report(stage, "w2").behind, report(stage, "w2").last_outcome) == (0, "cosigned")


def test_a_witness_that_is_down_is_asked_ever_less_often_and_not_for_each_log() -> None:
    asked = 0

    def down(body: bytes) -> Exception:
        nonlocal asked
        asked += 1
        return DOWN

    async def play(stage: Stage) -> None:
        for number in range(200):
            stage.logs.grow(f"log-{number}", 1)
        await stage.later(3600)

    stage = staged(policy_of("w1"), {"w1": down}, play)
    assert 30 <= asked <= 4 * 45
    assert len(stage.told) <= 2  # in an hour


def test_a_witness_that_went_down_while_logs_waited_for_it_holds_none_of_them() -> None:
    """More logs than are asked about at once: those that did not have their turn yet go on too."""
    logs = [f"log-{number}" for number in range(20)]

    async def play(stage: Stage) -> None:
        for _ in range(2):
            for log in logs:
                stage.logs.grow(log, 1)
            await stage.quiet()
        assert [log for log in logs if stage.logs.cosigners(log) != {"w1"}] == []

    staged(policy_of("w1", "w2"), {"w1": plainly(Honest("w1")), "w2": lambda body: DOWN}, play)


def test_after_a_success_trouble_is_small_again() -> None:
    behaviours: dict[str, Behaviour] = {"w1": lambda body: DOWN}

    async def play(stage: Stage) -> None:
        stage.logs.grow("a", 1)
        await stage.later(3600)
        for log in ("a", "b"):
            behaviours["w1"] = plainly(Honest("w1"))
            stage.logs.grow(log, 1)
            await stage.later(LONGEST)
            assert stage.logs.witnessed(log) == len(stage.logs.leaves[log])
            behaviours["w1"] = lambda body: DOWN
            stage.logs.grow(log, 1)
            await stage.quiet()
            behaviours["w1"] = plainly(Honest("w1"))
            await stage.later(1)
            assert stage.logs.witnessed(log) == len(stage.logs.leaves[log])

    staged(policy_of("w1"), behaviours, play)


def test_a_fork_is_an_alarm_and_its_log_alone_is_asked_about_less() -> None:
    """The witness has seen another history of the same length and more."""
    honest, policy = Honest("w1"), policy_of("w1")

    async def before(stage: Stage) -> None:
        stage.logs.grow("a", 257)
        await stage.quiet()

    async def after(stage: Stage) -> None:
        stage.logs.grow("b", 1)
        await stage.later(60)
        for _ in range(10):
            stage.logs.grow("a", 1, "fork")
            await stage.later(1)
        assert (stage.logs.witnessed("a"), stage.logs.witnessed("b")) == (0, 1)
        assert list(report(stage).alarms) == ["a"]
        assert "another history" in report(stage).alarms["a"]

    staged(policy, {"w1": plainly(honest)}, before)
    forked = Logs(policy)
    forked.grow("a", 260, "fork")
    stage = staged(policy, {"w1": plainly(honest)}, after, forked)
    assert stage.told == [("w1", "a", Outcome.alarm)]
    assert honest.state[f"{ORIGIN}/a"][0] == 257
    assert len([asked for asked in honest.asked[1:] if asked[0].endswith("/a")]) == 1 + 1  # its size, and the proof from there


def test_a_witness_that_knows_more_than_was_published_is_an_alarm_until_it_cosigns_again() -> None:
    """A directory was rolled back: what follows may be the same history again, and then the alarm ends."""
    honest, policy = Honest("w1"), policy_of("w1")

    async def before(stage: Stage) -> None:
        stage.logs.grow("a", 300)
        await stage.quiet()

    async def after(stage: Stage) -> None:
        assert report(stage).alarms == {"a": "it has seen 300 entries of this log, and 200 were published here"}
        stage.logs.grow("a", 1)
        await stage.later(3 * ALARMED)
        assert report(stage).counts[Outcome.alarm] == 4
        stage.logs.grow("a", 109)
        await stage.later(ALARMED)
        assert report(stage).alarms == {}
        assert stage.logs.witnessed("a") == 310

    staged(policy, {"w1": plainly(honest)}, before)
    rolled_back = Logs(policy)
    rolled_back.grow("a", 200)
    stage = staged(policy, {"w1": plainly(honest)}, after, rolled_back)
    assert stage.told == [("w1", "a", Outcome.alarm)]


@pytest.mark.parametrize("status", [301, 302, 308, 400, 401, 403, 404, 405, 413])
def test_what_only_configuration_helps_against_is_told_once_and_tried_seldom(status: int) -> None:
    async def play(stage: Stage) -> None:
        for _ in range(60):
            stage.logs.grow("a", 1)
            await stage.later(1)
        assert report(stage).counts[Outcome.refused] == 1
        await stage.later(REFUSED)
        assert report(stage).counts[Outcome.refused] == 2
        behaviours["w1"] = plainly(Honest("w1"))
        await stage.later(REFUSED)
        assert stage.logs.witnessed("a") == 60

    behaviours: dict[str, Behaviour] = {"w1": lambda body: Answer(status, "", b"no\n")}
    assert staged(policy_of("w1"), behaviours, play).told == [("w1", "a", Outcome.refused)]


@pytest.mark.parametrize(
    ("status", "retry_after", "least"),
    [(429, "70", 70), (503, "70", 70), (500, "70", 70), (503, "86400", 3600), (500, "", 1), (503, "never", 1), (408, "", 1)],
)
def test_a_busy_witness_is_asked_later_and_not_before_it_says(status: int, retry_after: str, least: int) -> None:
    async def play(stage: Stage) -> None:
        stage.logs.grow("a", 1)
        await stage.later(least - 0.5)
        assert report(stage).counts[Outcome.busy] == 1
        behaviours["w1"] = plainly(Honest("w1"))
        await stage.later(1)
        assert stage.logs.witnessed("a") == 1

    behaviours: dict[str, Behaviour] = {"w1": lambda body: Answer(status, retry_after, b"")}
    staged(policy_of("w1"), behaviours, play)


def test_a_log_that_a_witness_cannot_serve_takes_no_turn_from_the_others() -> None:
    """As a program does that answers 500 for logs it does not know."""
    honest = plainly(Honest("w1"))

    def behave(body: bytes) -> Answer | Exception:
        return Answer(500, "", b"") if b"/unknown-" in body else honest(body)

    async def play(stage: Stage) -> None:
        for number in range(20):
            stage.logs.grow(f"unknown-{number}", 1)
        stage.logs.grow("known", 1)
        await stage.quiet()
        assert stage.logs.witnessed("known") == 1

    staged(policy_of("w1"), {"w1": behave}, play)


def forged(body: bytes) -> Answer:
    text = parse_note(parse_addition(body).checkpoint).text
    line = Witness(signing("w1"), 1).sign(text.replace("\n", "x\n", 1))
    return Answer(200, "", line.line.encode())


def strangers(body: bytes) -> Answer:
    text = parse_note(parse_addition(body).checkpoint).text
    return Answer(200, "", b"".join(Witness(signing(name), 1).sign(text).line.encode() for name in ("w2", "stranger")))


def crowd(body: bytes) -> Answer:
    text = parse_note(parse_addition(body).checkpoint).text
    return Answer(200, "", b"".join(Witness(signing("w1"), time).sign(text).line.encode() for time in range(100)))


WRONG: dict[str, Behaviour] = {
    "forged": forged,
    "of others": strangers,
    "a hundred lines": crowd,
    "empty 200": lambda body: Answer(200, "", b""),
    "garbage 200": lambda body: Answer(200, "", b"\xff\x00"),
    "201": lambda body: Answer(201, "", b""),
    "409 without a size": lambda body: Answer(409, "", b"many\n"),
    "409 to what it said": lambda body: Answer(409, "", b"0\n"),
    "the request": lambda body: Answer(200, "", body),
}


@pytest.mark.parametrize("why", WRONG)
def test_a_wrong_answer_is_no_cosignature_and_is_tried_again_later(why: str) -> None:
    async def play(stage: Stage) -> None:
        stage.logs.grow("a", 1)
        await stage.quiet()
        assert report(stage).counts[Outcome.wrong] == asked == 1
        assert not stage.logs.added
        await stage.later(3600)
        assert 30 < asked < 45  # ever less often
        behaviours["w1"] = plainly(Honest("w1"))
        await stage.later(LONGEST)
        assert stage.logs.witnessed("a") == 1

    asked = 0

    def wrong(body: bytes) -> Answer | Exception:
        nonlocal asked
        asked += 1
        return WRONG[why](body)

    behaviours: dict[str, Behaviour] = {"w1": wrong}
    assert set(staged(policy_of("w1"), behaviours, play).told) == {("w1", "a", Outcome.wrong)}


def test_lines_of_unknown_keys_beside_the_witnesss_own_are_left_out_and_the_latest_of_its_own_is_shown() -> None:
    def behave(body: bytes) -> Answer:
        text = parse_note(parse_addition(body).checkpoint).text
        signers = [Witness(signing("stranger"), 9), Witness(signing("w1"), 5), Witness(signing("w1"), 7), Witness(signing("w2"), 8)]
        return Answer(200, "", "".join(signer.sign(text).line for signer in signers).encode())

    async def play(stage: Stage) -> None:
        stage.logs.grow("a", 1)
        await stage.quiet()

    stage = staged(policy_of("w1", "w2", quorum="any"), {"w1": behave, "w2": lambda body: DOWN}, play)
    assert [(line.name, int.from_bytes(line.payload[:8], "big")) for _, _, line in stage.logs.added] == [("w1", 7)]


def test_a_fault_of_ours_with_one_log_is_told_and_others_go_on() -> None:
    class Faulty(Logs):
        async def consistency(self, log: str, old: int, new: int) -> list[Hash]:
            if log == "a":
                raise ZeroDivisionError("a bug")
            return await super().consistency(log, old, new)

    async def play(stage: Stage) -> None:
        stage.logs.grow("a", 1)
        stage.logs.grow("b", 1)
        await stage.quiet()
        assert (stage.logs.witnessed("a"), stage.logs.witnessed("b")) == (0, 1)

    policy = policy_of("w1")
    assert staged(policy, {"w1": plainly(Honest("w1"))}, play, Faulty(policy)).told == [("w1", "a", Outcome.failed)]


ANY: list[Callable[[Honest], Behaviour]] = [
    plainly,
    *(lambda honest, behave=behave: behave for behave in WRONG.values()),
    lambda honest: lambda body: DOWN,
    *(lambda honest, status=status: lambda body: Answer(status, "1", b"x") for status in (302, 400, 404, 418, 422, 429, 500, 503)),
    *(lambda honest, size=size: lambda body: Answer(409, "", b"%d\n" % size) for size in (0, 1, 5, 2**63 - 1)),
]


@settings(max_examples=60)
@given(st.data())
def test_whatever_witnesses_do_what_is_shown_verifies_and_an_honest_one_is_never_held_up(data: st.DataObject) -> None:
    """`Logs` refuses each line that does not verify."""
    honest = {name: Honest(name) for name in ("w1", "w2", "w3")}
    behaviours = {"w1": plainly(honest["w1"]), "w2": plainly(honest["w2"]), "w3": plainly(honest["w3"])}

    async def play(stage: Stage) -> None:
        for _ in range(data.draw(st.integers(1, 12), "steps")):
            for name in ("w2", "w3"):
                behaviours[name] = data.draw(st.sampled_from(ANY))(honest[name])
            log = data.draw(st.sampled_from("abc"))
            stage.logs.grow(log, data.draw(st.integers(1, 300)))
            await stage.later(data.draw(st.sampled_from([0, 1, 10, 700])))
            assert stage.logs.witnessed(log) == len(stage.logs.leaves[log])  # by w1 alone, and at once
            assert "w1" in stage.logs.cosigners(log)
        assert report(stage, "w1").behind == 0
        behaviours.update({name: plainly(each) for name, each in honest.items()})
        await stage.later(2 * REFUSED)
        for log in stage.logs.shown:
            assert stage.logs.cosigners(log) == {"w1", "w2", "w3"}
        assert [each.alarms for each in stage.witnesses.reports()] == [{}, {}, {}]

    staged(policy_of("w1", "w2", "w3", quorum="any"), behaviours, play)


def test_a_note_with_a_line_that_does_not_verify_or_with_none_is_not_witnessed() -> None:
    logs = Logs(policy_of("w1", quorum="any"))
    logs.grow("a", 3)
    latest = logs.latest("a")
    assert latest is not None
    note = parse_note(latest.note)
    good, other = (Witness(signing("w1"), 5).sign(text) for text in (note.text, "another\n"))
    assert logs.quorum.is_witnessed(bytes(Note(note.text, (*note.signatures, good))))
    for lines in ((), (other,), (good, other)):
        assert not logs.quorum.is_witnessed(bytes(Note(note.text, (*note.signatures, *lines))))


@pytest.mark.parametrize("behaviour", ["hangs", "drips", "endless"])
def test_a_server_that_never_ends_its_answer_is_given_up_and_others_cosign_meanwhile(behaviour: str) -> None:
    answers = {"hangs": None, "drips": b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nx", "endless": http(200, b"x" * (1 << 20))}

    async def never(body: bytes) -> bytes | None:
        return answers[behaviour]

    async def run() -> None:
        async with serving(never) as bad, serving(honestly(Honest("w2"))) as good:
            policy = policy_of("w1", "w2", quorum="any", urls=[bad, good])
            logs = Logs(policy)
            async with at_work(policy, logs, lambda url: Poster(url, 0.2 if url == bad else 60)) as stage:
                for log in ("a", "b", "c"):
                    logs.grow(log, 1)
                await stage.quiet()
                assert [logs.witnessed(log) for log in ("a", "b", "c")] == [1, 1, 1]
                assert report(stage, "w1").last_outcome == "unanswered"

    asyncio.run(run())
