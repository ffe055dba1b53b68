"""A number with the noun that it counts, for people."""

from __future__ import annotations


def counted(number: int, noun: str, nouns: str = "") -> str:
    """`1 entry`, `1,014 entries`; `nouns` where an s is not enough."""
    return f"{number:,} {noun if number == 1 else nouns or f'{noun}s'}"
