"""Origin and keys: fixed at the first start, made and rotated offline, shown without their private halves."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from signing_support import MOMENT, ORIGIN, Quick, Trees, opened, tick

from indelible.cli.main import indelible, run
from indelible.errors import Damaged, Misconfigured
from indelible.journal.directory import take_lock
from indelible.signing.directory import SIGNING, made, open_signing, rotated
from indelible.signing.keys import origin_of
from indelible.signing.names import tree_in
from indelible.tree.keys import NoteKey
from indelible.tree.vkeys import parse_vkey


def keys(data: Path, *words: str) -> Result:
    return CliRunner().invoke(indelible, ["keys", *words, "--data", str(data)], env={"INDELIBLE_CONFIG": os.devnull})


def stored(data: Path) -> Any:
    return json.loads((data / SIGNING / "keys.json").read_text())


def test_the_first_start_makes_a_random_origin_and_the_next_ones_keep_it(tmp_path: Path) -> None:
    first = open_signing(Quick(), tmp_path, None, MOMENT, 0)
    first.ledger.close()
    assert first.identity.origin.startswith("indelible-")
    assert len(bytes.fromhex(first.identity.origin.removeprefix("indelible-"))) == 8
    again = open_signing(Quick(), tmp_path, None, MOMENT + 9, 0)
    again.ledger.close()
    assert again.identity.public("x") == first.identity.public("x")
    assert again.identity.origin == first.identity.origin
    assert (tmp_path / SIGNING).stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / SIGNING).iterdir()} == {"checkpoints": 0o600, "keys.json": 0o600}


def test_another_origin_than_the_first_one_stops_the_start_and_both_are_named(tmp_path: Path) -> None:
    open_signing(Quick(), tmp_path, ORIGIN, MOMENT, 0).ledger.close()
    open_signing(Quick(), tmp_path, ORIGIN, MOMENT, 0).ledger.close()
    with pytest.raises(Misconfigured, match=f"other.example.*{ORIGIN}"):
        open_signing(Quick(), tmp_path, "other.example", MOMENT, 0)


def test_a_rotation_keeps_the_history_and_drops_private_halves_whose_time_is_over(tmp_path: Path) -> None:
    made(Quick(), tmp_path, ORIGIN, MOMENT)
    rotated(Quick(), tmp_path, MOMENT + 10, 100)
    third = rotated(Quick(), tmp_path, MOMENT + 20, 1000)
    assert [(held.since - MOMENT, held.until and held.until - MOMENT) for held in third.keys] == [(0, 110), (10, 1020), (20, None)]
    assert [key["secret"] is not None for key in stored(tmp_path)["keys"]] == [True, True, True]
    assert [key.public for key in third.signers("n", MOMENT + 109)] == [NoteKey("n", held.public.public) for held in reversed(third.keys)]
    assert len(third.signers("n", MOMENT + 110)) == 2
    opened = open_signing(Quick(), tmp_path, None, MOMENT + 110, 0)
    opened.ledger.close()
    assert [key["secret"] is not None for key in stored(tmp_path)["keys"]] == [False, True, True]
    assert opened.identity.public("n") == third.public("n")


def test_keys_are_made_shown_and_rotated_by_the_command_and_no_secret_is_printed(tmp_path: Path) -> None:
    data = tmp_path / "new"
    assert "has no keys yet" in keys(data, "show").output
    assert not data.exists()
    first = keys(data, "make", "--origin", ORIGIN, "--logs", "a,b")
    assert data.stat().st_mode & 0o777 == 0o700
    assert first.exit_code == 0
    assert keys(data, "make", "--logs", "a,b").output == first.output
    origin, *lines = first.output.splitlines()
    assert origin == f"origin {ORIGIN}"
    names = [parse_vkey(line.split("  ")[0]).name for line in lines]
    assert names == [f"{ORIGIN}/a", f"{ORIGIN}/b"]
    assert all("  signs since 20" in line for line in lines)
    after = keys(data, "rotate", "--overlap", "12h", "--logs", "a")
    assert after.output == keys(data, "show", "--logs", "a").output
    new, old = after.output.splitlines()[1:]
    assert ", until 20" in old and ", until" not in new and new.split("  ")[0] != old.split("  ")[0] == lines[0].split("  ")[0]
    assert "signed since" in keys(data, "rotate", "--overlap", "0s", "--logs", "a").output
    secrets = [key["secret"] for key in stored(data)["keys"] if key["secret"]]
    shown = "".join(keys(data, "show").output for _ in range(2))
    assert secrets and not any(secret in shown or secret.split("+", 4)[4] in shown for secret in secrets)
    assert keys(data, "rotate", "--overlap", "soon").exit_code == 2


def test_generations_that_were_signed_are_shown_too(tmp_path: Path) -> None:
    trees = Trees(["a"])
    trees.number = 2
    trees.grow("a", 1)
    publisher = opened(tmp_path, trees)
    tick(publisher)
    publisher.close()
    names = [parse_vkey(line.split("  ")[0]).name for line in keys(tmp_path, "show", "--logs", "a").output.splitlines()[1:]]
    assert names == [f"{ORIGIN}/a", f"{ORIGIN}/a/g2"]


def test_a_server_that_holds_the_directory_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(Quick(), tmp_path, ORIGIN, MOMENT)
    lock = take_lock(tmp_path)
    try:
        for words in (["make"], ["rotate"]):
            assert run(["keys", *words, "--data", str(tmp_path)]) == 75
            assert f"in use by process {os.getpid()}" in capsys.readouterr().err
        assert run(["keys", "show", "--data", str(tmp_path)]) == 0
    finally:
        os.close(lock)
    assert run(["keys", "rotate", "--data", str(tmp_path / "none")]) == 78


@pytest.mark.parametrize(
    ("spoil", "error", "word"),
    [
        (lambda file: file.write_bytes(b"{"), Damaged, "not what was written"),
        (lambda file: file.write_text(file.read_text().replace('"format": 1', '"format": 2')), Misconfigured, "format 2"),
        (lambda file: file.write_text(file.read_text().replace('"origin": "t', '"origin": "x')), Damaged, "not the origin's"),
        (lambda file: file.write_text(file.read_text().replace("PRIVATE+KEY", "PUBLIC+KEY")), Damaged, "no signing key"),
        (lambda file: file.write_text('{"format":1,"origin":"x","keys":[]}'), Damaged, "no key"),
        (lambda file: file.with_name("checkpoints").unlink(), Damaged, "missing"),
        (lambda file: file.with_name("checkpoints").write_bytes(b""), Damaged, "not one line"),
    ],
)
def test_what_cannot_be_true_stops_the_start_and_shows_nothing_of_a_key(tmp_path: Path, spoil: Any, error: Any, word: str) -> None:
    made(Quick(), tmp_path, ORIGIN, MOMENT)
    secret = stored(tmp_path)["keys"][0]["secret"]
    spoil(tmp_path / SIGNING / "keys.json")
    with pytest.raises(error, match=word) as raised:
        open_signing(Quick(), tmp_path, None, MOMENT, 0)
    assert secret.split("+", 4)[4] not in str(raised.value)


def test_keys_that_are_gone_are_not_made_again_where_something_was_signed(tmp_path: Path) -> None:
    trees = Trees(["a"])
    trees.grow("a", 1)
    publisher = opened(tmp_path, trees)
    tick(publisher)
    publisher.close()
    (tmp_path / SIGNING / "keys.json").unlink()
    with pytest.raises(Damaged, match="from a backup"):
        open_signing(Quick(), tmp_path, None, MOMENT, 0)


def test_no_new_name_is_made_where_events_are_and_the_error_names_the_ways_out(tmp_path: Path) -> None:
    for spoil in (lambda: None, (tmp_path / SIGNING).mkdir):
        spoil()
        with pytest.raises(Damaged, match=rf"holds 3 events: put {tmp_path / SIGNING} back.*`indelible keys make --data {tmp_path}`"):
            open_signing(Quick(), tmp_path, None, MOMENT, 3)
        assert not (tmp_path / SIGNING / "keys.json").exists()
    assert keys(tmp_path, "make").exit_code == 0
    open_signing(Quick(), tmp_path, None, MOMENT, 3).ledger.close()


@pytest.mark.parametrize("operations", range(1, 40))
def test_a_first_start_that_was_killed_is_no_loss_of_keys(operations: int, tmp_path: Path) -> None:
    """The journal was made, which holds nothing; then the process was killed before one of its operations."""

    class Killed(BaseException):
        pass

    class Dying(Quick):
        left = operations

        def __getattribute__(self, name: str) -> Any:
            if name in ("open", "pwrite", "rename", "fsync", "fdatasync", "close"):
                self.left -= 1
                if self.left < 0:
                    raise Killed
            return super().__getattribute__(name)

    with suppress(Killed):
        open_signing(Dying(), tmp_path, ORIGIN, MOMENT, 0).ledger.close()
    after = open_signing(Quick(), tmp_path, ORIGIN, MOMENT, 0)
    after.ledger.close()
    again = open_signing(Quick(), tmp_path, None, MOMENT, 9)
    again.ledger.close()
    assert again.identity.public("n") == after.identity.public("n")


def test_the_command_refuses_another_origin_as_the_start_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert keys(tmp_path, "make", "--origin", ORIGIN).exit_code == 0
    assert run(["keys", "make", "--data", str(tmp_path), "--origin", "other.example"]) == 78
    with pytest.raises(Misconfigured) as raised:
        open_signing(Quick(), tmp_path, "other.example", MOMENT, 0)
    assert raised.value.detail in capsys.readouterr().err


def test_every_log_that_was_signed_is_shown_whatever_a_command_did(tmp_path: Path) -> None:
    trees = Trees(["a", "b"])
    trees.grow("a", 1)
    trees.grow("b", 1)
    publisher = opened(tmp_path, trees)
    tick(publisher)
    publisher.close()
    for words in (["rotate"], ["make"], ["show"]):
        shown = keys(tmp_path, *words).output
        names = {parse_vkey(each.split("  ")[0]).name for each in shown.splitlines()[1:]}
        assert names == {f"{ORIGIN}/{log}" for log in ("default", "a", "b")}
        assert len(shown.splitlines()) == 7  # two keys each
    (tmp_path / SIGNING / "checkpoints").unlink()
    assert keys(tmp_path, "show").exit_code == 0


def test_help_says_that_a_directory_is_made_only_where_it_is() -> None:
    makes = {
        words: "made if it is not there" in " ".join(CliRunner().invoke(indelible, [*words.split(), "--help"]).output.split())
        for words in ("fsck", "repair", "adopt", "keys show", "keys rotate", "keys make", "serve")
    }
    assert [words for words, made in makes.items() if made] == ["keys make", "serve"]


@given(st.integers(1, 10**6), st.sampled_from(["a", "b-1"]))
def test_a_name_leads_back_to_its_log_and_generation_alone(number: int, log: str) -> None:
    name = origin_of(ORIGIN, log, number)
    assert tree_in(ORIGIN, name) == (log, number)
    assert tree_in("x", name) is None
    assert tree_in(ORIGIN, f"{name}/g3") is None or number == 1


@pytest.mark.parametrize("name", ["", ORIGIN, f"{ORIGIN}/a/g01", f"{ORIGIN}/a/g1", f"{ORIGIN}/a/g\u0662", f"{ORIGIN}/a/b", f"x{ORIGIN}/a"])
def test_a_name_that_no_tree_was_given_is_of_none(name: str) -> None:
    assert tree_in(ORIGIN, name) is None
