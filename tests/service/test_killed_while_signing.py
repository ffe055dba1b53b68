"""The real process, killed while it signs: every checkpoint that anybody saw belongs to one history."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from random import Random

from served import Server, server

from indelible.tree.checkpoint import Checkpoint, open_checkpoint
from indelible.tree.proofs import verify_consistency
from indelible.tree.vkeys import parse_vkey


def text(service: Server, name: str) -> bytes | None:
    """The body of a 200."""
    status, body = service.read(f"/v1/logs/default/{name}")
    return body if status == 200 else None


def test_all_checkpoints_that_were_seen_across_kills_are_one_history_that_only_grows(tmp_path: Path) -> None:
    seen: list[Checkpoint] = []
    random = Random(3)
    number = 0
    with server(tmp_path) as service:
        key = parse_vkey((text(service, "vkey") or b"").decode().strip())
        for _ in range(3):
            before = len(seen)
            while len(seen) < before + 2:
                for _ in range(random.randrange(1, 9)):
                    lines = [b'{"id":"%d","type":"t","source":"s"}' % each for each in range(number, number + 9)]
                    number += len(lines)
                    assert service.post(lines)[0] == 201
                note = text(service, "checkpoint")
                checkpoint = open_checkpoint(note, key.name, [key]).checkpoint if note else None
                if checkpoint and checkpoint not in seen:
                    seen.append(checkpoint)
            service.kill()
            service.start()
        assert parse_vkey((text(service, "vkey") or b"").decode().strip()) == key
        assert service.post([b'{"id":"last","type":"t","source":"s"}'])[0] == 201
        while (last := service.get("/v1/receipts/last")[1])["state"] == "sequenced":
            pass
        newest = open_checkpoint(text(service, "checkpoint") or b"", key.name, [key]).checkpoint
        assert newest.size == last["index"] + 1 == number + 1
        sizes = [checkpoint.size for checkpoint in seen]
        assert sizes == sorted(set(sizes)) and len(sizes) >= 6
        for checkpoint in seen:
            status, proof = service.get(f"/v1/proof/consistency?from={checkpoint.size}&to={newest.size}")
            assert status == 200
            hashes = [b64decode(hash) for hash in proof["hashes"]]
            verify_consistency(checkpoint.size, checkpoint.root, newest.size, newest.root, hashes)
        status, said = service.stop()
        assert status == 0, said
