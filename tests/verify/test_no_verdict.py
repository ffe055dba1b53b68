"""Where nothing is wrong and nothing can be verified, `indelible verify` says so, and never believe nothing; nor the other way round."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from test_verify_server import ENTRIES, FILES
from verify_support import ORIGIN, OTHER, VKEY, Verify, checkpoint, entry, log_files, serving_files

from indelible.journal.file import open_file_journal
from indelible.tree.tlogproof import make_proof


def problem(name: str, status: int, detail: str = "of this", title: str = "A title") -> Any:
    def answer(handler: Any) -> None:
        body = json.dumps({"type": f"/problems/{name}", "title": title, "status": status, "detail": detail}).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/problem+json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


UNSIGNED = {"checkpoint": problem("not-yet", 404, "no checkpoint yet"), "vkey": FILES["vkey"]}
NO_LOG = {"checkpoint": problem("not-found", 404, "there is no log"), "vkey": problem("not-found", 404, "there is no log")}


@pytest.mark.parametrize("key", [(), ("--key", VKEY)])
def test_a_new_log_is_not_signed_yet_and_one_that_is_not_there_was_not_meant(key: tuple[str, ...], verify: Verify) -> None:
    with serving_files(dict(UNSIGNED)) as log:
        assert verify(log.url, *key) == 75
        assert "no checkpoint yet" in verify.said
        log.files = dict(NO_LOG)
        assert verify(log.url, *key) == 64
        assert "there is no log" in verify.said


@pytest.mark.parametrize("gone", [UNSIGNED, NO_LOG])
@pytest.mark.parametrize("known", ["remembered", "a checkpoint"])
def test_a_log_that_had_a_checkpoint_and_shows_none_was_rolled_back(gone: Any, known: str, verify: Verify, tmp_path: Path) -> None:
    words = ["--key", VKEY]
    with serving_files(dict(FILES)) as log:
        if known == "remembered":
            assert verify(log.url, *words) == 0
        else:
            (tmp_path / "cp").write_bytes(FILES["checkpoint"])
            words += ["--from", str(tmp_path / "cp")]
        log.files = dict(gone)
        assert verify(log.url, *words) == 65
        assert f"{ORIGIN} shows no checkpoint, and had 600 entries under the root " in verify.said
        assert "it was rolled back" in verify.said


def test_without_a_key_the_log_is_known_by_the_name_that_its_own_key_has_and_forgotten_on_request(verify: Verify) -> None:
    with serving_files(dict(FILES)) as log:
        assert verify(log.url) == 3
        log.files = dict(UNSIGNED)
        assert verify(log.url) == 65
        assert verify(log.url, "--forget") == 75


def test_what_an_unconfirmed_key_signed_is_no_rollback_of_the_log_of_the_confirmed_one(verify: Verify) -> None:
    with serving_files(log_files(ENTRIES, OTHER)) as log:
        assert verify(log.url) == 3
        log.files = dict(UNSIGNED)
        assert verify(log.url, "--key", VKEY) == 75


def test_a_file_that_is_no_checkpoint_or_no_policy_is_not_what_its_name_says(verify: Verify, tmp_path: Path) -> None:
    file = tmp_path / "file"
    for broken in (b"", b"{}", FILES["checkpoint"][:-5]):
        file.write_bytes(broken)
        for flag in ("--from", "--policy"):
            assert verify("http://127.0.0.1:1", flag, str(file)) == 78
    assert "the policy" in verify.said or "--policy" in verify.said


@pytest.mark.parametrize("path", ["checkpoint", "tile/0/000", "tile/entries/000"])
def test_damage_at_the_server_is_no_absence_and_is_not_asked_for_again(path: str, verify: Verify) -> None:
    damaged = problem("damaged", 500, "the server's log says more", "The data directory is damaged")
    with serving_files({**FILES, path: damaged}) as log:
        assert verify(log.url, "--key", VKEY, "--patience", "60") == 65
        assert log.asked.count(path) == 1
        assert "The data directory is damaged: the server's log says more" in verify.said
        log.files[path] = problem("internal", 500)
        assert verify(log.url, "--key", VKEY) == 69


def test_a_new_directory_is_not_signed_yet(verify: Verify, tmp_path: Path) -> None:
    journal = open_file_journal(tmp_path / "trail", reserve=0)
    asyncio.run(journal.close())
    assert verify(str(tmp_path / "trail")) == 75
    assert "has no entry yet, and so no checkpoint" in verify.said


def test_a_proof_that_names_nobody_asks_for_a_key(verify: Verify, tmp_path: Path) -> None:
    proof = tmp_path / "a.tlog-proof"
    proof.write_bytes(make_proof(0, [], checkpoint(ENTRIES[:1])))
    (tmp_path / "entry").write_bytes(entry(0))
    assert verify(str(proof), "--entry", str(tmp_path / "entry")) == 64
    assert "whose signature would count? give the log's key with --key or --policy" in verify.said
    assert verify(str(proof), "--entry", str(tmp_path / "entry"), "--key", VKEY) == 0
    assert f"is entry 0 under 1 entry of {ORIGIN}" in verify.said


def test_a_checkpoint_from_before_is_named_when_it_is_continued(verify: Verify, tmp_path: Path) -> None:
    one, many = tmp_path / "one", tmp_path / "many"
    one.write_bytes(checkpoint(ENTRIES[:1]))
    many.write_bytes(checkpoint(ENTRIES[:513]))
    with serving_files(dict(FILES)) as log:
        assert verify(log.url, "--key", VKEY) == 0
        assert verify(log.url, "--key", VKEY, "--from", str(one), "--from", str(many)) == 0
        assert f"{one}: its 1 entry is the first of these\n{many}: its 513 entries are the first of these\n" in verify.said
        many.write_bytes(checkpoint([*ENTRIES[:512], entry(512, "x")]))
        assert verify(log.url, "--key", VKEY, "--from", str(many)) == 65
        assert "of these" not in verify.said
