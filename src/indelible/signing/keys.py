"""Who signs: a service's origin and its keys over time, as values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from indelible.tree.keys import NoteKey, SigningKey


class Held(NamedTuple):
    """One key: `signing` under the service's origin, None once its private half was deleted. Times are seconds since 1970."""

    public: NoteKey
    signing: SigningKey | None
    since: int
    until: int | None = None  # None: it signs until it is rotated

    def signs(self, now: float) -> bool:
        return self.signing is not None and (self.until is None or now < self.until)


class Period(NamedTuple):
    """A public key, and from when to when it signs, as texts; `until` is None while nothing has replaced it."""

    vkey: str
    since: str
    until: str | None


class Identity(NamedTuple):
    """A service as others know it. `keys`, oldest first; the last one is the current one."""

    origin: str
    keys: tuple[Held, ...]

    def signers(self, name: str, now: float) -> list[SigningKey]:
        """What signs notes under `name`, the newest key first: two while a rotation's overlap lasts."""
        return [held.signing.named(name) for held in reversed(self.keys) if held.signing and held.signs(now)]

    def vkeys(self, name: str, now: float) -> list[str]:
        """The public keys of `signers`, as texts to hand out."""
        return [NoteKey(name, held.public.public).vkey for held in reversed(self.keys) if held.signs(now)]

    def public(self, name: str) -> list[NoteKey]:
        """Every key that ever signed under `name`, newest first."""
        return [NoteKey(name, held.public.public) for held in reversed(self.keys)]

    def history(self, name: str) -> list[Period]:
        """The same as texts, with when each signs."""
        return [
            Period(NoteKey(name, held.public.public).vkey, text_of(held.since), None if held.until is None else text_of(held.until))
            for held in reversed(self.keys)
        ]

    def rotated(self, seed: bytes, now: int, overlap: int) -> Identity:
        """With a new key; those that sign now go on for `overlap` seconds, and private halves that are done are dropped."""
        until = now + overlap
        old = [held._replace(until=until if held.until is None else min(held.until, until)) for held in self.pruned(now).keys]
        return Identity(self.origin, (*old, new_key(self.origin, seed, now)))

    def pruned(self, now: float) -> Identity:
        """Without the private halves of keys whose time is over."""
        return Identity(self.origin, tuple(held if held.signs(now) else held._replace(signing=None) for held in self.keys))


def new_key(origin: str, seed: bytes, now: int) -> Held:
    signing = SigningKey(origin, seed)
    return Held(signing.public, signing, now)


def origin_of(origin: str, log: str, generation: int = 1) -> str:
    """The name under which a tree of a log is signed: its key's too. Later generations are other logs to everybody who checks."""
    return f"{origin}/{log}" if generation == 1 else f"{origin}/{log}/g{generation}"


def text_of(seconds: int) -> str:
    """Seconds since 1970 as RFC 3339 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
