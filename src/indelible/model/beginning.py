"""Where a tree of a log begins, as its own first entry has it: an index is as good as that, for the tree's checkpoint holds none."""

from __future__ import annotations

from msgspec import MsgspecError

from indelible.errors import Unproven
from indelible.model.damage import damage_in
from indelible.model.generation import begun_in


def confirm_start(start: int, first: bytes) -> None:
    """Return if a tree with this event as its first entry, of a log that had others before, begins at index `start`. Raises Unproven."""
    try:
        said = begun_in(first) or damage_in(first)
    except (MsgspecError, ValueError, RecursionError):
        said = None
    if said is None:
        raise Unproven("a tree begins with an event that says why, and this is none")
    begins = 0 if said.index is None else said.index + 1
    if begins != start:
        raise Unproven(f"the tree begins at index {begins}, as its first entry has it, not at {start}")
