"""The signing directory: DATA/signing with the origin, the keys, the checkpoints, and the mark of a restored backup."""

from __future__ import annotations

import secrets
import shlex
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from msgspec import MsgspecError, Struct
from msgspec.json import decode, encode, format

from indelible.errors import Damaged, JournalFull, Malformed, Misconfigured
from indelible.journal.files import FULL, Files, replace, sync_directory
from indelible.signing.keys import Held, Identity, new_key, text_of
from indelible.signing.ledger import FileLedger, Read, ReadLedger, adopting, open_ledger, read_ledger
from indelible.signing.notes import Notes
from indelible.tree.keys import NoteKey, parse_signing_key
from indelible.tree.vkeys import parse_vkey

SIGNING = "signing"
KEYS = "keys.json"
RESTORED = "restored"  # a file of this name: a backup was put back, and others may have seen more than it holds
FORMAT = 1


class _Key(Struct):
    vkey: str
    secret: str | None
    since: str
    until: str | None


class _Keys(Struct):
    """keys.json."""

    format: int
    origin: str
    keys: list[_Key]


class Opened(NamedTuple):
    """Who signs, what was signed, and why nothing may be signed for now: a sentence with the commands that help; empty if it may."""

    identity: Identity
    ledger: FileLedger | ReadLedger
    halted: str


def open_signing(files: Files, data: Path, origin: str | None, now: int, events: int) -> Opened:
    """The signing directory of `data`, which the caller has locked and whose journal holds so many events.

    At the first start it is made, with `origin` or a random one. Raises what `who_signs` and `made` do, Damaged for checkpoints that are
    missing or cannot be true, JournalFull if there is no room for either.
    """
    who_signs(data, events)
    try:
        identity = made(files, data, origin, now)
        pruned = identity.pruned(now)
        if pruned != identity:
            _write(files, data, pruned)
        return Opened(pruned, open_ledger(files, data / SIGNING), halted(data))
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise JournalFull(f"{data / SIGNING} has no room ({error.strerror}): make space and start again") from error


def read_signing(data: Path) -> Opened:
    """The same for a process that only reads: what cannot be read is not there, and nothing is ever signed."""
    identity, notes = None, Notes()
    with suppress(Damaged, Misconfigured, OSError):
        identity = read_identity(data)
    with suppress(OSError):
        notes = read_ledger(data / SIGNING).notes
    return Opened(identity or Identity("", ()), ReadLedger(data / SIGNING, notes), "this process only reads")


def who_signs(data: Path, events: int) -> Identity | None:
    """Who signs in `data`, whose journal holds so many events; None before the first start.

    Raises Damaged if there are events or checkpoints and no keys: whoever signed them would get another name; else as `read_identity`.
    """
    identity = read_identity(data)
    if identity is None and (events or _has_signed(data)):
        raise _keyless(data, events)
    return identity


def made(files: Files, data: Path, origin: str | None, now: int) -> Identity:
    """Who signs here; made, with a new key, where nobody does.

    Raises Misconfigured if there is another origin than this one, Damaged for checkpoints without their keys, OSError.
    """
    identity = read_identity(data)
    if identity is not None:
        if origin not in (None, identity.origin):
            raise Misconfigured(
                f"origin is {origin!r}, and {data / SIGNING / KEYS} has {identity.origin!r} since its first start: a log's name never "
                "changes; leave the setting out, or use another --data"
            )
        return identity
    if _has_signed(data):
        raise _keyless(data, 0)
    directory = data / SIGNING
    name = origin if origin is not None else f"indelible-{secrets.token_hex(8)}"
    directory.mkdir(mode=0o700, exist_ok=True)
    sync_directory(files, data)
    FileLedger(files, directory, Notes()).close()  # before the keys: once these are there, a missing ledger was taken away
    identity = Identity(name, (new_key(name, secrets.token_bytes(32), now),))
    _write(files, data, identity)
    return identity


