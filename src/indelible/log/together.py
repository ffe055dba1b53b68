"""Prepares the small requests of one turn of the event loop as one batch: sixty events at once cost little more than six alone."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from msgspec import structs

from indelible.formats.lines import Lines
from indelible.log.prepare import Prepared, Terms, framed, prepare, stock
from indelible.log.share import Share
from indelible.model import strict
from indelible.model.entry import SALT, Origin, entries
from indelible.model.event import Limits

SMALL = 32  # events; larger requests gain nothing
_TURN = 256 << 10  # bytes of lines decoded at once: about as long as others may wait

_Waiting = tuple[Lines, Terms, "asyncio.Future[Prepared | None]"]


class Together:
    """`prepare` for many senders at once. Each request keeps a frame of its own; only the look at their events is shared."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: deque[_Waiting] = deque()
        self._share = Share()

    async def prepare(self, batch: Lines, terms: Terms) -> Prepared:
        """As `log.prepare.prepare`; `recorded` may be a turn later than the one in `terms`. Raises what that does."""
        if terms.skip or terms.key is not None or len(batch.lines) > SMALL or len(batch.text) > _TURN:
            return await prepare(batch, terms, share=self._share)
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._turn)
        future: asyncio.Future[Prepared | None] = loop.create_future()
        self._waiting.append((batch, terms, future))
        return await future or await prepare(batch, terms, share=self._share)  # alone, an event is refused in words

    def _turn(self) -> None:
        """What waits, up to about _TURN bytes; the rest after others had their turn."""
        run: list[_Waiting] = []
        size = 0
        while self._waiting and size < _TURN:
            run.append(self._waiting.popleft())
            size += len(run[-1][0].text)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._turn)
        nobody: list[Prepared | None] = [None] * len(run)
        try:
            made = together([(batch, terms) for batch, terms, _ in run], self._limits)
        except Exception:  # nobody may wait for ever: alone, each meets what is its own
            made = None
        for (_, _, future), each in zip(run, made or nobody, strict=True):
            if not future.done():  # cancelled
                future.set_result(each)


def together(run: Sequence[tuple[Lines, Terms]], limits: Limits) -> list[Prepared] | None:
    """What becomes of each request, or None if one of their events is not seen at once to be good. None of them has `skip` or a key."""
    terms = run[-1][1]
    text = b"".join([batch.text for batch, _ in run])
    lines = [line for batch, _ in run for line in batch.lines]
    events = strict.clean(text, lines, limits)
    if events is None or any((each.writer, each.dialect) != (terms.writer, terms.dialect) for _, each in run):
        return None
    salts = stock(SALT * len(lines))
    made = entries(events, lines, salts, Origin(terms.recorded, terms.writer, terms.dialect))
    sources = [event.source for event in events]
    prepared = []
    stop = 0
    for batch, asked in run:
        start, stop = stop, stop + len(batch.lines)
        leaves = made.leaves[start:stop]
        own = asked if asked.recorded == terms.recorded else structs.replace(asked, recorded=terms.recorded)
        frame = framed(own, batch.text, salts[SALT * start : SALT * stop], leaves, {})
        prepared.append(Prepared(frame, batch.lines, sources[start:stop], made.ids[start:stop], leaves))
    return prepared
