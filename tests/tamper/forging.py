"""What somebody can do who may write the files, from a flipped byte to a history that fits itself again: checksums, chain and leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs
from trails import files, frames_of, overwrite

from indelible.journal.files import Files
from indelible.journal.frame import After, encode, opening, seed
from indelible.journal.port import Frame
from indelible.journal.scan import Tape
from indelible.model import strict
from indelible.model.entry import Origin, entries
from indelible.signing.ledger import encoded

Act = Callable[[Path], None]
Forge = Callable[[list[list[Frame]]], None]
"""Changes frames, file by file."""


def flipped(find: bytes, file: int = 1, frame: int = 1, at: int = 0, letter: bool = False) -> Act:
    """One bit of a byte of a frame, `at` bytes behind the beginning of `find` in it; a `letter` of base64 becomes another one."""

    def act(data: Path) -> None:
        path = files(data)[file]
        start, end = frames_of(path)[frame]
        place = path.read_bytes().index(find, start, end) + at
        byte = path.read_bytes()[place]
        overwrite(path, place, (b"B" if byte == ord("A") else b"A") if letter else bytes([byte ^ 1]))

    return act


def frames_swapped(data: Path) -> None:
    path = files(data)[1]
    text = path.read_bytes()
    (start, middle), (_, end) = frames_of(path)[1:3]
    overwrite(path, start, text[middle:end] + text[start:middle])


def frame_doubled(data: Path) -> None:
    path = files(data)[1]
    text = path.read_bytes()
    start, end = frames_of(path)[1]
    path.write_bytes(text[:end] + text[start:end] + text[end:])


def frame_dropped(data: Path) -> None:
    path = files(data)[1]
    text = path.read_bytes()
    start, end = frames_of(path)[1]
    path.write_bytes(text[:start] + text[end:])


def checksum_made_anew(data: Path) -> None:
    """Another event in one frame, whose own checksum fits again."""
    path = files(data)[1]
    start, end = frames_of(path)[1]
    with Tape(Files(), path) as tape:
        found = tape.frame(start)
    frame = structs.replace(found.frame, text=found.frame.text.replace(b"xxx", b"yyy", 1))
    line, _ = encode(frame, found.prev, found.safe)
    assert len(line) + len(frame.text) == end - start
    overwrite(path, start, line + frame.text)


def remade(forge: Forge, leaves: bool = True) -> Act:
    """All frames written again after `forge`, with checksums, `prev`, `safe`, `position`, `after` and an end mark that fit.

    With `leaves` those too.
    """

    def act(data: Path) -> None:
        paths = files(data)
        held: list[list[Frame]] = []
        for path in paths:
            with Tape(Files(), path) as tape:
                held.append([tape.frame(start).frame for start, _ in frames_of(path)])
        forge(held)
        position = 0
        after: After | None = None
        for path, frames in zip(paths, held, strict=True):
            text, prev = b"", seed(path.name)
            for frame in map(with_leaves, frames) if leaves else frames:
                line, prev = encode(frame, prev, len(text), "" if text else opening(position, after))
                text += line + frame.text
                position += frame.count
            path.write_bytes(text)
            after = After(path.name, len(text), prev) if text else after
        assert after
        (data / "journal" / "closed").write_bytes(msgspec.json.encode(after))

    return act


def with_leaves(frame: Frame) -> Frame:
    origin = Origin(frame.recorded, frame.writer, frame.dialect)
    made = entries(strict.decoded(frame.text), frame.text.split(b"\n")[:-1], frame.salts, origin, frame.ids)
    return structs.replace(frame, leaves=sha256(b"".join(made.leaves)).digest())


def member(**changes: Any) -> Forge:
    """Members of one frame, as values or as functions of what they were."""

    def forge(held: list[list[Frame]]) -> None:
        old = held[1][1]
        new = {name: change(getattr(old, name)) if callable(change) else change for name, change in changes.items()}
        held[1][1] = structs.replace(old, **new)

    return forge


def with_ids(held: list[list[Frame]]) -> None:
    """Another id for the event that has one from an Idempotency-Key."""
    file, at = next((file, at) for file, frames in enumerate(held) for at, frame in enumerate(frames) if frame.ids)
    held[file][at] = structs.replace(held[file][at], ids={place: f"{id[:-1]}x" for place, id in held[file][at].ids.items()})


def ledger_line(change: Callable[[list[str]], list[str]], line: int = 1) -> Act:
    """The notes of one line of the checkpoints' file, its checksum made anew. Lines count from 1."""

    def act(data: Path) -> None:
        path = data / "signing" / "checkpoints"
        lines = path.read_bytes().splitlines()
        notes = change(json.loads(lines[line - 1])["notes"])
        lines[line - 1] = encoded([note.encode() for note in notes]).removesuffix(b"\n")
        path.write_bytes(b"".join(each + b"\n" for each in lines))

    return act


def keys(change: Callable[[Any], None]) -> Act:
    def act(data: Path) -> None:
        path = data / "signing" / "keys.json"
        found = json.loads(path.read_bytes())
        change(found)
        path.write_text(json.dumps(found))

    return act
