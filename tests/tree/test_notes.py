"""Notes, keys and checkpoints against what independent Go code accepts and refuses, and against bytes that mean harm."""

from __future__ import annotations

import subprocess
import sys
from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import VECTORS, vectors
from spoiled import spoiled

from indelible.errors import Malformed, Unproven
from indelible.tree.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, sign_checkpoint
from indelible.tree.keys import SigningKey, parse_signing_key
from indelible.tree.merkle import EMPTY_ROOT, Hash
from indelible.tree.note import MOST_BYTES, MOST_SIGNATURES, Note, Signature, is_name, parse_note, sign_note, verify_note
from indelible.tree.proofs import consistency_proof, verify_consistency
from indelible.tree.tiles import decode_hashes
from indelible.tree.vkeys import AnyKey, parse_vkey

KEYS: dict[str, Any] = vectors("keys")
NOTES: dict[str, Any] = vectors("notes")
ORIGIN: str = NOTES["origin"]
LOG = parse_vkey(NOTES["vkey"])
SIGNER = parse_signing_key(KEYS["log"]["skey"])
ROTATED = parse_signing_key(KEYS["log_rotated"]["skey"])
CHECKPOINTS: dict[str, bytes] = {each["id"]: b64decode(each["note_b64"]) for each in NOTES["checkpoints"]}
PLAIN = CHECKPOINTS["ok-plain"]
WITNESS = parse_vkey(KEYS["witness1"]["cosignature_vkey"])


@pytest.mark.parametrize("vector", NOTES["checkpoints"], ids=lambda vector: vector["id"])
def test_a_checkpoint_is_opened_or_refused_as_it_must_be_and_refused_where_others_differ(vector: dict[str, Any]) -> None:
    data = b64decode(vector["note_b64"])
    if vector["must"] == "accept":
        opened = open_checkpoint(data, ORIGIN, [LOG])
        assert [signed.key for signed in opened.logs] == [LOG]
        assert opened.checkpoint.origin == ORIGIN
        assert bytes(opened.note) == data
        assert opened.checkpoint.text == opened.note.text
    else:
        with pytest.raises(Unproven):
            open_checkpoint(data, ORIGIN, [LOG])


def test_a_checkpoint_says_what_it_says() -> None:
    root = b64decode("HJ/zfxKQdTLLc9rnHYAqRiRHehT7HaMB3LHhRTnGWww=")
    assert open_checkpoint(PLAIN, ORIGIN, [LOG]).checkpoint == (ORIGIN, 300, root, ())
    extended = open_checkpoint(CHECKPOINTS["ok-extension-lines"], ORIGIN, [LOG]).checkpoint
    assert extended.extensions == ("extension one", "extension two")
    assert open_checkpoint(CHECKPOINTS["ok-large-size"], ORIGIN, [LOG]).checkpoint.size == 2**53 + 1


def test_signing_gives_the_bytes_that_others_give() -> None:
    checkpoint = open_checkpoint(PLAIN, ORIGIN, [LOG]).checkpoint
    assert sign_checkpoint(checkpoint, [SIGNER]) == PLAIN
    assert sign_checkpoint(Checkpoint(ORIGIN, 0, EMPTY_ROOT), [SIGNER]) == CHECKPOINTS["ok-empty-tree"]


def test_while_keys_rotate_both_sign_and_either_is_enough() -> None:
    checkpoint = parse_checkpoint(parse_note(PLAIN).text)
    both = sign_checkpoint(checkpoint, [SIGNER, ROTATED])
    for keys in ([LOG], [ROTATED.public], [LOG, ROTATED.public]):
        opened = open_checkpoint(both, ORIGIN, keys)
        assert [signed.key for signed in opened.logs] == keys
        assert opened.witnesses == ()


@pytest.mark.parametrize("vector", NOTES["plain_notes"], ids=lambda vector: repr(vector["text"][:10]))
def test_a_plain_note_is_verified_and_made_again(vector: dict[str, str]) -> None:
    note = parse_note(vector["note"].encode())
    assert note.text == vector["text"]
    assert [(signed.key, signed.time) for signed in verify_note(note, [LOG])] == [(LOG, None)]
    assert bytes(sign_note(vector["text"], [SIGNER])) == vector["note"].encode()


