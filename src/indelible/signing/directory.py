"""The signing directory: DATA/signing with the origin, the keys, the checkpoints, and the mark of a restored backup."""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from msgspec import MsgspecError, Struct
from msgspec.json import decode, encode, format

from indelible.errors import Damaged, Malformed, Misconfigured
from indelible.journal.files import Files, replace, sync_directory
from indelible.signing.keys import Held, Identity, new_key, text_of
from indelible.signing.ledger import FileLedger, Read, ReadLedger, open_ledger, read_ledger
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
    """Who signs, what was signed, and whether nothing may be signed for now."""

    identity: Identity
    ledger: FileLedger | ReadLedger
    restored: bool


def open_signing(files: Files, data: Path, origin: str | None, now: int) -> Opened:
    """The signing directory of `data`, which the caller has locked. At the first start it is made, with `origin` or a random one.

    Raises Misconfigured if another origin is there, Damaged for files that are missing or cannot be true, OSError.
    """
    identity = made(files, data, origin, now)
    if origin is not None and origin != identity.origin:
        raise Misconfigured(
            f"origin is {origin!r}, and {data / SIGNING / KEYS} has {identity.origin!r} since its first start: a log's name never changes; "
            f"leave the setting out, or use another --data"
        )
    pruned = identity.pruned(now)
    if pruned != identity:
        _write(files, data, pruned)
    directory = data / SIGNING
    return Opened(pruned, open_ledger(files, directory), (directory / RESTORED).exists())


def read_signing(data: Path) -> Opened:
    """The same for a process that only reads: what cannot be read is not there, and nothing is ever signed."""
    identity, notes = None, Notes()
    with suppress(Damaged, Misconfigured, OSError):
        identity = read_identity(data)
    with suppress(OSError):
        notes = read_ledger(data / SIGNING).notes
    return Opened(identity or Identity("", ()), ReadLedger(data / SIGNING, notes), True)


def made(files: Files, data: Path, origin: str | None, now: int) -> Identity:
    """Who signs here; made, with a new key, where nobody does. Raises Damaged, Misconfigured, OSError."""
    identity = read_identity(data)
    if identity is not None:
        return identity
    directory = data / SIGNING
    name = origin if origin is not None else f"indelible-{secrets.token_hex(8)}"
    directory.mkdir(mode=0o700, exist_ok=True)
    sync_directory(files, data)
    with suppress(FileNotFoundError):
        if read_ledger(directory).notes.all():
            raise Damaged(f"{directory / KEYS} is missing, and there are checkpoints that were signed: put it back from a backup")
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


def restored(data: Path) -> bool:
    """Whether a backup was put back and nobody has said yet how to go on."""
    return (data / SIGNING / RESTORED).exists()


def unmark(files: Files, data: Path) -> None:
    """From now on the directory signs again."""
    files.unlink(data / SIGNING / RESTORED)
    sync_directory(files, data / SIGNING)


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
