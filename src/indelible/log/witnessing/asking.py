"""One witness asked to cosign one checkpoint: what is sent, and what each of its answers means (c2sp.org/tlog-witness)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from indelible.errors import IndelibleError, Malformed, Unproven
from indelible.log.witnessing.quorum import Quorum
from indelible.tree.checkpoint import Checkpoint
from indelible.tree.merkle import Hash
from indelible.tree.note import Key, Note, parse_note
from indelible.tree.witness import Addition, parse_size

_WHOLE = frozenset((429, 502, 503, 504))  # answers that concern the witness or what stands before it, not one log


class Outcome(StrEnum):
    """What became of one question."""

    cosigned = "cosigned"
    alarm = "alarm"  # the witness has seen another history, or more than we have
    refused = "refused"  # it does not know the log or its key, or does not understand us: configuration
    busy = "busy"  # 429, 408 or 5xx
    unanswered = "unanswered"  # no connection, no whole answer in time, or too long a one
    wrong = "wrong"  # an answer that is none, such as a cosignature that does not verify
    late = "late"  # it has a newer checkpoint of ours already
    failed = "failed"  # we could not make the question


class Answer(NamedTuple):
    """A whole answer over HTTP. `retry_after`: what its header says, as it stands."""

    status: int
    retry_after: str
    body: bytes


class Unanswered(Exception):
    """No whole answer came; what became of the question is unknown. The text says what was seen."""


Post = Callable[[bytes], Awaitable[Answer]]
"""Sends a body to a witness's add-checkpoint. Bounded in time and in the length of the answer. Raises Unanswered."""
Prove = Callable[[int, int], Awaitable[Sequence[Hash]]]
"""The consistency proof between two sizes. Raises IndelibleError."""


class Verdict(NamedTuple):
    """What an answer means: `cosigned` has a note with the one line to add; `size` is what the witness has, where it is known."""

    outcome: Outcome
    detail: str = ""
    line: Note | None = None
    size: int | None = None
    is_whole: bool = False  # it is no matter of this log alone: let the witness rest
    retry_after: float = 0.0  # s


class Question(NamedTuple):
    """A checkpoint with its log's lines alone, and who is to cosign it. `newest` gives the largest size that was published by now."""

    checkpoint: Checkpoint
    note: Note
    key: Key
    quorum: Quorum
    newest: Callable[[], int]


def question(checkpoint: Checkpoint, note: bytes, key: Key, quorum: Quorum, newest: Callable[[], int]) -> Question:
    """Lines of other witnesses are left out: what witnesses read is short, 10 KiB with some."""
    signed = parse_note(note)
    own = tuple(line for line in signed.signatures if line.name == checkpoint.origin)
    return Question(checkpoint, Note(signed.text, own), key, quorum, newest)


async def ask(question: Question, old: int, post: Post, prove: Prove) -> Verdict:
    """Ask once; once more from the size the witness says it has, if that is another than `old`. Never raises what the witness caused."""
    for is_last in (False, True):
        try:
            proof = await prove(old, question.checkpoint.size)
        except IndelibleError as error:
            return Verdict(Outcome.failed, f"no proof from {old} to {question.checkpoint.size}: {error.detail}")
        try:
            answer = await post(bytes(Addition(old, tuple(proof), bytes(question.note))))
        except Unanswered as error:
            return Verdict(Outcome.unanswered, str(error), is_whole=True)
        verdict = judged(question, answer)
        if verdict.outcome is not Outcome.late or verdict.size is None or verdict.size > question.checkpoint.size:
            return verdict
        if is_last or verdict.size == old:
            break
        old = verdict.size
    return Verdict(Outcome.wrong, f"409 to a proof from {old}, the very size that it said it has")


def judged(question: Question, answer: Answer) -> Verdict:
    """What an answer means. `late` with a size up to the checkpoint's: the same question from there may do."""
    status, body = answer.status, answer.body
    size = question.checkpoint.size
    if status == 200:
        try:
            line = question.quorum.accepted(body, question.note.text, question.key)
        except Unproven as error:
            return Verdict(Outcome.wrong, f"200 with no cosignature that holds: {error.detail}")
        return Verdict(Outcome.cosigned, line=Note(question.note.text, (line,)), size=size)
    if status == 409:
        return _conflict(question, body)
    if status == 422:
        return Verdict(Outcome.alarm, f"422 to {size} entries: it has seen another history of this log{_said(body)}")
    retry_after = float(answer.retry_after[:9]) if answer.retry_after.isascii() and answer.retry_after.isdigit() else 0.0
    if status in (408, 429) or status >= 500:
        return Verdict(Outcome.busy, f"{status}{_said(body)}", is_whole=status in _WHOLE, retry_after=retry_after)
    if status < 300:
        return Verdict(Outcome.wrong, f"{status} is no answer to a checkpoint")
    hint = "where it is was not followed: the policy needs its own URL" if status < 400 else _HINTS.get(status, "")
    return Verdict(Outcome.refused, f"{status}{f': {hint}' if hint else ''}{_said(body)}")


_HINTS = {
    400: "it does not understand the request",
    403: "it does not know the log's key",
    404: "it does not know the log, or its URL is another one",
}


def _conflict(question: Question, body: bytes) -> Verdict:
    try:
        has = parse_size(body)
    except Malformed as error:
        return Verdict(Outcome.wrong, f"409 without a size: {error.detail}")
    if has > (newest := question.newest()):
        return Verdict(Outcome.alarm, f"it has seen {has} entries of this log, and {newest} were published here", size=has)
    return Verdict(Outcome.late, f"it has cosigned {has} entries", size=has)


def _said(body: bytes) -> str:
    """The beginning of what a witness says, if it is text."""
    text = body[:200].decode("ascii", "replace").strip()
    return f" ({text[:100]!r})" if text else ""
