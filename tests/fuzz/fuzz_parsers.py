"""What reads bytes from outside: a target each, with what must hold whatever the bytes are.

Each raises AssertionError, or what no caller expects. `python fuzz_parsers.py NAME …` hands one to a coverage-guided fuzzer; what
follows are the arguments of libFuzzer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from fuzz_requests import mangled
from hostile import BAD_TIMES, TIMES, event
from oracle import instant, is_event
from xxhash import xxh3_128

from indelible.client import ndjson
from indelible.errors import BadParameter, Fault, Refused, TooLarge
from indelible.formats import FORMATS, split
from indelible.http.read import parameters
from indelible.journal import frame
from indelible.journal.port import Frame
from indelible.model import refusal, strict, times
from indelible.model.event import Limits
from indelible.model.query import parse

LIMITS = Limits(event_bytes=1 << 16, batch_bytes=1 << 20, batch_events=50)
_KINDS = tuple(FORMATS)


def splitting(data: bytes) -> None:
    """Bytes are split into lines that hold no line ends, or refused."""
    kind = _KINDS[data[0] % len(_KINDS)] if data else _KINDS[0]
    try:
        found = split(data[1:], kind, LIMITS)
    except Refused as error:
        assert error.detail
        return
    assert found.text == b"".join(line + b"\n" for line in found.lines)
    assert 0 < len(found.lines) <= LIMITS.batch_events
    assert all(line and b"\n" not in line for line in found.lines)


def deciding(data: bytes) -> None:
    """A line is taken if, and only if, it is an event; else it is said why, in words that can be sent."""
    line = data.translate(None, b"\r\n").strip(b" \t")
    ok = is_event(line, LIMITS.event_bytes)
    try:
        events = strict.decode(line + b"\n", [line], LIMITS)
        assert ok and len(events) == 1
        assert strict.decoded(line + b"\n") == events
    except (Refused, TooLarge) as error:
        assert not ok
        _sayable(list(error.faults))
    faults = refusal.faults_of(line, LIMITS)
    assert bool(faults) is not ok
    _sayable(faults)


def _sayable(faults: list[Fault]) -> None:
    for fault in faults:
        fault.detail.encode()
        assert 0 < len(fault.detail) < 1000


def asking(data: bytes) -> None:
    """A query string is a question or a bad parameter."""
    try:
        parse("default", parameters(data))
    except BadParameter as error:
        assert error.detail
        _sayable(list(error.faults))


def telling_time(data: bytes) -> None:
    """A time has the canonical form that calendars give it, or none."""
    text = data.decode("utf-8", "replace")
    try:
        found: str | None = times.canonical(text)
    except ValueError as error:
        assert str(error)
        found = None
    assert found == instant(text)
    assert times.canonical_batch([text, "2026-11-23T09:30:00.000000Z"]) == (found and [found, "2026-11-23T09:30:00.000000Z"])


def reading_frames(data: bytes) -> None:
    """Bytes are a frame, a part of one, or broken; a checksum that holds makes no other bytes a frame."""
    line, _, text = data.partition(b"\n")
    digest = xxh3_128(line)
    digest.update(text)
    for buffer in (data, b'%b,"checksum":"%b"}\n%b' % (line, digest.hexdigest().encode(), text)):
        try:
            found = frame.decode(buffer, 0, 0)
        except frame.Broken as error:
            assert str(error)
            continue
        if isinstance(found, int):
            assert found > len(buffer)
        else:
            assert (found.start, buffer[found.text : found.end]) == (0, found.frame.text)


def naming(data: bytes) -> None:
    """The client sends each filled line once, and an event stays one, with an id."""
    sent = [line for request in ndjson.requests(BytesIO(data)) for line in request]
    lines = [line.strip(b" \t\r") for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    filled = [line for line in lines if line]
    assert len(sent) == len(filled)
    for line, given in zip(sent, filled, strict=True):
        if is_event(given):
            assert is_event(line.text) and b"id" in line.text.replace(rb"\u0069", b"i").replace(rb"\u0064", b"d")


def sample(target: str, random: Random) -> bytes:
    """Bytes that the target may well take, or bytes that they became by an accident."""
    lines = [event(random)[0] for _ in range(random.randrange(1, 4))]
    data = {
        "splitting": lambda: (
            random.choice((b"0", b"1")) + random.choice((b"\n".join(lines), b"[" + b",".join(lines) + b"]", b"\r\n".join(lines)))
        ),
        "deciding": lambda: lines[0],
        "naming": lambda: b"\n".join(lines),
        "asking": lambda: random.choice(_QUERIES),
        "telling_time": lambda: random.choice(TIMES + BAD_TIMES).encode(),
        "reading_frames": lambda: _frame(random, lines),
    }[target]()
    return mangled(random, data) if random.random() < 0.7 else data


_QUERIES = (
    b"type=a&since=2026-11-23T09:30:00Z&limit=5",
    b"labels.a=%41&until=1970-01-01T00:00:00+01:00",
    b"outcome=success&actor.id=a+b&cursor=abc",
    b"type=pay*&type=b&targets.changes.path=x",
)


def _frame(random: Random, lines: list[bytes]) -> bytes:
    """Without its checksum, which the target makes, or with one."""
    body = b"".join(line + b"\n" for line in lines)
    ids = {0: "x"} if random.random() < 0.3 else {}
    made = Frame("default", len(lines), body, 1_700_000_000_123_456, "-", "native", b"s" * 16 * len(lines), b"l" * 32, ids)
    line, _ = frame.encode(made, "0" * 32, 0, frame.opening(0, None) if random.random() < 0.3 else "")
    return mangled(random, line.partition(b',"checksum"')[0]) + b"\n" + body if random.random() < 0.7 else line + body


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each for each in (splitting, deciding, asking, telling_time, reading_frames, naming)
}


def main() -> None:
    import atheris

    name = sys.argv.pop(1)
    with TemporaryDirectory() as corpus:
        for number in range(200):
            Path(corpus, str(number)).write_bytes(sample(name, Random(number)))
        atheris.instrument_all()
        atheris.Setup([*sys.argv, corpus], TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
