"""A trail that is whole, with all that it ever showed: what the tamper suite changes a copy of."""

from __future__ import annotations

import asyncio
import json
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from trails import trail
from whole_service import JSON, NDJSON, Web, serving

from indelible.errors import Unproven
from indelible.tree import proofs
from indelible.tree.checkpoint import Checkpoint, open_checkpoint
from indelible.tree.keys import NoteKey
from indelible.tree.merkle import leaf_hash, root_over
from indelible.tree.policy import Party, Policy
from indelible.tree.proofs import verify_consistency, verify_inclusion
from indelible.tree.text import unbase64, unhash
from indelible.tree.tiles import decode_bundle, decode_hashes, tiles_of
from indelible.tree.tlogproof import parse_proof, verify_proof
from indelible.tree.vkeys import parse_vkey

LOGS = ("billing", "default")
ORIGIN = "trail.example/default"
PROVEN = 5  # the entry that the proofs are of
PROOF = f"proof/inclusion?index={PROVEN}"
PROOF_FILE = f"{PROOF}&format=tlog-proof"
CONSISTENCY = "proof/consistency?from="


class Exhibits(NamedTuple):
    """`data` is a data directory of a service that was stopped; the rest is what it answered before that, as bytes."""

    data: Path
    earlier: bytes  # a checkpoint of the log that somebody kept
    shown: dict[str, bytes]  # what was asked → the answer
    event: bytes  # the proven entry's own bytes


def made(folder: Path) -> Exhibits:
    """Two logs over several files, with a conflict, a derived id, a duplicate, and checkpoints of three moments."""
    data = folder / "data"
    trail(data)

    async def main() -> tuple[bytes, dict[str, bytes], bytes]:
        async with serving(data, logs=LOGS) as web:
            await web.service.publisher.tick()
            earlier = (await web.get("/v1/logs/default/checkpoint")).body
            await _post(web, [b'{"id":"k-%d","type":"t","source":"s"}' % at for at in range(300)])
            await web.service.publisher.tick()
            await web.post(b'{"type":"t","source":"s","data":"derived"}', {**JSON, "idempotency-key": "once"})
            await web.post(b'{"id":"k-1","type":"other","source":"s"}')
            await web.post(b'{"id":"k-2","type":"t","source":"s"}')
            await web.service.publisher.tick()
            shown = {name: (await web.get(f"/v1/logs/default/{name}")).body for name in await _names(web, earlier)}
            line = (await web.get(f"/v1/logs/default/entries/{PROVEN}")).body
            shown["receipt"] = (await web.get(f"/v1/receipts/{json.loads(line)['id']}")).body
            return earlier, shown, b"{" + line.partition(b"},")[2]

    return Exhibits(data, *asyncio.run(main()))


async def _post(web: Web, lines: list[bytes]) -> None:
    assert (await web.post(b"\n".join(lines) + b"\n", NDJSON)).status == 201


async def _names(web: Web, earlier: bytes) -> list[str]:
    size = int((await web.get("/v1/logs/default/checkpoint")).body.split(b"\n")[1])
    tiles = [tile.path for tile in tiles_of(size)]
    bundles = [path.replace("tile/0/", "tile/entries/") for path in tiles if path.startswith("tile/0/")]
    before = int(earlier.split(b"\n")[1])
    return ["checkpoint", "vkey", *tiles, *bundles, PROOF, PROOF_FILE, f"{CONSISTENCY}{before}"]


# What whoever asks does with the answers. Each raises Unproven, or returns.


def signed(shown: dict[str, bytes], keys: list[NoteKey]) -> Checkpoint:
    """The checkpoint, by a key that came from elsewhere."""
    return open_checkpoint(shown["checkpoint"], ORIGIN, keys).checkpoint


def included(shown: dict[str, bytes], keys: list[NoteKey], event: bytes) -> None:
    """The event has the digest that its header names, and the header is in the log."""
    proof: Any = json.loads(shown[PROOF])
    checkpoint = open_checkpoint(proof["checkpoint"].encode(), ORIGIN, keys).checkpoint
    header = proof["header"].encode()
    if json.loads(header)["body"] != sha256(unbase64(proof["salt"], "the salt") + event).hexdigest():
        raise Unproven("salt and event do not give the digest that the header names")
    hashes = [unhash(each, "a hash") for each in proof["hashes"]]
    verify_inclusion(leaf_hash(header), proof["index"] - proof["start"], checkpoint.size, hashes, checkpoint.root)


def continued(shown: dict[str, bytes], keys: list[NoteKey], earlier: bytes) -> None:
    """The newest checkpoint continues one that was kept."""
    old, new = open_checkpoint(earlier, ORIGIN, keys).checkpoint, signed(shown, keys)
    answer: Any = json.loads(next(text for name, text in shown.items() if name.startswith(CONSISTENCY)))
    hashes = [unhash(each, "a hash") for each in answer["hashes"]]
    verify_consistency(old.size, old.root, new.size, new.root, hashes)


def rebuilt(shown: dict[str, bytes], keys: list[NoteKey]) -> None:
    """The tiles lead to the signed root, and the bundles to the tiles."""
    checkpoint = signed(shown, keys)
    hashes = {}
    for tile in tiles_of(checkpoint.size):
        hashes[tile.level, tile.number] = found = decode_hashes(shown[tile.path], tile.width)
        if tile.level:
            for at, hash in enumerate(found):
                if root_over(list(hashes[tile.level - 1, tile.number * 256 + at])) != hash:
                    raise Unproven(f"{tile.path} does not follow from the tiles below it")
        else:
            entries = decode_bundle(shown[tile.path.replace("tile/0/", "tile/entries/")], tile.width)
            if [leaf_hash(entry) for entry in entries] != found:
                raise Unproven(f"the bundle of {tile.path} does not hold the entries under it")

    def read(level: int, start: int, stop: int, /) -> Any:
        return hashes[level, start // 256][start % 256 : (stop - 1) % 256 + 1]

    if proofs.root(checkpoint.size, read) != checkpoint.root:
        raise Unproven("the tiles do not lead to the signed root")


def promised(shown: dict[str, bytes], keys: list[NoteKey]) -> None:
    """What a receipt promised is in the log: its leaf at its index."""
    receipt: Any = json.loads(shown["receipt"])
    proof: Any = json.loads(shown[PROOF])
    checkpoint = open_checkpoint(proof["checkpoint"].encode(), ORIGIN, keys).checkpoint
    hashes = [unhash(each, "a hash") for each in proof["hashes"]]
    verify_inclusion(unhash(receipt["leaf"], "the leaf"), receipt["index"], checkpoint.size, hashes, checkpoint.root)
    if json.loads(proof["header"])["id"] != receipt["id"]:
        raise Unproven("the receipt is of another event")


def served_keys(shown: dict[str, bytes]) -> list[NoteKey]:
    """The keys that the log itself hands out."""
    found = [parse_vkey(line) for line in shown["vkey"].decode().splitlines()]
    return [key for key in found if isinstance(key, NoteKey)]


def in_file(shown: dict[str, bytes], keys: list[NoteKey], event: bytes) -> None:
    """The proof as a file stands for itself, for whoever has the entry's header."""
    header = json.loads(shown[PROOF])["header"].encode()
    policy = Policy(tuple(Party(key, None) for key in keys), {}, {}, "none")
    verify_proof(parse_proof(shown[PROOF_FILE]), leaf_hash(header), policy)
