"""Which file stands at which place of the chain, where names and journal.json may be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from indelible.errors import Damaged
from indelible.journal.closed import CLOSED, marked, read_mark
from indelible.journal.directory import Manifest, file_name, file_number, read_manifest
from indelible.journal.files import Files
from indelible.journal.frame import After, Found, seed
from indelible.journal.salvage import Salvage
from indelible.model.damage import Gap


class Standing(NamedTuple):
    """A file at its place. `head` is its first frame, None if that does not hold; `named`: it has the name of its place.

    `alien` are the checksums of frames that stand in it as a copy of another file.
    """

    path: Path
    head: Found | None
    named: bool = True
    alien: frozenset[str] = frozenset()


class Chain(NamedTuple):
    """The files `first` to `last` of a chain, as far as they are there; `last` is the last one in which anything was written.

    `aside` is damage that stands at no place of it: a journal.json that cannot be read, a file under the name of another. `mark` is what
    a clean stop left.
    """

    manifest: Manifest | None
    first: int
    last: int
    files: dict[int, Standing]
    aside: list[Gap]
    mark: After | None


def chain_in(files: Files, directory: Path) -> Chain:
    """Raises Misconfigured for a format of another version, OSError if there is no such directory."""
    mark, spoiled = _mark(directory)  # before the files: a process may go on writing
    names = {number: directory / name for name in files.names(directory) if (number := file_number(name))}
    heads = {number: _head(files, path) for number, path in names.items()}
    anything = mark is not None or any(number > 1 or written(files, path) for number, path in names.items())
    manifest, aside = _manifest(directory, anything)
    aside += spoiled
    standing = _standing(files, names, heads, aside)
    first = (file_number(manifest.first) if manifest else None) or min(standing, default=1)
    last = max(standing, default=first)
    while last > first and last in standing and not written(files, standing[last].path):
        last -= 1  # a rotation or a start that was cut short
    return Chain(manifest, first, max(last, marked(mark)), standing, aside, mark)


def written(files: Files, path: Path) -> int:
    """Where the zeros begin that end the file."""
    with Salvage(files, path) as tape:
        return tape.written()


def _manifest(directory: Path, needed: bool) -> tuple[Manifest | None, list[Gap]]:
    path = directory / "journal.json"
    try:
        manifest = read_manifest(directory)
        reason = "it is missing"
    except Damaged:
        manifest, reason = None, "it is not the JSON that was written"
    size = path.stat().st_size if path.exists() else 0
    return manifest, [] if manifest or not (size or needed) else [Gap(path.name, 0, size, False, reason)]


def _mark(directory: Path) -> tuple[After | None, list[Gap]]:
    path = directory / CLOSED
    try:
        return read_mark(directory), []
    except Damaged:
        return None, [Gap(CLOSED, 0, path.stat().st_size, False, "it is not the JSON that was written")]


def _head(files: Files, path: Path) -> Found | None:
    with Salvage(files, path, 1 << 16) as tape:
        found = next(tape.whole(), None)
    return found if found and found.start == 0 and found.position is not None else None


def _standing(files: Files, names: dict[int, Path], heads: dict[int, Found | None], aside: list[Gap]) -> dict[int, Standing]:
    """Each file where its name says, or where its first frame does if no other is there."""
    seeds = {seed(file_name(number)): number for number in range(1, max(names, default=0) + 2)}
    told = {number: seeds.get(head.prev) for number, head in heads.items() if head}
    standing = {number: Standing(path, heads[number] if told.get(number) else None) for number, path in names.items()}
    strays = {number: place for number, place in told.items() if place not in (None, number)}
    for number in strays:
        del standing[number]
    for number, place in strays.items():
        path = names[number]
        if place in standing:
            with Salvage(files, standing[place].path) as tape:
                standing[number] = Standing(path, None, alien=frozenset(found.checksum for found in tape.whole()))
        elif place is not None:
            standing[place] = Standing(path, heads[number], False)
            aside.append(Gap(path.name, 0, path.stat().st_size, False, f"it is {file_name(place)} under another name"))
    return standing