def rotated(files: Files, data: Path, now: int, overlap: int) -> Identity:
    """With a new key in place; the old one signs for `overlap` seconds more. Raises Misconfigured where there is none, OSError."""
    identity = read_identity(data)
    if identity is None:
        raise Misconfigured(f"{data} has no keys yet: `indelible keys make`, or the first start, makes the first one")
    after = identity.rotated(secrets.token_bytes(32), now, overlap)
    _write(files, data, after)
    return after


def read_identity(data: Path) -> Identity | None:
    """Who signs in `data`; None if nobody ever did.

    Raises Misconfigured for the file of another version, Damaged if it cannot be true, OSError.
    """
    path = data / SIGNING / KEYS
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        found = decode(raw, type=_Keys)
        if found.format != FORMAT:
            raise Misconfigured(f"{path} has format {found.format}, this version reads format {FORMAT}: use the version that wrote it")
        keys = tuple(_held(key, found.origin) for key in found.keys)
    except (MsgspecError, ValueError, Malformed) as error:
        raise Damaged(f"{path} is not what was written ({error}): put it back from a backup") from None
    if not keys or keys[-1].signing is None:
        raise Damaged(f"{path} has no key that signs: put it back from a backup")
    return Identity(found.origin, keys)


def read_known(data: Path) -> Read:
    """What was signed in `data` as far as it can be read; a problem if that may not be all. Raises OSError."""
    try:
        return read_ledger(data / SIGNING)
    except FileNotFoundError:
        return Read(Notes(), "the file is missing")


def halted(data: Path) -> str:
    """Why nothing may be signed: a backup was put back, and nobody has said yet how to go on. Empty if that is not so."""
    if not (data / SIGNING / RESTORED).exists():
        return ""
    return f"a backup was put back, and others may have seen more than it holds: nothing is signed. {adopting(data)}"


def no_journal(data: Path) -> Damaged | None:
    """The error for a directory in which something was signed and whose journal is gone; None where nobody signed."""
    known = read_known(data)
    if not (data / SIGNING).is_dir() or not (known.problem or known.notes.all()):
        return None
    return Damaged(f"{data / 'journal'} is missing, and {data / SIGNING} is there: put a backup back. {adopting(data)}")


def unmark(files: Files, data: Path) -> None:
    """From now on the directory signs again."""
    files.unlink(data / SIGNING / RESTORED)
    sync_directory(files, data / SIGNING)


def _has_signed(data: Path) -> bool:
    with suppress(FileNotFoundError):
        return bool(read_ledger(data / SIGNING).notes.all())
    return False


def _keyless(data: Path, events: int) -> Damaged:
    signed = "there are checkpoints that were signed" if _has_signed(data) else f"the journal holds {events} events"
    make = f"`indelible keys make --data {shlex.quote(str(data))}`"
    return Damaged(
        f"{data / SIGNING / KEYS} is missing, and {signed}: put {data / SIGNING} back from a backup. If there is none, move away what is "
        f"left of it: then {make} makes a new key, under another name"
    )


def _held(key: _Key, origin: str) -> Held:
    public = parse_vkey(key.vkey)
    signing = parse_signing_key(key.secret) if key.secret is not None else None
    if not isinstance(public, NoteKey) or public.name != origin or (signing is not None and signing.public != public):
        raise ValueError("a key that is not the origin's")
    return Held(public, signing, _seconds(key.since), None if key.until is None else _seconds(key.until))


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def _write(files: Files, data: Path, identity: Identity) -> None:
    """Replace keys.json, durably (files.replace)."""
    keys = [
        _Key(
            held.public.vkey,
            held.signing.secret() if held.signing else None,
            text_of(held.since),
            None if held.until is None else text_of(held.until),
        )
        for held in identity.keys
    ]
    replace(files, data / SIGNING / KEYS, format(encode(_Keys(FORMAT, identity.origin, keys))) + b"\n")
