"""A backup that is put back signs nothing until others' checkpoints are in it, or it begins a tree under another name."""

from __future__ import annotations

import json
import shutil
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec import structs
from whole_service import NDJSON, Web, with_service

from indelible import config, offline
from indelible.cli.main import indelible, run
from indelible.errors import Damaged, Misconfigured, Unproven
from indelible.journal.files import Files
from indelible.signing.directory import made
from indelible.signing.ledger import read_ledger
from indelible.tree.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from indelible.tree.note import parse_note
from indelible.tree.proofs import verify_inclusion
from indelible.tree.vkeys import parse_vkey

LOGS = ("a", "b")


def adopt(data: Path, *notes: bytes) -> offline.Adopted:
    settings = config.load({"config": "/dev/null", "data": str(data), "logs": ",".join(LOGS)}, {})
    return offline.adopt(structs.replace(settings, journal_file_size=1 << 20, reserve=0), notes)


def said(note: bytes) -> Checkpoint:
    return parse_checkpoint(parse_note(note).text)


class Life:
    """A service that is sent events, and the last checkpoints that others have of it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.sent = 0
        self.notes: dict[str, bytes] = {}  # the newest that were shown
        self.early: dict[str, bytes] = {}  # as of the backup
        self.later: dict[str, bytes] = {}  # as of when it was put back

    def grow(self, count: int, logs: tuple[str, ...] = LOGS) -> None:
        async def work(web: Web) -> None:
            for log in logs:
                lines = b"".join(b'{"id":"%d","type":"t","source":"s"}\n' % n for n in range(self.sent, self.sent + count))
                assert (await web.post(lines, NDJSON, f"/v1/logs/{log}/events")).status == 201
            self.sent += count
            await web.service.publisher.tick()
            for log in LOGS:
                if note := web.service.publisher.published(log):
                    self.notes[log] = note

        with_service(self.data, work, logs=LOGS)


@pytest.fixture
def life(tmp_path: Path) -> Life:
    """A log whose backup was taken at 300 entries, and put back when others had seen 305."""
    life = Life(tmp_path / "data")
    life.grow(300)
    shutil.copytree(life.data, tmp_path / "backup")
    (tmp_path / "backup" / "signing" / "restored").touch()
    life.early = dict(life.notes)
    life.grow(5)
    life.later = dict(life.notes)
    shutil.rmtree(life.data)
    (tmp_path / "backup").rename(life.data)
    return life


def test_a_restored_backup_takes_events_and_signs_nothing(life: Life) -> None:
    life.grow(7)
    assert life.notes == life.early
    assert said(life.notes["a"]).size == 300


def test_it_signs_again_once_shown_that_nobody_has_more(life: Life) -> None:
    origins = [f"trail.example/{log} 300" for log in LOGS]
    assert adopt(life.data, *life.early.values()) == offline.Adopted(origins, {})
    life.grow(2)
    assert said(life.notes["a"]).size == 302


def test_it_does_not_sign_while_others_have_more_or_a_log_was_not_shown(life: Life) -> None:
    for notes, error, word in (
        (list(life.notes.values()), Unproven, "others have seen 305 entries of trail.example/a, and here are 300"),
        ([life.early["a"]], Misconfigured, "trail.example/b"),
        ([life.early["a"], life.early["b"].replace(b"300\n", b"299\n")], Unproven, "does not hold"),
    ):
        with pytest.raises(error, match=word):
            adopt(life.data, *notes)
        assert (life.data / "signing" / "restored").exists()


def test_other_entries_under_the_same_size_are_not_adopted(life: Life) -> None:
    life.sent = 1000
    life.grow(5)  # while the mark is there: five others than those that were signed
    with pytest.raises(Unproven, match="other entries of trail"):
        adopt(life.data, *life.later.values())


def test_a_new_generation_has_a_name_of_its_own_and_begins_with_the_last_known_checkpoint(life: Life) -> None:
    life.grow(4)  # unsigned
    assert adopt(life.data) == offline.Adopted([], {"a": 2, "b": 2})
    assert adopt(life.data) == offline.Adopted([], {})  # nothing keeps it from signing

    async def work(web: Web) -> None:
        await web.service.publisher.tick()
        key = parse_vkey((await web.get("/v1/logs/a/vkey")).body.decode().strip())
        assert key.name == "trail.example/a/g2"
        now = open_checkpoint((await web.get("/v1/logs/a/checkpoint")).body, key.name, [key]).checkpoint
        assert now.size == 1
        assert (await web.get("/v1/logs/a/g2/checkpoint")).body == (await web.get("/v1/logs/a/checkpoint")).body
        assert (await web.get("/v1/logs/a/g1/checkpoint")).body == life.early["a"]
        first = (await web.get("/v1/logs/a/entries/304")).json
        assert (first["type"], first["source"]) == ("indelible.generation", "indelible")
        assert first["data"] == {"generation": 2, "index": 303, "checkpoint": life.early["a"].decode()}
        proof = (await web.get("/v1/logs/a/proof/inclusion?index=304")).json
        assert (proof["origin"], proof["start"], proof["size"]) == (key.name, 304, 1)
        old = (await web.get("/v1/logs/a/proof/inclusion?index=299")).json
        assert (old["origin"], old["size"], old["start"]) == ("trail.example/a", 300, 0)
        check(old)
        assert (await web.get("/v1/logs/a/proof/inclusion?index=301")).status == 404  # never under a checkpoint
        assert (await web.get("/v1/logs/a/g1/tile/1/000.p/1")).status == 200
        states = [(await web.get(f"/v1/logs/a/receipts/{id}")).json["state"] for id in ("299", "305")]
        assert states == ["proven", "sequenced"]

    with_service(life.data, work, logs=LOGS)
    life.grow(3)
    assert said(life.notes["a"])[:2] == ("trail.example/a/g2", 4)


def check(proof: Any) -> None:
    leaf, hashes = b64decode(proof["leaf"]), [b64decode(hash) for hash in proof["hashes"]]
    verify_inclusion(leaf, proof["index"] - proof["start"], proof["size"], hashes, said(proof["checkpoint"].encode()).root)


def test_a_generation_never_takes_a_number_that_was_signed_before(life: Life) -> None:
    """A journal that lost even the beginning of the second generation: its name is spoken for."""
    shutil.copytree(life.data / "journal", life.data / "before")
    adopt(life.data)
    life.grow(1)
    shutil.rmtree(life.data / "journal")
    (life.data / "before").rename(life.data / "journal")
    assert adopt(life.data) == offline.Adopted([], {"a": 3, "b": 3})
    life.grow(1)
    assert said(life.notes["a"])[:2] == ("trail.example/a/g3", 2)


def test_a_journal_that_lost_what_was_signed_stops_the_start_with_the_command_that_helps(life: Life) -> None:
    (life.data / "signing" / "restored").unlink()
    life.grow(2)
    assert said(life.notes["a"]).size == 302
    shutil.rmtree(life.data / "journal")
    with pytest.raises(Damaged, match=r"signed with 302 entries and the journal holds 0.*indelible adopt --data \S+ --new-generation"):
        life.grow(0)
    assert adopt(life.data) == offline.Adopted([], {"a": 2, "b": 2})
    life.sent = 0
    life.grow(3)
    assert said(life.notes["b"])[:2] == ("trail.example/b/g2", 4)


def test_a_log_that_is_gone_goes_on_in_a_new_tree_though_it_is_not_configured(life: Life) -> None:
    """Of `b` there is no frame any more: what others have of it must never get a second root."""
    (life.data / "signing" / "restored").unlink()
    shutil.rmtree(life.data / "journal")
    life.notes = {}
    with pytest.raises(Damaged, match="signed with 300"):
        life.grow(0)
    settings = config.load({"config": "/dev/null", "data": str(life.data), "logs": "a"}, {})
    assert offline.adopt(structs.replace(settings, reserve=0), ()) == offline.Adopted([], {"a": 2, "b": 2})
    life.sent = 0
    life.grow(3)
    assert said(life.notes["b"])[:2] == ("trail.example/b/g2", 4)


def test_checkpoints_of_another_service_are_let_go_where_the_operator_says_so(life: Life, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    made(Files(), tmp_path / "other", "other.example", 0)
    shutil.copy(tmp_path / "other" / "signing" / "keys.json", life.data / "signing" / "keys.json")
    assert adopt(life.data) == offline.Adopted([], {"a": 2, "b": 2})
    assert read_ledger(life.data / "signing").notes.by_origin() == {}


def test_a_ledger_that_is_gone_is_made_again_from_what_others_have(life: Life) -> None:
    (life.data / "signing" / "restored").unlink()
    (life.data / "signing" / "checkpoints").unlink()
    with pytest.raises(Damaged, match="missing"):
        life.grow(0)
    adopt(life.data, *life.early.values())
    life.grow(1)
    assert said(life.notes["a"]).size == 301


def test_the_command_says_what_it_did_and_asks_how_to_go_on(life: Life, tmp_path: Path) -> None:
    data = ["--data", str(life.data), "--logs", ",".join(LOGS), "--reserve", "0"]
    files = []
    for log, note in life.early.items():
        (tmp_path / log).write_bytes(note)
        files += ["--checkpoint", str(tmp_path / log)]
    assert CliRunner().invoke(indelible, ["adopt", *data]).exit_code == 2
    (tmp_path / "later").write_bytes(life.notes["a"])
    assert run(["adopt", *data, "--checkpoint", str(tmp_path / "later")]) == 65
    done = CliRunner().invoke(indelible, ["adopt", *data, *files])
    assert done.output.splitlines() == [
        *(f"nothing newer is known than trail.example/{log} 300" for log in LOGS),
        "the next start signs again",
    ]
    assert CliRunner().invoke(indelible, ["adopt", *data, "--new-generation"]).output == "nothing keeps this directory from signing\n"


def test_a_generation_event_comes_from_nobody_else(tmp_path: Path) -> None:
    async def work(web: Web) -> None:
        body = json.dumps(
            {"type": "indelible.generation", "source": "indelible", "data": {"generation": 7, "index": None, "checkpoint": None}}
        )
        assert (await web.post(body.encode())).status == 422

    with_service(tmp_path, work)
