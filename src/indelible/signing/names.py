"""What the names say under which checkpoints were signed: of which log each is, and which of its trees."""

from __future__ import annotations

from indelible.signing.keys import origin_of
from indelible.signing.port import Ledger


def tree_in(origin: str, name: str) -> tuple[str, int] | None:
    """The log and the number of the tree that is signed under this name; None for a name that no tree of `origin` has."""
    log, _, number = name.removeprefix(f"{origin}/").partition("/g")
    generation = int(number) if number.isdecimal() and len(number) < 10 else 1
    return (log, generation) if "/" not in log and name == origin_of(origin, log, generation) else None


def last_signed(ledger: Ledger, origin: str) -> dict[str, int]:
    """By log, the number of the last tree that was signed. Raises Damaged for a checkpoint of none of `origin`'s logs."""
    found: dict[str, int] = {}
    for name in ledger.notes:
        tree = tree_in(origin, name)
        if tree is None:
            raise ledger.damaged(
                f"it has a checkpoint of {name}, which is no log of {origin}: the keys beside it are not those that signed it"
            )
        found[tree[0]] = max(tree[1], found.get(tree[0], 0))
    return found
