"""How a log goes on whose directory was a backup: others' newest checkpoints are in it, or it begins a tree under another name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from indelible.errors import Misconfigured, Unproven
from indelible.log.generations import Generation
from indelible.log.prepare import Prepared, Terms, framed
from indelible.log.proofs import Proofs
from indelible.log.recorder import Recorder
from indelible.model.conflict import SOURCE
from indelible.model.counting import counted
from indelible.model.entry import SALT, Origin, entries
from indelible.model.event import Event, Limits
from indelible.model.generation import GENERATION, Begun, generation_body
from indelible.signing.keys import Identity, origin_of
from indelible.signing.names import tree_in
from indelible.tree.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from indelible.tree.note import parse_note


class Tree(NamedTuple):
    """A generation of a log and the name that it is signed under."""

    log: str
    generation: Generation
    origin: str


def trees_of(recorder: Recorder, identity: Identity, logs: Iterable[str]) -> list[Tree]:
    """Every tree of these logs, oldest first."""
    return [
        Tree(log, generation, origin_of(identity.origin, log, generation.number))
        for log in logs
        for generation in recorder.generations(log)
    ]


def confirmed(proofs: Proofs, identity: Identity, trees: Sequence[Tree], shown: Iterable[bytes]) -> list[tuple[Checkpoint, bytes]]:
    """Checkpoints that others have, each of which the journal continues. Blocks.

    Raises Malformed or Unproven for a note that is none of ours, and for one that shows more or other entries than there are; Misconfigured
    if a log that has entries is shown by none of them.
    """
    held = []
    for note in shown:
        checkpoint = _ours(identity, note)
        tree = next((tree for tree in trees if tree.origin == checkpoint.origin), None)
        size = tree.generation.tree.size if tree else 0
        if tree is None or checkpoint.size > size:
            raise Unproven(
                f"others have seen {counted(checkpoint.size, 'entry', 'entries')} of {checkpoint.origin}, and here are {size}: put a newer "
                "backup back, or begin a new tree with --new-generation"
            )
        if proofs.root(tree.log, tree.generation, checkpoint.size) != checkpoint.root:
            raise Unproven(f"others have seen other entries of {checkpoint.origin} than are here: only --new-generation goes on from here")
        held.append((checkpoint, note))
    missing = {tree.origin for tree in trees if tree.generation.tree.size and _is_last(tree, trees)} - {each.origin for each, _ in held}
    if missing:
        raise Misconfigured(f"no checkpoint was given of {', '.join(sorted(missing))}: --checkpoint has to show each log that has entries")
    return held


def beginning(
    recorder: Recorder, log: str, known: Mapping[str, bytes], identity: Identity, now: int, randomness: Callable[[int], bytes]
) -> Prepared:
    """The frame that begins the next tree of `log`, under a number of which nothing is known.

    `known` are the newest notes by origin; `now` is in microseconds since 1970.
    """
    current = recorder.generations(log)[-1].number
    trees = {name: tree_in(identity.origin, name) for name in known}
    notes = {tree[1]: known[name] for name, tree in trees.items() if tree and tree[0] == log}
    newest = max(notes, default=0)
    last = notes[newest].decode() if notes else None
    size = recorder.size(log)
    body = generation_body(Begun(max(current, newest) + 1, size - 1 if size else None, last))
    terms, salt = Terms(log, now, Limits()), randomness(SALT)
    made = entries([Event(GENERATION, SOURCE)], [body], salt, Origin(now, terms.writer, terms.dialect))
    frame = framed(terms, body + b"\n", salt, made.leaves, {})
    return Prepared(frame, [body], [SOURCE], made.ids, made.leaves)


def _ours(identity: Identity, note: bytes) -> Checkpoint:
    origin = parse_checkpoint(parse_note(note).text).origin
    return open_checkpoint(note, origin, identity.public(origin)).checkpoint


def _is_last(tree: Tree, trees: Sequence[Tree]) -> bool:
    return all(other.generation.number <= tree.generation.number for other in trees if other.log == tree.log)