@pytest.mark.parametrize("size", ["1", "123", "256"])
def test_an_earlier_checkpoint_is_the_beginning_of_a_later_one_and_a_forked_one_is_not(size: str) -> None:
    files = VECTORS / "tiles-300/tile"
    widths = {"0/000": 256, "0/001.p/44": 44, "1/000.p/1": 1}
    tiles = {path: decode_hashes((files / path).read_bytes(), width) for path, width in widths.items()}

    def read(level: int, start: int, stop: int, /) -> list[Hash]:
        found = tiles["1/000.p/1"] if level else tiles["0/000"] if start < 256 else tiles["0/001.p/44"]
        return found[start % 256 : start % 256 + stop - start]

    new = open_checkpoint((VECTORS / "tiles-300/checkpoint").read_bytes(), ORIGIN, [LOG], [WITNESS]).checkpoint
    for forked in ("", ".forked") if size == "123" else ("",):
        old = open_checkpoint((VECTORS / f"tiles-300.earlier/checkpoint.{size}{forked}").read_bytes(), ORIGIN, [LOG]).checkpoint
        proof = consistency_proof(old.size, new.size, read)
        if forked:
            with pytest.raises(Unproven, match="different histories"):
                verify_consistency(old.size, old.root, new.size, new.root, proof)
        else:
            verify_consistency(old.size, old.root, new.size, new.root, proof)


@pytest.mark.parametrize("vector", NOTES["vkeys"], ids=lambda vector: vector["why"])
def test_a_public_key_is_read_or_refused_as_it_must_be_and_refused_where_others_differ(vector: dict[str, str]) -> None:
    if vector["must"] == "accept":
        assert parse_vkey(vector["vkey"]).vkey == vector["vkey"]
    else:
        with pytest.raises(Malformed):
            parse_vkey(vector["vkey"])


@pytest.mark.parametrize("name", ["log", "log_rotated", "stranger", "witness1", "witness2"])
def test_a_signing_key_is_the_one_that_others_keep(name: str) -> None:
    vector = KEYS[name]
    key = parse_signing_key(vector["skey"])
    assert key.secret() == vector["skey"]
    assert key.public == parse_vkey(vector["vkey"])
    assert (key.public.vkey, key.public.public.hex(), key.id.hex()) == (vector["vkey"], vector["ed25519_public_hex"], vector["key_id_hex"])
    assert SigningKey(vector["name"], bytes.fromhex(vector["ed25519_seed_hex"])).secret() == vector["skey"]


def test_the_same_key_signs_for_another_log_under_another_name() -> None:
    other = SIGNER.named("log.example.com/other")
    assert (other.public.public, other.public.name) == (SIGNER.public.public, "log.example.com/other")
    note = sign_note("text\n", [other])
    verify_note(note, [other.public])
    with pytest.raises(Unproven, match="not signed by"):
        verify_note(note, [SIGNER.public])


OTHER_SECRETS = [KEYS["log"]["skey"].replace("b53f4ed2", "634d4af9"), KEYS["log"]["skey"].replace("+AX", "+BX")]
BAD_SECRETS = ["", "PRIVATE+KEY+", KEYS["log"]["vkey"], KEYS["log"]["skey"] + "\n", KEYS["log"]["skey"][:-4], KEYS["log"]["skey"].lower()]


@pytest.mark.parametrize("text", [*BAD_SECRETS, *OTHER_SECRETS])
def test_what_is_no_signing_key_is_refused_and_never_shown(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_signing_key(text)
    assert "X02NnflYBm" not in caught.value.detail


def test_a_signing_key_does_not_show_its_secret() -> None:
    assert repr(SIGNER) == f"SigningKey({LOG.vkey!r})"
    assert not hasattr(SIGNER, "__dict__")


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n", "a\u00a0b", "a\u2003", "a\u0085", "\x7f", "\ud800"])
def test_no_key_has_such_a_name(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(Malformed):
        SigningKey(name, bytes(32))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_seed_has_32_bytes(length: int) -> None:
    with pytest.raises(Malformed):
        SigningKey("a", bytes(length))


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("", 1, Hash(bytes(32))),
        Checkpoint("a\nb", 1, Hash(bytes(32))),
        Checkpoint("a", -1, Hash(bytes(32))),
        Checkpoint("a", 2**63, Hash(bytes(32))),
        Checkpoint("a", 1, Hash(bytes(31))),
        Checkpoint("a", 0, Hash(bytes(32))),
        Checkpoint("a", 1, Hash(bytes(32)), ("",)),
        Checkpoint("a\ud800", 1, Hash(bytes(32))),
    ],
)
def test_a_checkpoint_that_nobody_could_read_back_is_not_signed(checkpoint: Checkpoint) -> None:
    with pytest.raises(Malformed):
        sign_checkpoint(checkpoint, [SIGNER])


def test_the_text_of_a_note_ends_with_a_line_end() -> None:
    with pytest.raises(Malformed):
        sign_note("text", [SIGNER])


