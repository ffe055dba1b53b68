"""The file operations with a watch on the sync that every receipt waits for."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from indelible.journal.files import Files
from indelible.model.durations import Durations


class Timed(Files):
    """Notes how long each fdatasync took. Pickled, it is the plain operations: another process only reads."""

    def __init__(self) -> None:
        self.syncs = Durations()

    def __reduce__(self) -> tuple[Any, ...]:
        return Files, ()

    def fdatasync(self, fd: int) -> None:
        begun = perf_counter()
        super().fdatasync(fd)
        self.syncs.add(perf_counter() - begun)
