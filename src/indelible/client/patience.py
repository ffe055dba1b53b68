"""How long the same bytes are tried again, and with which pauses."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import TypeVar

from indelible.client.answers import is_damage, seen
from indelible.client.connection import Answer, Broken, Connection
from indelible.errors import Unreachable

T = TypeVar("T")

FIRST, LONGEST = 0.1, 5.0  # s: pauses double from the one to the other
STEP = 30.0  # s that one step of a request may take
LEAST = 5.0  # s that the last try is given, however little patience is left


def retried(status: int) -> bool:
    """Whether the same bytes may succeed later (docs/http-api.md, Retry)."""
    return status in (408, 429) or status >= 500


class Patience:
    """The tries of one request. `now` is a steady clock in s; `pause` waits so many s and is told why."""

    def __init__(self, seconds: float, now: Callable[[], float], pause: Callable[[float, str], None]) -> None:
        self._now = now
        self._pause = pause
        self._begun = now()
        self._seconds = seconds
        self._tries = 0

    def step(self) -> float:
        """The time that each step of the next try may take, in s."""
        return min(STEP, max(self._left(), LEAST))

    def again(self, url: str, why: str, retry_after: float) -> None:
        """Return when the next try is due. Raises Unreachable, with what the last try saw, when patience is over."""
        self._tries += 1
        left = self._left()
        if left <= 0 or retry_after > left:
            tries = f"{self._tries} tries in {self._now() - self._begun:.0f} s" if self._tries > 1 else "tried once"
            asked = f", and asks to come back in {retry_after:.0f} s" if retry_after > left > 0 else ""
            raise Unreachable(f"{url}: {why}{asked} ({tries})")
        growing = min(LONGEST, FIRST * 2 ** min(self._tries - 1, 10)) * random.uniform(0.5, 1)  # many senders: not all at once
        self._pause(max(min(growing, left), retry_after), why)

    def _left(self) -> float:
        return self._begun + self._seconds - self._now()


def answered(
    connection: Connection,
    patience: Patience,
    method: str,
    target: str,
    read: Callable[[Answer], T],
    body: bytes | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> T:
    """What `read` makes of the final answer. Raises Unreachable when patience is over, and what `read` raises but Broken."""
    while True:
        wait = 0.0
        try:
            answer = connection.exchange(method, target, body, headers, patience.step())
            if not retried(answer.status) or (method == "GET" and is_damage(answer)):
                return read(answer)
            why, wait = seen(answer), seconds(answer.retry_after)
        except Broken as broken:
            why = str(broken)
        patience.again(connection.url, why, wait)


def seconds(retry_after: str) -> float:
    """A Retry-After header as seconds from now: it is a number or a date (RFC 9110, 10.2.3); 0 if it is neither."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):  # TypeError: a date without its zone
        return 0.0
