"""How long something takes: a histogram since the start, and the latest ones for a percentile."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5)
"""Upper bounds in seconds: an fdatasync takes 0.1 ms on a good disk and half a second on a bad day."""

RECENT = 1024


class Durations:
    """Written by one thread, read by any: a reader may miss the very last one."""

    def __init__(self, buckets: Sequence[float] = BUCKETS) -> None:
        self.buckets = buckets
        self.counts = [0] * (len(buckets) + 1)
        self.total = 0.0
        self._recent: list[float] = []
        self._next = 0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.buckets, seconds)] += 1
        self.total += seconds
        if len(self._recent) < RECENT:
            self._recent.append(seconds)
        else:
            self._recent[self._next] = seconds
            self._next = (self._next + 1) % RECENT

    def percentile(self, part: float) -> float | None:
        """So many of the latest thousand took at most this long (0.99: 99 of 100), in seconds. None if there was none."""
        ordered = sorted(self._recent)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else None
