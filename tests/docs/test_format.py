"""docs/format.md's examples, each computed again from the ones before it: with hashlib alone, then by the service."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from xxhash import xxh3_128_hexdigest

from indelible.journal.frame import Found, decode, seed
from indelible.log.prepare import replayed
from indelible.model.conflict import conflict_entry
from indelible.model.damage import Gap, Head, damage_body, damage_in
from indelible.model.entry import Origin, entries
from indelible.model.event import Event
from indelible.tree.merkle import Tree, leaf_hash
from indelible.tree.policy import parse_policy
from indelible.tree.tlogproof import parse_proof, verify_proof

TEXT = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
SHOWN: dict[str, str] = dict(re.findall(r"^```([a-z-]+)\n(.*?)\n```$", TEXT, re.MULTILINE | re.DOTALL))
RECORDED = "2026-11-24T00:00:00.000042Z"
LINE, _, EVENTS = SHOWN["frame"].partition("\n")
FRAME = json.loads(LINE)


def hashed(*parts: bytes | str) -> str:
    return sha256(b"".join(part.encode() if isinstance(part, str) else part for part in parts)).hexdigest()


def shown_bytes(name: str) -> bytes:
    return bytes.fromhex(SHOWN[name])


def test_every_value_of_the_example_is_shown() -> None:
    assert list(SHOWN) == [
        *("sent", "body", "salt", "digest", "id-hash", "id", "header", "leaf"),
        *("second-body", "second-salt", "second-header", "second-leaf", "root"),
        *("conflict-body", "conflict-header", "damage-body", "damage-header", "damage-leaf", "receipt", "record"),
        *("vkey", "checkpoint", "proof-file", "policy", "frame"),
    ]


def test_the_body_is_what_was_sent_with_its_line_breaks_as_spaces() -> None:
    assert "\n" in SHOWN["sent"]
    assert SHOWN["body"] == SHOWN["sent"].replace("\n", " ")


def test_the_body_digest_is_over_salt_and_body() -> None:
    assert SHOWN["digest"] == hashed(shown_bytes("salt"), SHOWN["body"])


def test_the_assigned_id_is_made_of_clock_and_salt() -> None:
    assert SHOWN["id-hash"] == hashed("indelible id", shown_bytes("salt"))
    [milliseconds] = re.findall(r"and 0x([0-9a-f]+) milliseconds", TEXT)
    assert int(milliseconds, 16) == 1_795_478_400_000
    hash_bits = f"{int(SHOWN['id-hash'], 16):0256b}"
    bits = f"{int(milliseconds, 16):048b}" + "0111" + hash_bits[:12] + "10" + hash_bits[12:74]
    assert SHOWN["id"].replace("-", "") == f"{int(bits, 2):032x}"
    assert [len(part) for part in SHOWN["id"].split("-")] == [8, 4, 4, 4, 12]


@pytest.mark.parametrize(
    ("header", "members"),
    [
        ("header", '"id":"{id}","type":"customer.billed","source":"billing","recorded":"{recorded}"'),
        (
            "second-header",
            '"id":"café/7","type":"account.deactivated","source":"crm","time":"2026-11-23T23:59:59.123456Z","recorded":"{recorded}","outcome":"success"',
        ),
    ],
)
def test_a_header_says_what_its_event_said_in_the_order_of_the_table(header: str, members: str) -> None:
    which = header.removesuffix("header")
    digest = hashed(shown_bytes(which + "salt"), SHOWN[which + "body"])
    said = members.format(id=SHOWN["id"], recorded=RECORDED)
    assert SHOWN[header] == f'{{"v":1,{said},"writer":"-","dialect":"native","body":"{digest}"}}'


def test_the_tables_of_members_are_in_the_order_of_the_bytes() -> None:
    tables = re.findall(r"\|member\|[a-z]+\|\n\|-\|-\|\n((?:\|.*\n)+)", TEXT)
    header, frame = ([name for row in table.splitlines() for name in re.findall("`([a-z]+)`", row.split("|")[1])] for table in tables)
    assert header == list(json.loads(SHOWN["second-header"]))
    assert [name for name in frame if name not in ("ids", "known")] == list(FRAME)


def test_leaves_and_root_are_those_of_rfc_6962() -> None:
    for which in ("", "second-"):
        assert SHOWN[which + "leaf"] == hashed(b"\0", SHOWN[which + "header"])
    assert SHOWN["root"] == hashed(b"\1", shown_bytes("leaf"), shown_bytes("second-leaf"))


def test_a_conflict_commits_to_the_refused_event_and_to_the_entry_that_holds_its_id() -> None:
    conflict, header = json.loads(SHOWN["conflict-body"]), json.loads(SHOWN["conflict-header"])
    refused = SHOWN["conflict-body"].split('"refused":')[1].removesuffix("}}")
    assert conflict["data"]["index"] == 1
    assert json.loads(refused)["id"] == json.loads(SHOWN["second-body"])["id"] == conflict["data"]["id"]
    [salt] = re.findall(r"assigns, here ([0-9a-f]{32})", TEXT)
    assert header["body"] == hashed(bytes.fromhex(salt), SHOWN["conflict-body"])
    made = conflict_entry("crm", "café/7", 1, refused.encode(), bytes.fromhex(salt), Origin(1_795_478_400_000_042, "-", "any"))
    assert (made.id, made.leaf) == (header["id"], leaf_hash(SHOWN["conflict-header"].encode()))
    assert made.body.decode() == SHOWN["conflict-body"]


def test_a_damage_commits_to_the_tree_before_it_and_is_the_root_of_the_next() -> None:
    damage, header = json.loads(SHOWN["damage-body"])["data"], json.loads(SHOWN["damage-header"])
    assert (damage["index"], damage["size"], b64decode(damage["root"]), damage["generation"]) == (1, 2, shown_bytes("root"), 1)
    [salt] = re.findall(r"here of the salt ([0-9a-f]{32})", TEXT)
    assert header["body"] == hashed(bytes.fromhex(salt), SHOWN["damage-body"])
    assert SHOWN["damage-leaf"] == hashed(b"\0", SHOWN["damage-header"])
    gap = Gap(damage["file"], damage["from"], damage["to"], True, "any")
    assert damage_body(gap, Head(1, 2, shown_bytes("root"), 1)).decode() == SHOWN["damage-body"]
    event, body, origin = (
        [Event("indelible.damage", "indelible")],
        SHOWN["damage-body"].encode(),
        Origin(1_795_478_400_000_042, "-", "native"),
    )
    assert entries(event, [body], bytes.fromhex(salt), origin).leaves == [shown_bytes("damage-leaf")]
    found = damage_in(body)
    assert found and (found.file, found.lost, found.index) == ("00000001.journal", True, 1)


def test_the_receipt_is_the_first_entrys() -> None:
    receipt = json.loads(SHOWN["receipt"])
    assert b64decode(receipt["leaf"]) == shown_bytes("leaf")
    assert (receipt["id"], receipt["index"], receipt["recorded"]) == (SHOWN["id"], 0, RECORDED)


def test_what_is_read_back_is_the_body_with_one_member_in_front() -> None:
    record, _, rest = SHOWN["record"].partition("},")
    assert "{" + rest == SHOWN["body"]
    assert json.loads(record + "}}")["record"]["id"] == SHOWN["id"]


def test_the_key_id_is_over_name_kind_and_key() -> None:
    name, id, key = SHOWN["vkey"].split("+", 2)
    assert id == hashed(name, "\n", b64decode(key))[:8]
    [seed] = re.findall(r"that of the seed ([0-9a-f]{64}):", TEXT)
    public = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)).public_key()
    assert b64decode(key) == b"\1" + public.public_bytes_raw()


def test_the_checkpoint_is_that_of_the_two_entries_and_both_signatures_hold() -> None:
    text, _, lines = (SHOWN["checkpoint"] + "\n").partition("\n\n")
    assert text.split("\n") == [SHOWN["vkey"].partition("+")[0], "2", b64encode(shown_bytes("root")).decode()]
    log, witness = (b64decode(line.split(" ")[2]) for line in lines.splitlines())
    keys = [b64decode(key.split("+", 2)[2])[1:] for key in re.findall(r"\S+\+\S+", SHOWN["policy"])]
    Ed25519PublicKey.from_public_bytes(keys[0]).verify(log[4:], f"{text}\n".encode())
    time = int.from_bytes(witness[4:12], "big")
    assert datetime.fromtimestamp(time, UTC).isoformat() == "2026-11-24T00:00:00+00:00"
    Ed25519PublicKey.from_public_bytes(keys[1]).verify(witness[12:], f"cosignature/v1\ntime {time}\n{text}\n".encode())


def test_the_proof_file_proves_the_first_entry_by_hand_and_by_the_service() -> None:
    head, _, checkpoint = SHOWN["proof-file"].partition("\n\n")
    assert checkpoint == SHOWN["checkpoint"]
    assert SHOWN["root"] == hashed(b"\1", shown_bytes("leaf"), b64decode(head.split("\n")[2]))
    proof = parse_proof(f"{SHOWN['proof-file']}\n".encode())
    opened = verify_proof(proof, leaf_hash(SHOWN["header"].encode()), parse_policy(SHOWN["policy"].encode()))
    assert (opened.checkpoint.size, opened.checkpoint.root) == (2, shown_bytes("root"))


def test_the_frame_holds_the_first_event_and_its_sums_hold() -> None:
    assert SHOWN["body"] == EVENTS
    assert FRAME["bytes"] == len(EVENTS) + 1
    assert b64decode(FRAME["salts"]) == shown_bytes("salt")
    assert FRAME["leaves"] == hashed(shown_bytes("leaf"))
    assert FRAME["prev"] == xxh3_128_hexdigest(b"00000001.journal")
    assert FRAME["checksum"] == xxh3_128_hexdigest((LINE.split(',"checksum":')[0] + EVENTS + "\n").encode())


def test_the_service_makes_of_the_frame_what_the_document_says() -> None:
    found = decode((SHOWN["frame"] + "\n").encode(), 0, 0)
    assert isinstance(found, Found)
    assert found.prev == seed("00000001.journal")
    (made,) = replayed([found.frame])
    assert (made.ids, made.leaves) == ([SHOWN["id"]], [shown_bytes("leaf")])
    tree = Tree()
    tree.extend(made.leaves)
    tree.extend([leaf_hash(SHOWN["second-header"].encode())])
    assert tree.root().hex() == SHOWN["root"]