def test_a_log_does_not_sign_by_the_cosignature_of_a_witness() -> None:
    """Also if log and witness have one name and one key: what counts is the kind of signature."""
    as_log, as_witness = parse_vkey(KEYS["witness1"]["vkey"]), parse_vkey(KEYS["witness1"]["cosignature_vkey"])
    assert (as_log.name, as_log.public) == (as_witness.name, as_witness.public)
    assert as_log != as_witness
    note = parse_note(CHECKPOINTS["ok-cosigned"])
    cosigned = bytes(Note(note.text, note.signatures[1:]))
    with pytest.raises(Unproven, match=r"^not signed by"):
        open_checkpoint(cosigned, ORIGIN, [as_log], [as_witness])
    signed = sign_checkpoint(parse_checkpoint(note.text), [parse_signing_key(KEYS["witness1"]["skey"])])
    assert open_checkpoint(signed, ORIGIN, [as_log], [as_witness]).witnesses == ()


def test_a_wrong_line_of_a_known_witness_spoils_the_note_and_of_an_unknown_one_does_not() -> None:
    note = parse_note(CHECKPOINTS["ok-cosigned"])
    line = note.signatures[1]
    spoiled = bytes(Note(note.text, (note.signatures[0], line._replace(payload=line.payload[:-1] + b"\0"))))
    open_checkpoint(spoiled, ORIGIN, [LOG])
    with pytest.raises(Unproven, match=r"witness\.example\.com/w1"):
        open_checkpoint(spoiled, ORIGIN, [LOG], [WITNESS])


def test_lines_are_joined_once_each() -> None:
    note = parse_note(CHECKPOINTS["ok-cosigned"])
    log, witness = note.signatures
    assert Note(note.text, (log,)).joined([witness, log, witness]) == note


def test_a_note_of_a_hundred_lines_is_read_and_one_more_is_not() -> None:
    line = Signature("x", b"abcd", b"e")
    assert len(parse_note(bytes(Note("text\n", (line,) * MOST_SIGNATURES))).signatures) == MOST_SIGNATURES
    with pytest.raises(Malformed, match="101 signatures"):
        parse_note(bytes(Note("text\n", (line,) * (MOST_SIGNATURES + 1))))
    with pytest.raises(Malformed, match="bytes"):
        parse_note(b"x" * (MOST_BYTES + 1))


@pytest.mark.parametrize("line", ["— a YWJjZA==", "— a+b YWJjZGU=", "— a\u00a0b YWJjZGU=", "—  YWJjZGU=", "— a", "—"])
def test_a_line_that_no_signer_can_have_written_spoils_the_note(line: str) -> None:
    with pytest.raises(Malformed, match="no signature line"):
        parse_note(PLAIN + f"{line}\n".encode())


def test_without_a_key_nothing_is_verified() -> None:
    with pytest.raises(Unproven, match="no key is known"):
        open_checkpoint(PLAIN, ORIGIN, [])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_note_that_gives_them_back_or_none(data: bytes) -> None:
    for whole in (data, PLAIN + data, data + PLAIN):
        try:
            assert bytes(parse_note(whole)) == whole
        except Malformed:
            continue


ALL_KEYS: list[AnyKey] = [LOG, ROTATED.public, WITNESS]


ACCEPTED = [each["id"] for each in NOTES["checkpoints"] if each["must"] == "accept"]


@given(st.sampled_from(ACCEPTED), st.data())
def test_a_checkpoint_that_was_changed_anywhere_says_the_same_or_is_refused(name: str, data: st.DataObject) -> None:
    original = CHECKPOINTS[name]
    changed = spoiled(original, data)
    try:
        opened = open_checkpoint(changed, ORIGIN, ALL_KEYS[:2], ALL_KEYS[2:])
    except Unproven:
        return
    assert opened.checkpoint == parse_checkpoint(parse_note(original).text)


VKEYS = [KEYS["log"]["vkey"], KEYS["witness1"]["cosignature_vkey"], vectors("cosignatures")["ml_dsa_44"]["vkey"]]


@given(st.sampled_from(VKEYS), st.data())
def test_a_public_key_that_was_changed_anywhere_is_refused(vkey: str, data: st.DataObject) -> None:
    changed = spoiled(vkey.encode(), data).decode(errors="surrogateescape")
    if changed == vkey:
        return
    with pytest.raises(Malformed):
        parse_vkey(changed)


def test_importing_the_tree_does_not_load_cryptography() -> None:
    names = ("checkpoint", "cosignature", "keys", "note", "policy", "proofs", "tiles", "tlogproof", "vkeys", "witness")
    modules = ", ".join(f"indelible.tree.{name}" for name in names)
    script = f"import sys, indelible.client, {modules}; print('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"
