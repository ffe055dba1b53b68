"""Cosignatures, policies, proof files and the words between log and witness, against what independent programs made and said."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import VECTORS, vectors
from spoiled import spoiled

from indelible.errors import Malformed, Unproven
from indelible.tree import signatures
from indelible.tree.checkpoint import open_checkpoint, parse_checkpoint, sign_checkpoint
from indelible.tree.cosignature import COSIGNATURE, MLDSA44Key, Witness, subtree_message
from indelible.tree.keys import NOTE_KEY, NoteKey, SigningKey, parse_signing_key, vkey_of
from indelible.tree.merkle import Hash, leaf_hash
from indelible.tree.note import Note, parse_note, parse_signature, verify_note
from indelible.tree.policy import NONE, Group, Policy, evaluate, parse_policy
from indelible.tree.proofs import verify_consistency
from indelible.tree.text import LARGEST
from indelible.tree.tlogproof import Proof, make_proof, parse_proof, verify_proof
from indelible.tree.vkeys import parse_vkey
from indelible.tree.witness import MOST_BYTES, Addition, accepted, parse_addition, parse_cosignatures, parse_size

KEYS: dict[str, Any] = vectors("keys")
COSIGNATURES: dict[str, Any] = vectors("cosignatures")
PROOFS: dict[str, Any] = vectors("proofs")
EXCHANGES: dict[str, Any] = vectors("witness")
LOG = parse_vkey(COSIGNATURES["log_vkey"])
ORIGIN = LOG.name
W1, W2 = (parse_vkey(KEYS[name]["cosignature_vkey"]) for name in ("witness1", "witness2"))
POLICIES: dict[str, Policy] = {quorum: parse_policy(PROOFS[f"policy_{quorum}"].encode()) for quorum in ("both", "one", "none")}
COSIGNED: bytes = COSIGNATURES["cosigned_checkpoint"].encode()
TEXT = parse_note(COSIGNED).text


# Cosignatures


@pytest.mark.parametrize("vector", COSIGNATURES["good"], ids=lambda vector: f"{vector['witness']} at {vector['time']}")
def test_a_cosignature_is_verified_says_when_and_is_made_again(vector: dict[str, Any]) -> None:
    note, key = parse_note(vector["checkpoint"].encode()), parse_vkey(vector["vkey"])
    line = parse_signature(vector["line"].removesuffix("\n"))
    assert key.verify(note.text, line.payload) == vector["time"]
    witness = Witness(parse_signing_key(KEYS[vector["witness"]]["skey"]), vector["time"])
    assert witness.public == key
    assert witness.sign(note.text) == line
    assert line.line == vector["line"]
    opened = open_checkpoint(bytes(note.joined([line])), ORIGIN, [LOG], [key])
    assert [(signed.key, signed.time) for signed in opened.witnesses] == [(key, vector["time"])]


@pytest.mark.parametrize("vector", COSIGNATURES["must_not_count"], ids=lambda vector: vector["why"])
def test_a_cosignature_that_must_not_count_does_not(vector: dict[str, str]) -> None:
    try:
        opened = open_checkpoint(vector["note"].encode(), ORIGIN, [LOG], [W1, W2])
    except Unproven:
        return
    assert vector["sumdb_note_with_torchwood"].startswith("ignored")
    assert opened.witnesses == ()


def test_a_witness_that_cosigned_twice_counts_once_with_its_latest_time() -> None:
    key = parse_signing_key(KEYS["witness1"]["skey"])
    lines = [Witness(key, time).sign(TEXT) for time in (5, 7, 6)]
    (signed,) = verify_note(Note(TEXT, tuple(lines)), [W1])
    assert (signed.key, signed.time) == (W1, 7)


def test_a_time_of_2_63_is_refused_and_one_second_earlier_is_not() -> None:
    key = parse_signing_key(KEYS["witness1"]["skey"])
    assert W1.verify(TEXT, Witness(key, LARGEST).sign(TEXT).payload) == LARGEST
    with pytest.raises(Malformed, match="below 2\\^63"):
        W1.verify(TEXT, Witness(key, LARGEST + 1).sign(TEXT).payload)


def test_a_post_quantum_cosignature_is_verified_and_covers_name_origin_size_root_and_time() -> None:
    vector = COSIGNATURES["ml_dsa_44"]
    key, note = parse_vkey(vector["vkey"]), parse_note(vector["note"].encode())
    assert subtree_message(key.name, note.text, vector["time"]).hex() == vector["signed_message_hex"]
    opened = open_checkpoint(bytes(note), ORIGIN, [LOG], [key])
    assert [(signed.key, signed.time) for signed in opened.witnesses] == [(key, vector["time"])]
    (payload,) = (line.payload for line in note.signatures if line.name == key.name)
    for text in (TEXT.replace("300", "301"), TEXT.replace("audit", "other"), TEXT.replace("HJ", "HK"), "no checkpoint\n"):
        with pytest.raises(Unproven):
            key.verify(text, payload)
    for spoilt in (payload[:-1], payload + b"\0", bytes([payload[0] ^ 1]) + payload[1:], payload[:-1] + bytes([payload[-1] ^ 1])):
        with pytest.raises(Unproven):
            key.verify(note.text, spoilt)
    with pytest.raises(Unproven):
        MLDSA44Key("someone.else", key.public).verify(note.text, payload)


def test_a_post_quantum_cosignature_that_cannot_be_checked_here_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import mldsa

    class Unsupported:
        @staticmethod
        def from_public_bytes(data: bytes) -> None:
            raise UnsupportedAlgorithm("ML-DSA")

    monkeypatch.setattr(mldsa, "MLDSA44PublicKey", Unsupported)
    with pytest.raises(Unproven, match="cannot check ML-DSA-44"):
        signatures.verify_ml_dsa_44(bytes(1312), b"", bytes(2420))


# Policies

EXAMPLE = f"""
# who watches
\tlog {LOG.vkey} https://log.example.com/audit

