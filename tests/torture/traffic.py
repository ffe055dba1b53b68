"""Requests of every kind, drawn from a seed: new ones, repeated ones, and ids that several senders give to different events."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from ledger import Request

BAD = b'{"type":"t"}'  # lacks a source


def requests(random: Random, sender: str, pad: int) -> Iterator[Request]:
    """Without end. Each new event has an id that only `sender` gives; `pad` is about how many bytes the larger ones have."""
    kept: list[Request] = []
    number = 0

    def event(id: str = "", source: str = "") -> bytes:
        nonlocal number
        number += 1
        named = f'"id":"{id or f"{sender}-{number}"}",' if id != "-" else ""
        filled = "x" * random.randrange(pad) if random.random() < 0.3 else ""
        return f'{{{named}"type":"t","source":"{source or sender}","data":{{"n":{number},"of":"{sender}","pad":"{filled}"}}}}'.encode()

    def contested() -> bytes:
        return f'{{"id":"{random.randrange(40)}","type":"t","source":"all","data":{random.randrange(3)}}}'.encode()

    while True:
        draw = random.random()
        if draw < 0.15 and kept:
            request = random.choice(kept)
        elif draw < 0.4:
            line = event() if random.random() < 0.8 else contested()
            request = Request(line, [line], "application/json", single=True)
        elif draw < 0.5:
            lines = [event() for _ in range(random.randrange(1, 6))]
            request = Request(b"[" + b",".join(lines) + b"]", lines, "application/json")
        elif draw < 0.6:
            lines = [event("-") for _ in range(random.randrange(1, 6))]
            key = f"{sender}-{number}" if draw < 0.58 else ""
            request = Request(b"".join(line + b"\n" for line in lines), lines, key=key)
        elif draw < 0.7:
            lines = [event() for _ in range(random.randrange(1, 9))]
            request = Request(b"\n".join([BAD, *lines[:3], BAD, *lines[3:]]), lines, skip=True)
        else:
            lines = [event() if random.random() < 0.9 else contested() for _ in range(random.randrange(2, 60))]
            request = Request(b"".join(line + b"\n" for line in lines), lines)
        if len(kept) < 200:
            kept.append(request)
        else:
            kept[random.randrange(200)] = request
        yield request
