"""Why a checkpoint is signed by none of the keys that somebody has: a key that was rotated, another generation of the log, another log."""

from __future__ import annotations

import re
from collections.abc import Collection

from indelible.errors import Unproven
from indelible.tree.keys import NoteKey
from indelible.tree.note import Key, Note, Signature
from indelible.tree.text import shown

_MOST = 4  # keys that a message names
_GENERATION = re.compile(r"/g[1-9][0-9]*$")


def first_generation(origin: str) -> str:
    """The name that a log's first tree has; later ones have `/g2`, `/g3` and so on behind it (docs/format.md)."""
    return _GENERATION.sub("", origin)


def unsigned(note: Note, origin: str, keys: Collection[Key]) -> str:
    """The sentence for a checkpoint of `origin` that none of `keys` signed: which keys these are, which signed, and how that may be."""
    signed = f"its signatures are by {_listed([_named(by) for by in note.signatures], ' and ')}"
    if not keys:
        return f"not signed by anyone, as no key is known: this is {shown(origin)}, and {signed}"
    start = f"not signed by {_listed([_named(key) for key in keys], ' or ')}"
    if any(key.name == origin for key in keys):
        how = "either its key was rotated, and the new one comes from where you have this one from, or somebody else signed this"
        return f"{start}: {signed}; {how}"
    renamed = [NoteKey(origin, key.public) for key in keys if isinstance(key, NoteKey)]
    same = next((key for key in renamed if _signs(note, key)), None)
    related = [key.name for key in keys if first_generation(key.name) == first_generation(origin)]
    if related:
        which = f"another generation of {shown(related[0])}: that log lost entries, or goes on from a backup"
    else:
        which = "another log of the same service" if same else "another log"
    by = f"the same key signed it, under the name {same.vkey}" if same else signed
    return f"{start}: this is {shown(origin)}, {which}; {by}"


def _signs(note: Note, key: NoteKey) -> bool:
    """Whether a line of the note is this key's."""
    for line in note.signatures:
        if (line.name, line.id) == (key.name, key.id):
            try:
                key.verify(note.text, line.payload)
            except Unproven:
                return False
            return True
    return False


def _named(key: Key | Signature) -> str:
    return f"{shown(key.name)} ({key.id.hex()})"


def _listed(names: Collection[str], between: str) -> str:
    distinct = list(dict.fromkeys(names))
    if len(distinct) > _MOST:
        distinct[_MOST:] = [f"{len(distinct) - _MOST} more"]
    return between.join(distinct)
