"""What the parts do alone, in one thread, in the same run: the limits that the whole is held against."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from statistics import median
from time import perf_counter

from msgspec.json import Decoder

from bench.events import SIZE, event
from bench.generator import confirm, send
from bench.rows import BATCHES, HASHES, SINGLES, Rows
from bench.server import discarding_server
from bench.writing import each, scratch
from indelible.formats import split
from indelible.model import strict
from indelible.model.entry import SALT, Origin, body_digests, headers
from indelible.model.event import Event, Limits

BATCH = 1000
_SYNC: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)
_ROOM = 64 << 20  # bytes of a file that is written with zeros first, as the journal's next file is


def alone(data: Path, scale: int) -> Rows:
    """Every part, and the server that forgets: the HTTP server and the generator without Indelible."""
    with scratch(data) as folder:
        rows: Rows = {**decoding(500 // scale), **syncing(folder, 100)}
        for name, batch, connections, events in ((BATCHES, 1000, 4, 2_000_000), (SINGLES, 1, 64, 60_000)):
            with discarding_server(folder) as server:
                result = send(server, batch, connections, events // scale)
                confirm(server, result.acknowledged)
            rows[f"discarding server, {name}"] = result.rate
        rows["… generator, processor, discarding singles"] = each(result.cpu, result)
    return rows


def decoding(rounds: int) -> dict[str, float]:
    """Events a second: typed, strict, and typed with the three hashes that an entry costs at least (body, leaf, tree)."""
    lines = [event(number) for number in range(BATCH)]
    text = b"".join([line + b"\n" for line in lines])
    decoder, limits = Decoder(Event), Limits()
    events, salts = decoder.decode_lines(text), os.urandom(SALT * BATCH)
    texts = headers(events, [str(one.id) for one in events], body_digests(lines, salts), Origin(1_790_000_000_000_000, "-", "native"))
    salted = [salts[SALT * place : SALT * (place + 1)] + line for place, line in enumerate(lines)]

    def strictly() -> None:
        found = split(text, "application/x-ndjson", limits)
        strict.decode(found.text, found.lines, limits)

    def three_hashes() -> None:
        decoder.decode_lines(text)
        for body in salted:
            sha256(body).hexdigest()
        leaves = [sha256(b"\0" + header).digest() for header in texts]
        for leaf in leaves:
            sha256(b"\1" + leaf + leaf).digest()

    return {
        "typed decode": _rate(lambda: decoder.decode_lines(text), rounds),
        "strict decode": _rate(strictly, rounds),
        HASHES: _rate(three_hashes, rounds),
    }


def syncing(folder: Path, rounds: int) -> dict[str, float]:
    """Milliseconds, median, for one fdatasync after a write into a file that is already there: a batch's events, and a page."""
    path = folder / "syncing"
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(_ROOM >> 20):
                file.write(bytes(1 << 20))
            os.fsync(file.fileno())
            batch = bytes([65]) * (SIZE * BATCH)
            return {
                "fdatasync of 541 KB": _sync_ms(file.fileno(), batch, min(rounds, _ROOM // len(batch))),
                "fdatasync of 4 KiB": _sync_ms(file.fileno(), batch[:4096], 2 * rounds),
            }
    finally:
        path.unlink(missing_ok=True)


def _sync_ms(file: int, data: bytes, rounds: int) -> float:
    taken = []
    for place in range(rounds):
        begun = perf_counter()
        os.pwrite(file, data, place * len(data))
        _SYNC(file)
        taken.append(perf_counter() - begun)
    return 1000 * median(taken)


def _rate(batch: Callable[[], object], rounds: int) -> float:
    batch()
    begun = perf_counter()
    for _ in range(rounds):
        batch()
    return rounds * BATCH / (perf_counter() - begun)
