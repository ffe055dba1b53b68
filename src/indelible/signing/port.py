"""The Ledger port: where a checkpoint becomes a promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from indelible.errors import Damaged
from indelible.tree.checkpoint import Checkpoint


class Ledger(Protocol):
    """Where a checkpoint becomes a promise."""

    @property
    def notes(self) -> Mapping[str, Sequence[bytes]]:
        """What is known of each origin: its newest note last, before it those that were cosigned by others than the newer ones."""

    def append(self, notes: Sequence[tuple[Checkpoint, bytes]]) -> None:
        """Return once every checkpoint and its note survives a killed process and a lost power supply: all of them with one sync. Blocks.

        Raises JournalFull when none was stored, JournalFailed when the outcome is unknown: then the process has to end.
        """

    def damaged(self, reason: str) -> Damaged:
        """The error for notes that cannot be true; names the commands that help."""

    def close(self) -> None:
        """Appends after it fail."""
