"""The table of what is done to answers on their way, and what whoever asks says to them, with a key from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from exhibits import CONSISTENCY, ORIGIN, PROOF, PROOF_FILE, Exhibits, continued, in_file, included, promised, rebuilt, served_keys, signed

from indelible.tree.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from indelible.tree.keys import NoteKey, SigningKey
from indelible.tree.note import parse_note
from indelible.tree.tiles import decode_bundle, encode_bundle

Shown = dict[str, bytes]
Check = Callable[[Exhibits, list[NoteKey]], None]

# By whom: what is checked, in the words of the table.
CHECKS: dict[str, Check] = {
    "signature": lambda whole, keys: signed(whole.shown, keys) and None,
    "inclusion proof": lambda whole, keys: included(whole.shown, keys, whole.event),
    "proof file": lambda whole, keys: in_file(whole.shown, keys, whole.event),
    "tiles up to the root": lambda whole, keys: rebuilt(whole.shown, keys),
    "a checkpoint that was kept": lambda whole, keys: continued(whole.shown, keys, whole.earlier),
    "receipt and proof": lambda whole, keys: promised(whole.shown, keys),
    "the log's key from elsewhere": lambda whole, keys: signed(whole.shown, _same(served_keys(whole.shown), keys)) and None,
}


class Tampering(NamedTuple):
    what: str
    how: str
    act: Callable[[Exhibits], Exhibits]
    by: str  # of CHECKS
    says: str


def _same(served: list[NoteKey], known: list[NoteKey]) -> list[NoteKey]:
    """The keys that are known, of those that were served."""
    return [key for key in served if key in known]


def _bytes(kind: str, change: Callable[[bytes], bytes]) -> Callable[[Exhibits], Exhibits]:
    """Of the first answer to what begins so."""

    def act(whole: Exhibits) -> Exhibits:
        name = next(name for name in whole.shown if name.startswith(kind))
        return whole._replace(shown={**whole.shown, name: change(whole.shown[name])})

    return act


def _json(kind: str, change: Callable[[Any], None]) -> Callable[[Exhibits], Exhibits]:
    def act(text: bytes) -> bytes:
        found = json.loads(text)
        change(found)
        return json.dumps(found).encode()

    return _bytes(kind, act)


def _flip(at: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _letter(at: int) -> Callable[[bytes], bytes]:
    """Another letter of base64."""
    return lambda text: text[:at] + (b"B" if text[at : at + 1] == b"A" else b"A") + text[at + 1 :]


def _other(text: str) -> str:
    """The same base64 with another first character."""
    return ("A" if text[0] != "A" else "B") + text[1:]


def _item(name: str, change: Callable[[list[str]], list[str]]) -> Callable[[Any], None]:
    def act(found: Any) -> None:
        found[name] = change(found[name])

    return act


def _member(name: str, change: Callable[[Any], Any]) -> Callable[[Any], None]:
    def act(found: Any) -> None:
        found[name] = change(found[name])

    return act


def _in_note(line: int, change: Callable[[str], str]) -> Callable[[bytes], bytes]:
    def act(note: bytes) -> bytes:
        lines = note.decode().split("\n")
        lines[line] = change(lines[line])
        return "\n".join(lines).encode()

    return act


def _entries(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    return lambda bundle: encode_bundle(change(decode_bundle(bundle, 256)))


def _own_key(whole: Exhibits) -> Exhibits:
    """Somebody else signs the same tree under the log's name, and serves the key for it."""
    key = SigningKey(ORIGIN, bytes(32))
    note = sign_checkpoint(parse_checkpoint(parse_note(whole.shown["checkpoint"]).text), [key])
    return whole._replace(shown={**whole.shown, "checkpoint": note, "vkey": f"{key.public.vkey}\n".encode()})


def forked(whole: Exhibits, key: SigningKey) -> Exhibits:
    """The thief of the key signs another history of the same size."""
    size, root = parse_checkpoint(parse_note(whole.shown["checkpoint"]).text)[1:3]
    note = sign_checkpoint(Checkpoint(ORIGIN, size, type(root)(root[::-1])), [key])
    return whole._replace(shown={**whole.shown, "checkpoint": note})


def _older(whole: Exhibits) -> Exhibits:
    """Rolled back: what was shown last is the older one, what was kept the newer one."""
    return whole._replace(earlier=whole.shown["checkpoint"], shown={**whole.shown, "checkpoint": whole.earlier})


def _swapped(items: list[Any]) -> list[Any]:
    return [items[1], items[0], *items[2:]]


NOT_SIGNED, HASHES, ROOT = "does not hold", "does not lead from this entry", "do not lead to the signed root"
TILES, LEAVES, BUNDLED = "tiles up to the root", "does not hold the entries under it", "are no bundle of 256"
BUNDLE, KEPT = "tile/entries/", "does not continue the one"

