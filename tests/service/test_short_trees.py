"""What is proven of a tree that lacks entries that were signed, and that nothing is said of a loss where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from test_tiles_served import LOG, grow
from whole_service import Web, with_service

from indelible.model.receipt import State
from indelible.tree.cosignature import Witness
from indelible.tree.keys import SigningKey
from indelible.tree.note import parse_note


def test_a_whole_log_says_nothing_of_a_loss(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        await grow(web, 0, 3)
        assert "void" not in (await web.get(f"{LOG}/entries/9")).json["detail"]
        await web.service.publisher.tick()
        assert "were signed" not in (await web.get(f"{LOG}/tile/0/001")).json["detail"]

    with_service(tmp_path, work)


def test_of_a_tree_that_is_short_an_older_checkpoint_that_others_cosigned_still_proves(tmp_path: Path) -> None:
    """What a start finds: the newest checkpoint, whose entries are not all there, and an older one, whose are."""

    async def work(web: Web) -> None:
        publisher = web.service.publisher
        witness = Witness(SigningKey("witness.example", bytes([7] * 32)), 1_700_000_000)
        publisher.is_witnessed = lambda note: b"witness.example" in note
        await grow(web, 0, 3)
        await publisher.tick()
        shown = publisher.shown("default")
        assert shown.latest
        publisher.add_cosignatures("default", 3, [witness.sign(parse_note(shown.latest.note).text)])
        await publisher.tick()
        await grow(web, 3, 4)
        shown.latest = shown.latest._replace(checkpoint=shown.latest.checkpoint._replace(size=9))
        assert (shown.is_short, shown.size, shown.provable) == (True, 7, 3)
        assert [shown.state(index) for index in (2, 3, 6)] == [State.witnessed, State.sequenced, State.sequenced]
        proof: Any = (await web.get("/v1/proof/inclusion?index=2")).json
        assert (proof["size"], proof["checkpoint"].split("\n")[1]) == (3, "3")
        assert (await web.get("/v1/proof/inclusion?index=3")).status == 404
        shown.is_lost = True
        assert (shown.provable, shown.state(2)) == (0, State.sequenced)

    with_service(tmp_path, work)
