"""How a log is cut into files that never change: tiles of hashes and bundles of entries (c2sp.org/tlog-tiles)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from indelible.errors import Malformed
from indelible.tree.merkle import HEIGHT, WIDTH, Hash
from indelible.tree.text import shown

ENTRIES = -1  # the level of a bundle: it holds what level 0 hashes
MOST_BYTES = 65_535  # of an entry in a bundle: its length stands in two bytes
_TOP = 63  # the highest level that a path can name
_PATH = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


class Tile(NamedTuple):
    """Hashes or entries [`start`, `stop`) of a level. A `width` below 256 makes it partial: the last one of a log of some size."""

    level: int  # ENTRIES for a bundle
    number: int
    width: int = WIDTH

    @property
    def start(self) -> int:
        return self.number * WIDTH

    @property
    def stop(self) -> int:
        return self.start + self.width

    @property
    def path(self) -> str:
        """Relative to the log's URL, such as tile/1/x001/234.p/17."""
        groups = f"{self.number:03}"
        groups = groups.zfill(-(-len(groups) // 3) * 3)
        parts = [groups[at : at + 3] for at in range(0, len(groups), 3)]
        level = "entries" if self.level == ENTRIES else self.level
        return f"tile/{level}/{'/'.join(['x' + part for part in parts[:-1]] + parts[-1:])}" + (
            f".p/{self.width}" if self.width < WIDTH else ""
        )

    def is_in(self, size: int) -> bool:
        """Whether a log of `size` entries has all of it: as the tile of its own, or as the beginning of one that grew on."""
        return self.stop <= size >> HEIGHT * max(self.level, 0)


def tile_at(path: str) -> Tile:
    """What a path names, relative to the log's URL. Raises Malformed for every spelling but the one that `Tile.path` gives."""
    match = _PATH.fullmatch(path)
    if match:
        level = ENTRIES if match[1] == "entries" else int(match[1])
        number = int(match[2].replace("/", "").replace("x", ""))
        tile = Tile(level, number, int(match[3] or WIDTH))
        if level <= _TOP and tile.path == path:
            return tile
    raise Malformed(f"{shown(path)} is no path of a tile: tile/<level or entries>/<number in groups of three>[.p/<width>]")


def tiles_of(size: int) -> Iterator[Tile]:
    """The tiles of hashes that a log of `size` entries has, level by level; the last of a level is partial unless its hashes fill it."""
    level, hashes = 0, size
    while hashes:
        full, rest = divmod(hashes, WIDTH)
        yield from (Tile(level, number) for number in range(full))
        if rest:
            yield Tile(level, full, rest)
        level, hashes = level + 1, full


def decode_hashes(data: bytes, width: int) -> list[Hash]:
    """The hashes of a tile, 32 bytes each and nothing around them. Raises Malformed unless there are exactly `width`."""
    if len(data) != 32 * width:
        raise Malformed(f"a tile of {width} hashes has {32 * width} bytes, this has {len(data)}")
    return [Hash(data[at : at + 32]) for at in range(0, len(data), 32)]


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Each entry behind its length, two bytes with the higher one first. Raises ValueError for an entry above MOST_BYTES."""
    if any(len(entry) > MOST_BYTES for entry in entries):
        raise ValueError(f"an entry in a bundle has at most {MOST_BYTES} bytes")
    return b"".join([len(entry).to_bytes(2, "big") + entry for entry in entries])


def decode_bundle(data: bytes, width: int) -> list[bytes]:
    """The entries of a bundle. Raises Malformed unless there are exactly `width`, with nothing cut off and nothing behind them."""
    entries, at = [], 0
    for _ in range(width):
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if at > len(data):
            break
        entries.append(data[start:at])
    if len(entries) != width or at != len(data):
        raise Malformed(f"{len(data)} bytes are no bundle of {width} entries")
    return entries
