"""`indelible verify URL`: what a server shows is held against its signed root, against what it showed before, and never half believed."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest
from verify_support import KEY, ORIGIN, OTHER, VKEY, Change, Verify, checkpoint, entry, log_files, serving_files

from indelible.client import patience
from indelible.tree.cosignature import Witness
from indelible.tree.keys import SigningKey
from indelible.tree.note import parse_note
from indelible.tree.tiles import encode_bundle
from indelible.verify.fetch import _unpacked
from indelible.verify.memory import Memory
from indelible.verify.trust import by_own_keys

ENTRIES = [entry(number) for number in range(600)]
FILES = log_files(ENTRIES)
LAST = "tile/entries/002.p/88"


def test_a_log_that_holds_is_verified_with_a_key_from_elsewhere_and_with_its_own_only_consistent(verify: Verify) -> None:
    with serving_files(dict(FILES)) as log:
        assert verify(log.url) == 3
        assert "all 600 entries and tiles hold" in verify.said
        assert "consistent with itself, signer not confirmed" in verify.said
        assert verify(log.url, "--key", VKEY, "--all") == 0
        assert verify.said.endswith("verified\n")
        assert verify(f"{log.url}/v1/logs/default/", "--key", OTHER.public.vkey, "--key", VKEY) == 0
        assert log.connections == 3


def flipped(path: str, at: int = -1) -> Change:
    def change(files: dict[str, Any]) -> None:
        data = bytearray(files[path])
        data[at] ^= 1
        files[path] = bytes(data)

    return change


def put(path: str, data: bytes | None) -> Change:
    def change(files: dict[str, Any]) -> None:
        files[path] = data

    return change


def bundle(first: int, *changes: tuple[int, bytes], width: int = 256) -> bytes:
    entries = ENTRIES[first : first + width]
    for place, other in changes:
        entries[place - first] = other
    return encode_bundle(entries)


FULL = "tile/entries/000"
TAMPERED: dict[str, tuple[Change, int, str]] = {
    "a bit of an entry": (put(FULL, bundle(0, (7, ENTRIES[7].replace(b"e7", b"e8")))), 65, f"entry 7 of {ORIGIN}, in {FULL}, is not"),
    "an entry of another history": (put(FULL, bundle(0, (0, entry(0, "x")), (9, entry(9, "x")))), 65, f"entry 0 of {ORIGIN}, in {FULL}"),
    "two entries in each other's place": (put(FULL, bundle(0, (3, ENTRIES[4]), (4, ENTRIES[3]))), 65, f"entry 3 of {ORIGIN}, in {FULL}"),
    "an entry twice": (put(FULL, bundle(0, (255, ENTRIES[254]))), 65, f"entry 255 of {ORIGIN}, in {FULL}"),
    "an entry dropped": (put(FULL, encode_bundle(ENTRIES[:100] + ENTRIES[101:256])), 65, f"{FULL}: "),
    "an entry more": (put(FULL, encode_bundle([*ENTRIES[:256], ENTRIES[0]])), 65, f"{FULL}: "),
    "a bundle cut": (put(FULL, FILES[FULL][:-3]), 65, f"{FULL}: "),
    "a bundle with a length too long": (flipped(FULL, 0), 65, f"{FULL}: "),
    "the last bundle changed": (put(LAST, bundle(512, (599, entry(0)), width=88)), 65, f"entry 599 of {ORIGIN}, in {LAST}"),
    "one bundle for another": (put("tile/entries/001", FILES[FULL]), 65, f"entry 256 of {ORIGIN}, in tile/entries/001"),
    "a hash of an entry": (flipped("tile/0/000", 40), 65, "tile/0/000: its hash 1 is not that of the entry there"),
    "a tile cut": (put("tile/0/001", FILES["tile/0/001"][:-1]), 65, "tile/0/001: a tile of 256 hashes has 8192 bytes, this has 8191"),
    "a hash of the last tile": (flipped("tile/0/002.p/88", 33), 65, "tile/0/002.p/88: its hash 1 is not that of entry 513"),
    "a hash above": (flipped("tile/1/000.p/2", 32), 65, "tile/1/000.p/2: its hash 1 is not that over tile/0/001"),
    "a bundle and its tile": (
        lambda files: (put(FULL, bundle(0, (5, entry(5, "x"))))(files), flipped("tile/0/000", 161)(files)),  # type: ignore[func-returns-value, dict-item]
        65,
        "tile/0/000 does not hold the hashes that lie under the signed root",
    ),
    "a bundle that is not there": (put(FULL, None), 65, "there is no such file here"),
    "a tile that is not there": (put("tile/1/000.p/2", None), 65, "there is no such file here"),
    "a signature": (put("checkpoint", FILES["checkpoint"].replace(b"\n\n\xe2\x80\x94 ", b"\n\n\xe2\x80\x94 x")), 65, "not signed by"),
    "a root": (put("checkpoint", FILES["checkpoint"].replace(b"\n600\n", b"\n599\n")), 65, "does not hold"),
    "no note": (put("checkpoint", b"600"), 65, "a note is a text"),
    "another key's signature": (put("checkpoint", checkpoint(ENTRIES, OTHER)), 65, "not signed by"),
    "another log": (
        put("checkpoint", checkpoint(ENTRIES, SigningKey("other.example", bytes(32)))),
        65,
        "this is 'other.example', another log",
    ),
    "another tree of this size, well signed": (
        put("checkpoint", checkpoint([*ENTRIES[:599], entry(0, "x")])),
        65,
        "they fit each other, so this is another tree than the one that was signed",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_was_tampered_with_is_found_and_named(what: str, verify: Verify) -> None:
    change, code, named = TAMPERED[what]
    files: dict[str, Any] = dict(FILES)
    change(files)
    with serving_files(files) as log:
        assert verify(log.url, "--key", VKEY) == code
    assert named in verify.said
    assert "verified" not in verify.said
    assert not verify.state.exists()


def test_without_a_key_from_elsewhere_a_false_signature_is_no_consistency(verify: Verify) -> None:
    with serving_files({**FILES, "checkpoint": checkpoint(ENTRIES, OTHER)}) as log:
        assert verify(log.url) == 65
        log.files["vkey"] = b"\xff"
        assert verify(log.url) == 65


def test_only_what_is_new_is_fetched_unless_all_is_asked_for(verify: Verify) -> None:
    with serving_files(log_files(ENTRIES[:300])) as log:
        assert verify(log.url, "--key", VKEY) == 0
        log.files |= FILES
        log.asked.clear()
        assert verify(log.url, "--key", VKEY) == 0
        assert "300 new entries hold, and the first 300 are those under the root that it showed on " in verify.said
        assert FULL not in log.asked
        assert {"tile/entries/001", LAST} <= set(log.asked)
        log.files[FULL] = bundle(0, (7, entry(7, "x")))
        log.asked.clear()
        assert verify(log.url, "--key", VKEY) == 0
        assert not any("entries" in path for path in log.asked)
        assert verify(log.url, "--key", VKEY, "--all") == 65


def test_one_log_is_not_shown_for_another_though_both_keys_are_known(verify: Verify) -> None:
    billing = SigningKey("trail.example/v1/logs/billing", bytes(32))
    with serving_files(log_files(ENTRIES[:9], billing)) as log:
        assert verify(log.url, "--key", billing.public.vkey) == 0
        assert verify(log.url, "--key", billing.public.vkey, "--key", VKEY) == 65
        assert f"asked for {ORIGIN}, the server shows trail.example/v1/logs/billing" in verify.said


def test_a_log_that_goes_back_or_forks_is_found_out(verify: Verify) -> None:
    forked = [*ENTRIES[:150], entry(150, "x"), *ENTRIES[151:]]
    with serving_files(log_files(ENTRIES[:300])) as log:
        assert verify(log.url, "--key", VKEY) == 0
        log.files = log_files(ENTRIES[:299])
        assert verify(log.url, "--key", VKEY) == 65
        assert f"{ORIGIN} shows 299 entries, and had 300 under the root that it showed on 20" in verify.said
        assert "rolled back" in verify.said
        for size in (300, 600):
            log.files = log_files(forked[:size])
            assert verify(log.url, "--key", VKEY) == 65
            assert f"{ORIGIN} forked: its first 300 entries are not those under the root that it showed on 20" in verify.said
        assert verify(log.url, "--key", VKEY, "--forget") == 0
        assert "all 600 entries" in verify.said
        log.files = dict(FILES)
        assert verify(log.url, "--key", VKEY) == 65


def test_a_checkpoint_from_elsewhere_has_to_be_continued(verify: Verify, tmp_path: Path) -> None:
    before = tmp_path / "before.txt"
    with serving_files(dict(FILES)) as log:
        before.write_bytes(checkpoint(ENTRIES[:513]))
        assert verify(log.url, "--key", VKEY, "--from", str(before)) == 0
        assert f"the first 513 are those under the root in {before}" in verify.said
        before.write_bytes(checkpoint([*ENTRIES[:512], entry(512, "x")]))
        assert verify(log.url, "--key", VKEY, "--from", str(before)) == 65
        assert f"under the root in {before}" in verify.said
        before.write_bytes(checkpoint(ENTRIES[:3], OTHER))
        assert verify(log.url, "--key", VKEY, "--from", str(before)) == 65
        before.write_bytes(checkpoint(ENTRIES[:3], SigningKey("other.example", bytes(32))))
        assert verify(log.url, "--key", VKEY, "--from", str(before)) == 65
        assert "is a checkpoint of other.example" in verify.said


def test_what_an_unconfirmed_key_signed_says_nothing_about_the_log_of_the_confirmed_one(verify: Verify) -> None:
    with serving_files(log_files([entry(number, "x") for number in range(700)], OTHER)) as log:
        assert verify(log.url) == 3
        log.files = dict(FILES)
        assert verify(log.url, "--key", VKEY) == 0
        assert "all 600 entries" in verify.said
        log.files = log_files(ENTRIES[:599])
        assert verify(log.url) == 65
    known = json.loads(verify.state.read_bytes())["logs"][ORIGIN]
    assert sorted((each["confirmed"], each["signers"]) for each in known) == [(False, [OTHER.public.vkey]), (True, [VKEY])]
    assert verify.state.stat().st_mode & 0o777 == 0o600


def test_what_a_key_from_elsewhere_confirmed_counts_against_whatever_comes_later(verify: Verify) -> None:
    with serving_files(dict(FILES)) as log:
        assert verify(log.url, "--key", VKEY) == 0
        log.files = log_files(ENTRIES[:599], OTHER)
        assert verify(log.url) == 65
        assert "rolled back" in verify.said


def test_of_what_is_packed_no_more_is_unpacked_than_was_asked_for() -> None:
    assert len(_unpacked(gzip.compress(bytes(1 << 24)), 1000)) == 1001


def test_a_memory_that_cannot_be_read_is_no_empty_one(verify: Verify) -> None:
    with serving_files(dict(FILES)) as log:
        for broken in (
            b"",
            b"{}",
            b'{"format":2,"logs":{}}',
            b'{"format":1,"logs":{"a":[{"note":"x","time":"","signers":[],"confirmed":true}]}}',
        ):
            verify.state.write_bytes(broken)
            assert verify(log.url, "--key", VKEY) == 78  # nothing is said of the log
            assert verify.state.read_bytes() == broken


def test_whoever_took_longer_does_not_make_the_memory_forget_what_another_has_seen(verify: Verify) -> None:
    memory = Memory(verify.state)
    small, large = (by_own_keys(checkpoint(ENTRIES[:size]), [KEY.public]) for size in (3, 9))
    for each in (small, large, small):
        memory.keep(each)
    assert [seen.told.size for seen in memory.seen(small)] == [9]


def test_a_policy_asks_for_witnesses(verify: Verify, tmp_path: Path) -> None:
    witness = Witness(SigningKey("witness.example", bytes([7] * 32)), 1_700_000_000)
    policy = tmp_path / "policy"
    policy.write_text(f"log {VKEY}\nwitness w {witness.public.vkey}\nquorum w\n")
    with serving_files(dict(FILES)) as log:
        assert verify(log.url, "--policy", str(policy)) == 65
        note = parse_note(FILES["checkpoint"])
        log.files["checkpoint"] = bytes(note.joined([witness.sign(note.text)]))
        assert verify(log.url, "--policy", str(policy)) == 0
        policy.write_text(f"witness w {witness.public.vkey}\nquorum w\n")
        assert verify(log.url, "--policy", str(policy)) == 65
        assert "not signed by anyone, as no key is known" in verify.said
        assert verify(log.url, "--policy", str(policy), "--key", VKEY) == 0
        assert verify(log.url, "--key", witness.public.vkey) == 64
        assert verify(log.url, "--key", "nonsense") == 64


def test_partial_tiles_that_a_log_has_dropped_are_taken_from_the_full_ones(verify: Verify) -> None:
    grown = log_files([*ENTRIES, *(entry(number) for number in range(600, 770))])
    files = {**grown, "checkpoint": FILES["checkpoint"], LAST: FILES[LAST], "tile/1/000.p/2": grown["tile/1/000.p/3"][:64]}
    with serving_files(files) as log:
        assert "tile/0/002.p/88" not in files
        assert verify(log.url, "--key", VKEY) == 0


def test_small_logs_hold_and_an_empty_one_too(verify: Verify) -> None:
    for size in (0, 1, 2, 255, 256, 257, 512):
        with serving_files(log_files(ENTRIES[:size])) as log:
            assert verify(log.url, "--key", VKEY) == 0, size


def endless(handler: Any) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    while True:
        handler.wfile.write(bytes(1 << 16))


def drip(handler: Any) -> None:
    while True:
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.02)


def dripping(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    drip(handler)


def dripping_headers(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    drip(handler)


def bomb(handler: Any) -> None:
    body = gzip.compress(bytes(64 << 20))
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def cut(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    handler.close_connection = True


def sending_on(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\nContent-Length: 0\r\n\r\n")


def a_web_page(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>")


HOSTILE = {
    "endless": (endless, 69, "more than the"),
    "a bomb": (bomb, 69, "more than the"),
    "cut": (cut, 69, "the answer broke off"),
    "sending on": (sending_on, 69, "sends on to"),
    "a web page": (a_web_page, 65, ""),
}


@pytest.mark.parametrize("path", ["checkpoint", FULL, "tile/0/000"])
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_answer_takes_no_memory_and_proves_nothing(what: str, path: str, verify: Verify) -> None:
    behave, code, said = HOSTILE[what]
    with serving_files({**FILES, path: behave}) as log:
        assert verify(log.url, "--key", VKEY) == code
    assert said in verify.said


@pytest.mark.parametrize("behave", [dripping, dripping_headers])
def test_an_answer_that_drips_in_is_given_up(behave: Any, verify: Verify, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LEAST", 0.3)
    with serving_files({**FILES, "checkpoint": behave}) as log:
        assert verify(log.url, "--key", VKEY) == 69


def test_nobody_there_is_no_verdict(verify: Verify) -> None:
    with serving_files({}) as log:
        url = log.url
    assert verify(url, "--key", VKEY) == 69
    assert verify("http://", "--key", VKEY) == 78


def test_of_several_targets_the_worst_counts(verify: Verify) -> None:
    with serving_files(dict(FILES)) as good, serving_files({**FILES, FULL: b""}) as bad:
        assert verify(good.url, bad.url, "--key", VKEY, "--all") == 65
        assert f"indelible: {bad.url}: {FULL}" in verify.said
        assert "verified" in verify.said