witness w1 {W1.vkey}
witness  w2\t{W2.vkey}   https://w2.example.net
group inner any w1
group outer 2 inner w2
quorum outer
""".encode()


def test_a_policy_is_read() -> None:
    policy = parse_policy(EXAMPLE)
    assert [(log.key, log.url) for log in policy.logs] == [(LOG, "https://log.example.com/audit")]
    assert {name: (each.key, each.url) for name, each in policy.witnesses.items()} == {
        "w1": (W1, None),
        "w2": (W2, "https://w2.example.net"),
    }
    assert policy.groups == {"inner": Group(1, ("w1",)), "outer": Group(2, ("inner", "w2"))}
    assert policy.quorum == "outer"
    assert parse_policy(EXAMPLE.removesuffix(b"\n")) == policy
    assert parse_policy(b"quorum none\n") == Policy((), {}, {}, NONE)
    assert "caf\udce9" in parse_policy(f"witness café {W1.vkey}\nquorum none".encode("latin-1")).witnesses


BAD_POLICIES = {
    "no quorum": "log {log}\n",
    "two quorums": "quorum none\nquorum none\n",
    "quorum of two": "witness w1 {w1}\nquorum w1 w1\n",
    "unknown quorum": "quorum w1\n",
    "quorum before its name": "quorum w1\nwitness w1 {w1}\n",
    "unknown line": "witnes w1 {w1}\nquorum none\n",
    "comment behind a line": "quorum none # yes\n",
    "a log without a key": "log\nquorum none\n",
    "a key that is none": "log {log}x\nquorum none\n",
    "too many words": "log {log} https://a b\nquorum none\n",
    "a witness's key for a log": "log {w1}\nquorum none\n",
    "a log's key for a witness": "witness w1 {log}\nquorum none\n",
    "a log twice": "log {log}\nlog {log}\nquorum none\n",
    "a log's key under two names": "log {log}\nlog {log_renamed}\nquorum none\n",
    "a witness twice": "witness a {w1}\nwitness b {w1}\nquorum none\n",
    "a witness's key under two names": "witness a {w1}\nwitness b {w1_renamed}\nquorum none\n",
    "a name twice": "witness a {w1}\nwitness a {w2}\nquorum none\n",
    "a group called like a witness": "witness a {w1}\ngroup a any a\nquorum none\n",
    "a witness called none": "witness none {w1}\nquorum none\n",
    "none as a member": "group g any none\nquorum g\n",
    "a group without members": "group g any\nquorum none\n",
    "a group of 0": "witness a {w1}\ngroup g 0 a\nquorum g\n",
    "a group of 2 of 1": "witness a {w1}\ngroup g 2 a\nquorum g\n",
    "a group of 01": "witness a {w1}\ngroup g 01 a\nquorum g\n",
    "a group of ALL": "witness a {w1}\ngroup g ALL a\nquorum g\n",
    "a member twice": "witness a {w1}\ngroup g 2 a a\nquorum g\n",
    "a member of two groups": "witness a {w1}\ngroup g any a\ngroup h any a\ngroup i all g h\nquorum i\n",
    "a witness in a group and beside it": "witness a {w1}\ngroup g any a\ngroup h 2 g a\nquorum h\n",
    "a group of itself": "group g any g\nquorum g\n",
    "a carriage return": "quorum none\r\n",
    "a form feed": "\fquorum none\n",
    "nothing": "",
}


@pytest.mark.parametrize("why", BAD_POLICIES)
def test_a_policy_that_is_none_is_refused(why: str) -> None:
    keys = {"log": LOG.vkey, "w1": W1.vkey, "w2": W2.vkey}
    keys |= {"log_renamed": vkey_of("x", NOTE_KEY, LOG.public), "w1_renamed": vkey_of("x", COSIGNATURE, W1.public)}
    with pytest.raises(Malformed):
        parse_policy(BAD_POLICIES[why].format(**keys).encode())


def test_what_is_wrong_with_a_policy_is_told_with_its_line() -> None:
    with pytest.raises(Malformed, match="line 2 of the policy: 'w1' is no witness or group of a line above"):
        parse_policy(b"# comment\nquorum w1\n")


@pytest.mark.parametrize(
    ("cosigned", "quorum", "met"),
    [
        ([], "none", True),
        ([], "one", False),
        (["witness1"], "one", True),
        (["witness2"], "one", True),
        (["witness1"], "both", False),
        (["witness2"], "both", False),
        (["witness1", "witness2"], "both", True),
        (["witness1", "witness1"], "both", False),
        (["stranger"], "one", False),
    ],
)
def test_a_quorum_is_met_by_the_witnesses_it_asks_for(cosigned: list[str], quorum: str, met: bool) -> None:
    witnesses = [Witness(parse_signing_key(KEYS[name]["skey"]), time) for time, name in enumerate(cosigned)]
    data = sign_checkpoint(parse_checkpoint(TEXT), [parse_signing_key(KEYS["log"]["skey"]), *witnesses])
    if met:
        assert {signed.key.name for signed in evaluate(POLICIES[quorum], data).witnesses} == {KEYS[name]["name"] for name in cosigned}
    else:
        with pytest.raises(Unproven, match="quorum"):
            evaluate(POLICIES[quorum], data)


def test_a_group_counts_as_one_member_of_another() -> None:
    assert evaluate(parse_policy(EXAMPLE), COSIGNED).checkpoint == parse_checkpoint(TEXT)
    policy = parse_policy(EXAMPLE)
    note = parse_note(COSIGNED)
    for line in note.signatures:
        rest = tuple(each for each in note.signatures if each != line)
        with pytest.raises(Unproven):
            evaluate(policy, bytes(Note(note.text, rest)))


def test_one_key_is_not_a_log_and_its_own_witness() -> None:
    """The log's plain signature is no cosignature, though name and key are those of the policy's witness."""
    signing = parse_signing_key(KEYS["witness1"]["skey"])
    policy = parse_policy(f"log {signing.public.vkey}\nwitness w1 {W1.vkey}\nquorum w1\n".encode())
    checkpoint = parse_checkpoint(TEXT)._replace(origin=signing.public.name)
    with pytest.raises(Unproven, match="quorum"):
        evaluate(policy, sign_checkpoint(checkpoint, [signing]))
    evaluate(policy, sign_checkpoint(checkpoint, [signing, Witness(signing, 1)]))


def test_a_policy_accepts_any_of_its_logs_for_its_own_origin_only() -> None:
    here, there = parse_signing_key(KEYS["log"]["skey"]), parse_signing_key(KEYS["stranger"]["skey"])
    policy = parse_policy(f"log {here.public.vkey}\nlog {there.public.vkey}\nquorum none\n".encode())
    for signer in (here, there):
        checkpoint = parse_checkpoint(TEXT)._replace(origin=signer.public.name)
        assert [signed.key for signed in evaluate(policy, sign_checkpoint(checkpoint, [signer])).logs] == [signer.public]
        other = checkpoint._replace(origin=(there if signer is here else here).public.name)
        with pytest.raises(Unproven):
            evaluate(policy, sign_checkpoint(other, [signer]))


@given(st.data())
def test_a_policy_that_was_changed_anywhere_is_a_policy_or_refused(data: st.DataObject) -> None:
    try:
        policy = parse_policy(spoiled(EXAMPLE, data))
    except Malformed:
        return
    assert policy.quorum in {*policy.witnesses, *policy.groups, NONE}
    try:
        evaluate(policy, COSIGNED)
    except Unproven:
        return


# Proof files


@pytest.mark.parametrize("vector", PROOFS["cases"], ids=lambda vector: vector["why"])
def test_a_proof_file_is_accepted_or_refused_as_it_must_be_and_refused_where_others_differ(vector: dict[str, str]) -> None:
    data = (VECTORS / vector["file"]).read_bytes()
    leaf = leaf_hash(bytes.fromhex(vector["entry_hex"]))
    if vector["must"] == "accept":
        proof = parse_proof(data)
        assert bytes(proof) == data
        assert verify_proof(proof, leaf, POLICIES[vector["quorum"]]).checkpoint.origin == ORIGIN
        if proof.extra is None:
            assert make_proof(proof.index, proof.hashes, proof.checkpoint) == data
    else:
        with pytest.raises(Unproven):
            verify_proof(parse_proof(data), leaf, POLICIES[vector["quorum"]])


def test_extra_data_is_read_and_said_to_be_nobodys() -> None:
    extra = {name: parse_proof((VECTORS / f"proofs/{name}.tlog-proof").read_bytes()).extra for name in ("ok", "ok-extra", "ok-extra-empty")}
    assert extra == {"ok": None, "ok-extra": b"opaque \0 extra", "ok-extra-empty": b""}


ACCEPTED = [vector for vector in PROOFS["cases"] if vector["must"] == "accept"]


@given(st.sampled_from(ACCEPTED), st.data())
def test_a_proof_file_that_was_changed_anywhere_proves_the_same_or_nothing(vector: dict[str, str], data: st.DataObject) -> None:
    original = (VECTORS / vector["file"]).read_bytes()
    leaf = leaf_hash(bytes.fromhex(vector["entry_hex"]))
    try:
        proof = parse_proof(spoiled(original, data))
        opened = verify_proof(proof, leaf, POLICIES[vector["quorum"]])
    except Unproven:
        return
    before = parse_proof(original)
    assert (proof.index, proof.hashes) == (before.index, before.hashes)
    assert opened.checkpoint == parse_checkpoint(parse_note(before.checkpoint).text)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_proof_file_that_gives_them_back_or_none(data: bytes) -> None:
    for whole in (data, b"c2sp.org/tlog-proof@v1\n" + data, b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + data):
        try:
            assert bytes(parse_proof(whole)) == whole
        except Malformed:
            continue


# What log and witness say


def answers() -> list[Any]:
    return [
        pytest.param(case, answer, key, id=f"{case['why']}: {program}")
        for case in EXCHANGES["cases"]
        for program, answer in case["responses"].items()
        for name, key in EXCHANGES["witness_vkeys"].items()
        if program.startswith(name) and case["request"].startswith("POST")
    ]


@pytest.mark.parametrize(("case", "answer", "vkey"), answers())
def test_each_answer_of_a_witness_is_understood(case: dict[str, Any], answer: dict[str, Any], vkey: str) -> None:
    body, key = answer["body"].encode(), parse_vkey(vkey)
    if answer["status"] == 200:
        text = parse_note(case["request_body"].partition("\n\n")[2].encode()).text
        (line,) = accepted(body, text, [key])
        assert line.line.encode() == body
        with pytest.raises(Unproven):
            accepted(body, text.replace("\n", "0\n", 1), [key])
        with pytest.raises(Unproven, match="not signed by"):
            accepted(body, text, [W1])
    elif answer["status"] == 409:
        assert f"{parse_size(body)}\n".encode() == body
    else:
        with pytest.raises(Malformed):
            parse_cosignatures(body)


POSTED = [case for case in EXCHANGES["cases"] if case["request"].startswith("POST")]


@pytest.mark.parametrize("case", POSTED, ids=lambda case: case["why"])
def test_a_request_is_read_as_the_specification_says(case: dict[str, Any]) -> None:
    """400 is for what cannot be read, and for an old size above the new one."""
    body = (case["request_body"] or "").encode()
    try:
        request = parse_addition(body)
    except Malformed:
        assert case["status_by_the_spec"] == 400
        return
    assert bytes(request) == body
    checkpoint = parse_checkpoint(parse_note(request.checkpoint).text)
    assert (request.old > checkpoint.size) == (case["status_by_the_spec"] == 400)


def test_what_a_witness_refuses_as_bad_proof_is_one() -> None:
    """The sizes and roots of the recorded exchanges, checked with our own eyes: 422 exactly where the proof does not hold."""
    roots: dict[int, Hash] = {}
    seen = set()
    for case in EXCHANGES["cases"]:
        if case["status_by_the_spec"] not in (200, 422) or not case["request_body"]:
            continue
        request = parse_addition(case["request_body"].encode())
        checkpoint = parse_checkpoint(parse_note(request.checkpoint).text)
        if case["status_by_the_spec"] == 200:
            roots[checkpoint.size] = checkpoint.root
        if request.old in roots:
            seen.add(case["status_by_the_spec"])
            if case["status_by_the_spec"] == 200:
                verify_consistency(request.old, roots[request.old], checkpoint.size, checkpoint.root, request.proof)
            else:
                with pytest.raises(Unproven):
                    verify_consistency(request.old, roots[request.old], checkpoint.size, checkpoint.root, request.proof)
    assert seen == {200, 422}


BAD_SIZES = [b"", b"257", b"0257\n", b"+257\n", b"2_57\n", b"257\n\n", b"257 \n", b"\xd9\xa3\n", b"257\r\n", b"9" * 70_000 + b"\n"]


@pytest.mark.parametrize("body", BAD_SIZES, ids=lambda body: repr(body[:10]))
def test_a_size_that_a_witness_cannot_mean_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        parse_size(body)


def test_lines_of_witnesses_nobody_knows_are_left_out_of_an_answer() -> None:
    _, *lines = parse_note(COSIGNED).signatures
    body = "".join(line.line for line in lines).encode()
    assert accepted(body, TEXT, [W1, W2]) == tuple(lines)
    assert accepted(body, TEXT, [W2]) == (lines[1],)


@pytest.mark.parametrize("body", [b"", b"\n", b"unknown log\n", b"\xff\n", COSIGNED, b"x" * (MOST_BYTES + 1)])
def test_an_answer_that_holds_no_lines_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        accepted(body, TEXT, [W1])


@given(st.data())
def test_an_answer_that_was_changed_anywhere_cosigns_the_same_or_nothing(data: st.DataObject) -> None:
    lines = parse_note(COSIGNED).signatures[1:]
    try:
        got = accepted(spoiled("".join(line.line for line in lines).encode(), data), TEXT, [W1, W2])
    except Unproven:
        return
    assert set(got) <= set(lines)


@given(st.integers(0, LARGEST), st.lists(st.binary(min_size=32, max_size=32), max_size=63), st.data())
def test_a_request_is_read_back_and_one_that_was_changed_is_another_or_none(old: int, proof: list[bytes], data: st.DataObject) -> None:
    request = Addition(old, tuple(Hash(hash) for hash in proof), COSIGNED)
    assert parse_addition(bytes(request)) == request
    changed = spoiled(bytes(request), data)
    try:
        assert bytes(parse_addition(changed)) == changed
    except Malformed:
        return


def test_a_proof_of_more_hashes_than_any_tree_needs_is_refused() -> None:
    hashes = (Hash(bytes(32)),) * 64
    for data, parse in ((bytes(Proof(0, hashes, COSIGNED)), parse_proof), (bytes(Addition(1, hashes, COSIGNED)), parse_addition)):
        with pytest.raises(Malformed, match="63"):
            parse(data)


def test_a_key_or_signature_of_another_length_verifies_nothing() -> None:
    for key, signature in ((31, 64), (33, 64), (32, 63), (32, 65), (0, 0)):
        with pytest.raises(Unproven):
            signatures.verify_ed25519(bytes(key), b"", bytes(signature))
    for key, signature in ((1311, 2420), (1313, 2420), (1312, 2419), (1312, 2421), (0, 0)):
        with pytest.raises(Unproven):
            signatures.verify_ml_dsa_44(bytes(key), b"", bytes(signature))


def test_a_name_that_ml_dsa_44_cannot_commit_to_is_refused() -> None:
    with pytest.raises(Malformed, match="255"):
        subtree_message("n" * 256, TEXT, 0)


def test_a_key_signs_what_its_own_vkey_verifies() -> None:
    signing = SigningKey("a.example/log", bytes(range(32)))
    key = parse_vkey(signing.public.vkey)
    assert isinstance(key, NoteKey)
    key.verify(TEXT, signing.sign(TEXT).payload)
    with pytest.raises(Unproven):
        key.verify(TEXT, b64encode(signing.sign(TEXT).payload))