WIRE = [
    Tampering("checkpoint: origin", "changed", _bytes("checkpoint", _in_note(0, lambda line: f"{line}s")), "signature", "not of"),
    Tampering("checkpoint: size", "raised", _bytes("checkpoint", _in_note(1, lambda line: f"{int(line) + 1}")), "signature", NOT_SIGNED),
    Tampering("checkpoint: root", "changed", _bytes("checkpoint", _in_note(2, _other)), "signature", NOT_SIGNED),
    Tampering("checkpoint: a further line", "added", _bytes("checkpoint", _in_note(3, lambda line: "more\n")), "signature", NOT_SIGNED),
    Tampering("signature", "a byte changed", _bytes("checkpoint", _letter(-20)), "signature", NOT_SIGNED),
    Tampering("signature", "dropped", _bytes("checkpoint", lambda note: note[: note.index(b"\n\n") + 2]), "signature", "each ended by LF"),
    Tampering("signature", "another key's, which is served too", _own_key, "the log's key from elsewhere", "no key is known"),
    Tampering("signature", "another key's, under the log's name", _own_key, "signature", "not signed by"),
    Tampering("key (vkey)", "a byte changed", _bytes("vkey", _letter(-9)), "the log's key from elsewhere", "was changed"),
    Tampering("checkpoint", "an older one: rolled back", _older, "a checkpoint that was kept", "cannot be the beginning"),
    Tampering(
        "consistency proof",
        "a hash changed",
        _json(CONSISTENCY, _item("hashes", lambda of: [_other(of[0]), *of[1:]])),
        "a checkpoint that was kept",
        KEPT,
    ),
    Tampering(
        "consistency proof",
        "a hash dropped",
        _json(CONSISTENCY, _item("hashes", lambda of: of[1:])),
        "a checkpoint that was kept",
        "too short",
    ),
    Tampering(
        "consistency proof",
        "a hash doubled",
        _json(CONSISTENCY, _item("hashes", lambda of: [*of, of[-1]])),
        "a checkpoint that was kept",
        "too long",
    ),
    Tampering("consistency proof", "two hashes swapped", _json(CONSISTENCY, _item("hashes", _swapped)), "a checkpoint that was kept", KEPT),
    Tampering(
        "inclusion proof", "a hash changed", _json(PROOF, _item("hashes", lambda of: [_other(of[0]), *of[1:]])), "inclusion proof", HASHES
    ),
    Tampering("inclusion proof", "a hash dropped", _json(PROOF, _item("hashes", lambda of: of[1:])), "inclusion proof", "too short"),
    Tampering("inclusion proof", "a hash doubled", _json(PROOF, _item("hashes", lambda of: [*of, of[-1]])), "inclusion proof", "too long"),
    Tampering("inclusion proof", "two hashes swapped", _json(PROOF, _item("hashes", _swapped)), "inclusion proof", HASHES),
    Tampering("inclusion proof: index", "another one", _json(PROOF, _member("index", lambda of: of ^ 1)), "inclusion proof", HASHES),
    Tampering(
        "inclusion proof: checkpoint",
        "its size changed",
        _json(PROOF, _member("checkpoint", lambda of: _in_note(1, lambda line: f"{int(line) + 1}")(of.encode()).decode())),
        "inclusion proof",
        NOT_SIGNED,
    ),
    Tampering(
        "header",
        "a byte changed",
        _json(PROOF, _member("header", lambda of: of.replace('"writer":"-"', '"writer":"x"'))),
        "inclusion proof",
        HASHES,
    ),
    Tampering("salt", "a byte changed", _json(PROOF, _member("salt", _other)), "inclusion proof", "salt and event"),
    Tampering(
        "event",
        "a byte changed",
        lambda whole: whole._replace(event=whole.event.replace(b"xxx", b"yyy", 1)),
        "inclusion proof",
        "salt and event",
    ),
    Tampering("proof file: index", "another one", _bytes(PROOF_FILE, lambda of: of.replace(b"index 5", b"index 4")), "proof file", HASHES),
    Tampering("proof file: hash", "changed", _bytes(PROOF_FILE, _in_note(2, _other)), "proof file", HASHES),
    Tampering(
        "proof file: hash",
        "dropped",
        _bytes(PROOF_FILE, lambda text: b"\n".join([*text.split(b"\n")[:2], *text.split(b"\n")[3:]])),
        "proof file",
        "too short",
    ),
    Tampering("proof file", "cut", _bytes(PROOF_FILE, lambda text: text[: len(text) // 2]), "proof file", "this is none"),
    Tampering("proof file: checkpoint", "a byte of its signature changed", _bytes(PROOF_FILE, _letter(-20)), "proof file", NOT_SIGNED),
    Tampering("tile of leaves", "a bit flipped", _bytes("tile/0/", _flip(40)), TILES, LEAVES),
    Tampering("tile of leaves", "cut", _bytes("tile/0/", lambda tile: tile[:-32]), TILES, "has 8160"),
    Tampering("tile of leaves", "one hash more", _bytes("tile/0/", lambda tile: tile + tile[-32:]), TILES, "has 8224"),
    Tampering(
        "tile of leaves",
        "two hashes swapped",
        _bytes("tile/0/", lambda tile: tile[32:64] + tile[:32] + tile[64:]),
        TILES,
        LEAVES,
    ),
    Tampering("tile of level 1", "a bit flipped", _bytes("tile/1/", _flip(3)), TILES, "does not follow from the tiles below"),
    Tampering(
        "bundle",
        "an entry changed",
        _bytes(BUNDLE, lambda text: text.replace(b'"writer":"-"', b'"writer":"x"', 1)),
        TILES,
        LEAVES,
    ),
    Tampering("bundle", "two entries swapped", _bytes(BUNDLE, _entries(_swapped)), TILES, LEAVES),
    Tampering("bundle", "an entry dropped", _bytes(BUNDLE, _entries(lambda of: of[1:])), TILES, BUNDLED),
    Tampering("bundle", "an entry doubled", _bytes(BUNDLE, _entries(lambda of: [of[0], *of])), TILES, BUNDLED),
    Tampering("bundle", "cut", _bytes(BUNDLE, lambda text: text[:-1]), TILES, BUNDLED),
    Tampering("receipt: leaf", "changed", _json("receipt", _member("leaf", _other)), "receipt and proof", HASHES),
    Tampering("receipt: index", "another one", _json("receipt", _member("index", lambda of: of ^ 1)), "receipt and proof", HASHES),
    Tampering("receipt: id", "another one", _json("receipt", _member("id", lambda of: f"{of}0")), "receipt and proof", "of another event"),
]
