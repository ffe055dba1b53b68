"""A log as a server shows it: its signed checkpoint, and every entry and tile under that."""

from __future__ import annotations

from indelible.errors import Malformed, NotFound, NotYet, Unproven
from indelible.model.counting import counted
from indelible.tree.checkpoint import Told
from indelible.tree.merkle import WIDTH, Hash, leaf_hash, root_over
from indelible.tree.reading import SignedTree, misfit
from indelible.tree.tiles import ENTRIES, Tile, decode_bundle
from indelible.verify.fetch import Remote, Server, log_url
from indelible.verify.terms import Terms, Verdict, forked


def verify(target: str, terms: Terms) -> Verdict:
    """The log at a URL. Raises Unproven or Malformed at the first thing that does not hold, Unreachable, and what a server refuses with."""
    url = log_url(target)
    server = Server(url, terms.key, terms.patience)
    try:
        log, name = Remote(server), url.rpartition("/v1/logs/")[2].partition("/")[0]
        accepted = terms.trust.opened(_checkpoint(log, name, terms), log.keys)
        checkpoint = accepted.checkpoint
        terms.expect(name, checkpoint.origin)
        terms.match([checkpoint.origin])
        told = terms.told(accepted)
        tree = signed_tree(log, checkpoint.size, checkpoint.root)
        for each in told:
            if tree.root(each.size) != each.root:
                raise forked(checkpoint.origin, each)
        start = 0 if terms.again or not told else told[-1].size
        _entries(log, tree, checkpoint.origin, start, terms)
        terms.memory.keep(accepted)
    finally:
        server.close()
    lines = [f"{checkpoint.origin}: {_looked_at(start, checkpoint.size, told)}", *terms.continued(accepted)]
    return Verdict(lines, accepted.confirmed)


def _checkpoint(log: Remote, name: str, terms: Terms) -> bytes:
    """The newest signed note. Raises NotYet or NotFound for a log that has none and had none, Unproven if it had one."""
    try:
        return log.checkpoint()
    except (NotFound, NotYet):
        terms.gone(name, log.keys)
        raise


def signed_tree(log: Remote, size: int, root: bytes) -> SignedTree:
    """The tree under a signed root. Raises Unproven, which says which tile is to blame if one is."""
    try:
        return SignedTree(size, root, log)
    except Malformed:
        raise
    except Unproven as error:
        bad = misfit(size, log, lambda tile: _leaves(log, tile))
        raise Unproven(bad or f"{error.detail}: they fit each other, so this is another tree than the one that was signed") from None


def entry_at(log: Remote, tree: SignedTree, origin: str, index: int) -> bytes:
    """The entry (header) at `index` of a tree. Raises Unproven if it is not what was signed."""
    number = index // WIDTH
    bundle = Tile(ENTRIES, number, min(WIDTH, tree.size - number * WIDTH))
    entries = _bundle(log, bundle)
    _compared(tree, bundle, [leaf_hash(entry) for entry in entries], origin)
    return entries[index - bundle.start]


def _entries(log: Remote, tree: SignedTree, origin: str, start: int, terms: Terms) -> None:
    """Hold all bundles and tiles with entries from `start` on against the tree."""
    for first in range(start // WIDTH * WIDTH, tree.size if start < tree.size else 0, WIDTH):
        bundle = Tile(ENTRIES, first // WIDTH, min(WIDTH, tree.size - first))
        leaves = _leaves(log, bundle)
        _compared(tree, bundle, leaves, origin)
        if bundle.width == WIDTH:
            tile = bundle._replace(level=0)
            shown = log(tile)
            if shown != b"".join(leaves):
                raise Unproven(f"{tile.path}: {_first_other(shown, leaves)}")
        terms.progress(bundle.stop - start, tree.size - start)


def _compared(tree: SignedTree, bundle: Tile, leaves: list[Hash], origin: str) -> None:
    """Raises Unproven, which names the first entry that is not what was signed."""
    if bundle.width == WIDTH and [root_over(list(leaves))] == tree(1, bundle.number, bundle.number + 1):
        return
    signed = tree(0, bundle.start, bundle.stop)
    for place, (leaf, right) in enumerate(zip(leaves, signed, strict=True)):
        if leaf != right:
            raise Unproven(f"entry {bundle.start + place} of {origin}, in {bundle.path}, is not the one that was signed")


def _leaves(log: Remote, tile: Tile) -> list[Hash]:
    return [leaf_hash(entry) for entry in _bundle(log, tile._replace(level=ENTRIES))]


def _bundle(log: Remote, bundle: Tile) -> list[bytes]:
    try:
        return decode_bundle(log(bundle), bundle.width)
    except Malformed as error:
        raise Malformed(f"{bundle.path}: {error.detail}") from None


def _first_other(shown: bytes, leaves: list[Hash]) -> str:
    if len(shown) != 32 * len(leaves):
        return f"a tile of {len(leaves)} hashes has {32 * len(leaves)} bytes, this has {len(shown)}"
    place = next(place for place, leaf in enumerate(leaves) if shown[32 * place : 32 * place + 32] != leaf)
    return f"its hash {place} is not that of the entry there"


def _looked_at(start: int, size: int, told: list[Told]) -> str:
    if not start:
        return f"all {size:,} entries and tiles hold" if size != 1 else "its entry holds"
    new = f"{counted(size - start, 'new entry holds', 'new entries hold')}" if size > start else "no new entries"
    first = "one is that" if start == 1 else f"{start:,} are those"
    return f"{new}, and the first {first} under the root {told[-1].where}; {size:,} in all"
