"""A trail whose every event has a journal frame of its own, written without HTTP: `python -m bench.frames --data DIR --events N`.

Single POSTs leave such a journal too, but take several times as long.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from bench.events import Sheet
from indelible.formats import split
from indelible.journal.file import FileJournal, open_file_journal
from indelible.journal.files import Files
from indelible.log.prepare import Terms, framed, prepare
from indelible.model.entry import SALT
from indelible.model.event import Limits
from indelible.signing.directory import made

BATCH = 1000  # events prepared together and synced together
_RECORDED = 1_790_000_000_000_000


async def write(data: Path, events: int) -> None:
    """The events with the numbers below `events`, a multiple of BATCH, in the log `default`; all of them durable."""
    journal = open_file_journal(data)
    try:
        made(Files(), data, None, _RECORDED // 1_000_000)  # no server starts over events that nobody signs
        sheet = Sheet(BATCH, 0, b"")
        for block in range(events // BATCH):
            sheet.turn(block)
            await _append(journal, bytes(sheet.request))
    finally:
        await journal.close()


async def _append(journal: FileJournal, text: bytes) -> None:
    terms = Terms("default", _RECORDED, Limits())
    whole = await prepare(split(text, "application/x-ndjson", terms.limits), terms)
    salts = whole.frame.salts
    frames = [
        framed(terms, line + b"\n", salts[SALT * place : SALT * (place + 1)], [leaf], {})
        for place, (line, leaf) in enumerate(zip(whole.lines, whole.leaves, strict=True))
    ]
    await asyncio.gather(*map(journal.append, frames))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.frames")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--events", type=int, required=True)
    given = parser.parse_args()
    asyncio.run(write(given.data, given.events))


if __name__ == "__main__":
    main()
