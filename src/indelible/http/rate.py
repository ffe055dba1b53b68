"""How fast the journal grows: bytes an hour since the start of the process, or over the last day if that is shorter."""

from __future__ import annotations

from collections import deque

DAY = 86_400.0
LEAST = 60.0  # s that must have passed before a rate means anything


class Rate:
    """Of (seconds, bytes) that are noted now and then; the clock is any that goes evenly."""

    def __init__(self) -> None:
        self._noted: deque[tuple[float, int]] = deque()

    def note(self, now: float, held: int) -> None:
        """So many bytes are held at this time."""
        self._noted.append((now, held))
        while len(self._noted) > 1 and self._noted[1][0] <= now - DAY:
            self._noted.popleft()

    def per_hour(self, now: float, held: int) -> float | None:
        """Bytes that an hour adds; None where too little time has passed to say."""
        if not self._noted or now - self._noted[0][0] < LEAST:
            return None
        begun, before = self._noted[0]
        return max(0.0, (held - before) / (now - begun) * 3600)
