"""The README in an evidence file, run as it stands: a shell, coreutils and openssl, and nothing of ours."""

from __future__ import annotations

import json
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from zipfile import ZipFile

import pytest
from paper import KEY, OLD_KEY, ORIGIN, Paper, contents, events, made, rewritten

from indelible.errors import Unproven
from indelible.evidence.check import check
from indelible.tree.keys import SigningKey

TOOLS = ("base64", "cat", "cut", "head", "mktemp", "od", "openssl", "printf", "rm", "sh", "sha256sum", "tail", "tr", "wc")
MISSING = [tool for tool in TOOLS if not shutil.which(tool)]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"this machine lacks {MISSING}")

GENERATION = b'{"type":"indelible.generation","source":"indelible","data":{"generation":2,"index":8,"checkpoint":null}}'
ODD = b'{"id":"caf\\u00e9 \xc2\x81\\\\ %s","type":"t","source":"s",\t"data":"\xe2\x82\xac `$(x)` \\\\n"}'


def commands(readme: str) -> str:
    """The lines that begin with four spaces, as the README says itself."""
    return "".join(f"{line[4:]}\n" for line in readme.splitlines() if line.startswith("    "))


def readme() -> str:
    return files("indelible.evidence").joinpath("README.txt").read_text()


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with these programs and no other."""
    folder = tmp_path_factory.mktemp("tools")
    for tool in TOOLS:
        (folder / tool).symlink_to(shutil.which(tool) or tool)
    return folder


def unpacked(path: Path, folder: Path) -> Path:
    with ZipFile(path) as opened:
        opened.extractall(folder)
    return folder


def checked(folder: Path, line: int, tools: Path, *keys: str) -> tuple[int, str]:
    """With the log's key from elsewhere, unless others are given; "" stands for none."""
    words = [each for each in keys or (KEY.public.vkey,) if each]
    ran = subprocess.run(
        ["sh", "-c", commands(readme()), "check", str(line), *words],
        cwd=folder,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize(("size", "index"), [(1, 0), (2, 1), (3, 2), (7, 4), (256, 255), (300, 299), (300, 17)])
def test_one_event_is_checked_by_hand(size: int, index: int, tools: Path, tmp_path: Path) -> None:
    folder = unpacked(made(Paper(events(size)), tmp_path / "case.zip", ("id", f"e-{index}")), tmp_path / "case")
    status, said = checked(folder, 1, tools)
    assert (status, said.splitlines()[-1].startswith(f"entry {index} is among the first {size} of trail.example")) == (0, True), said


def test_each_of_several_events_is_checked_whatever_bytes_it_has(tools: Path, tmp_path: Path) -> None:
    folder = unpacked(made(Paper([ODD, *events(11)]), tmp_path / "case.zip", ("source", "s"), ("source", "billing")), tmp_path / "case")
    assert [checked(folder, line, tools)[0] for line in (1, 2, 12, 13)] == [0, 0, 0, 65]
    assert "there is no line 13" in checked(folder, 13, tools)[1]


def test_an_event_of_a_later_tree_is_checked_against_that_one(tools: Path, tmp_path: Path) -> None:
    paper = Paper(events(9), [GENERATION, *[line.replace(b'"e-', b'"f-') for line in events(6)]])
    folder = unpacked(made(paper, tmp_path / "case.zip", ("id", "f-3")), tmp_path / "case")
    status, said = checked(folder, 1, tools, KEY.public.vkey, KEY.named(f"{ORIGIN}/g2").public.vkey)
    assert status == 0 and "entry 13 is among the first 7 of trail.example/v1/logs/default/g2" in said


def test_the_readme_in_the_file_is_the_one_that_is_run_here(tmp_path: Path) -> None:
    assert contents(made(Paper(events(1)), tmp_path / "case.zip", complete=True))["README.txt"].decode() == readme()


def test_without_a_key_from_elsewhere_nobody_is_confirmed(tools: Path, tmp_path: Path) -> None:
    folder = unpacked(made(Paper(events(9)), tmp_path / "case.zip", ("id", "e-4")), tmp_path / "case")
    status, said = checked(folder, 1, tools, "")
    assert status == 3 and "consistent with itself, signer not confirmed" in said
    assert "erified" not in said


def test_every_key_from_elsewhere_that_signed_is_named_and_one_is_enough(tools: Path, tmp_path: Path) -> None:
    folder = unpacked(made(Paper(events(9)), tmp_path / "case.zip", ("id", "e-4")), tmp_path / "case")
    key, old, other = KEY.public.vkey, OLD_KEY.public.vkey, SigningKey("elsewhere.example", bytes(32)).public.vkey
    for keys, signed in (((old,), [old]), ((key, old), [key, old]), ((other, key), [key])):
        status, said = checked(folder, 1, tools, *keys)
        assert (status, said.split("signed with ")[1].split()) == (0, signed)


OTHER = SigningKey(ORIGIN, bytes(32))
VKEY = KEY.public.vkey
KEYS = {
    "another key of that name": (OTHER.public.vkey, "is not signed by"),
    "the key under another name": (KEY.named("elsewhere.example").public.vkey, "is not signed by"),
    "another key with the id of the right one": (f"{ORIGIN}+{KEY.id.hex()}+{OTHER.public.vkey.rpartition('+')[2]}", "another key's id"),
    "another kind of key": (f"{ORIGIN}+{KEY.id.hex()}+{b64encode(bytes([4]) + bytes(32)).decode()}", "no Ed25519 key"),
    "a key that is too long": (f"{ORIGIN}+{KEY.id.hex()}+{b64encode(bytes([1]) + bytes(33)).decode()}", "no Ed25519 key"),
    "no key": ("the-key", "no key"),
    "half a key": (VKEY[:-20], "no"),
}


@pytest.mark.parametrize("what", KEYS)
def test_a_key_that_is_not_the_logs_confirms_nothing(what: str, tools: Path, tmp_path: Path) -> None:
    folder = unpacked(made(Paper(events(3)), tmp_path / "case.zip", ("id", "e-1")), tmp_path / "case")
    key, says = KEYS[what]
    status, said = checked(folder, 1, tools, key)
    assert status == 65 and says in said.partition("WRONG: ")[2], said


def forged(path: Path, genuine: Path) -> dict[str, bytes]:
    """The file of a log that another key signed under the same name, dressed as the genuine one: its vkeys, and its key's id."""
    lies = [line.replace(b"4.50", b"9.50") for line in events(9)]
    members = contents(made(Paper(lies, keys=[OTHER]), path, ("id", "e-4")))
    real = contents(genuine)
    members["trees/001/vkeys.txt"] = real["trees/001/vkeys.txt"]
    case, told = json.loads(members["case.json"]), json.loads(real["case.json"])
    case["trees"][0]["keys"] = told["trees"][0]["keys"]
    members["case.json"] = json.dumps(case, indent=2, ensure_ascii=False).encode() + b"\n"
    return members


ELSEWHERE = OTHER.named("elsewhere.example")


@pytest.mark.parametrize("id", [OTHER.id, KEY.id, ELSEWHERE.id], ids=["its own id", "the id of the log's key", "its id as another log's"])
def test_a_forgery_that_shows_the_operators_real_key_is_found(id: bytes, tools: Path, tmp_path: Path) -> None:
    genuine, path = made(Paper(events(9)), tmp_path / "genuine.zip", ("id", "e-4")), tmp_path / "case.zip"
    members = forged(path, genuine)
    note = members["trees/001/checkpoint"]
    head, _, encoded = note.decode().rstrip("\n").rpartition(" ")
    signed = f"{head} {b64encode(id + b64decode(encoded)[4:]).decode()}\n".encode()
    members = {name: text.replace(note, signed) for name, text in members.items()}
    rewritten(path, members)
    folder = unpacked(path, tmp_path / "case")
    for keys in ((VKEY,), (VKEY, OLD_KEY.public.vkey), (VKEY, ELSEWHERE.public.vkey), ("",)):  # another log's operator may be the forger
        status, said = checked(folder, 1, tools, *keys)
        assert status == 65 and ("is not signed by" in said or "does not hold" in said), said
    with pytest.raises(Unproven):
        check(path)


def test_a_forgery_with_keys_of_its_own_is_consistent_and_no_more(tools: Path, tmp_path: Path) -> None:
    lies = [line.replace(b"4.50", b"9.50") for line in events(9)]
    folder = unpacked(made(Paper(lies, keys=[OTHER]), tmp_path / "case.zip", ("id", "e-4")), tmp_path / "case")
    assert checked(folder, 1, tools, "")[0] == 3
    assert checked(folder, 1, tools, VKEY)[0] == 65
    assert checked(folder, 1, tools, VKEY, OTHER.public.vkey)[0] == 0  # whoever takes the forger's key from elsewhere too


@pytest.mark.parametrize(("published", "line"), [([0, 7], 1), ([3, 7], 2)], ids=["no tree has it", "its tree ended before it"])
def test_an_entry_under_no_checkpoint_is_said_to_be_unproven(published: list[int], line: int, tools: Path, tmp_path: Path) -> None:
    paper = Paper(events(9), [GENERATION, *[each.replace(b'"e-', b'"f-') for each in events(6)]], published=published)
    keys = [KEY.public.vkey, KEY.named(f"{ORIGIN}/g2").public.vkey]
    folder = unpacked(made(paper, tmp_path / "case.zip", ("id", "e-0"), ("id", "e-5"), ("id", "f-3")), tmp_path / "case")
    status, said = checked(folder, line, tools, *keys)
    assert status == 1 and said.startswith("NOT PROVEN: entry ") and len(said.splitlines()) == 1, said
    assert checked(folder, 3, tools, *keys)[0] == 0


Spoil = Callable[[bytes], bytes]
WRONGS: Mapping[str, tuple[str, Spoil, str]] = {
    "event": ("matching/events.ndjson", lambda text: text.replace(b"4.50", b"9.50"), "the event is not the one in its header"),
    "salt": ("matching/salts.txt", lambda text: (b"B" if text[:1] == b"A" else b"A") + text[1:], "the event is not the one in its header"),
    "header": ("matching/headers.ndjson", lambda text: text.replace(b'"writer":"-"', b'"writer":"x"'), "the event is not in the log"),
    "salt's length": ("matching/salts.txt", lambda text: b64encode(b64decode(text)[:15]) + b"\n", "the salt"),
    "index with a zero in front": ("matching/indexes.txt", lambda text: b"04\n", "the index is no number"),
    "index that a shell would run": ("matching/indexes.txt", lambda text: b"a[$(echo ran >&2)]\n", "the index is no number"),
    "start that a shell would run": ("trees/001/start", lambda text: b"a[$(echo ran >&2)]\n", "trees/001/start is no number"),
    "hash": ("proofs/4.tlog-proof", lambda text: _flipped(text, 3), "the event is not in the log"),
    "hash dropped": ("proofs/4.tlog-proof", lambda text: _without(text, 3), "the proof is too short"),
    "hash doubled": ("proofs/4.tlog-proof", lambda text: _doubled(text, 3), "the proof is too long"),
    "place": ("proofs/4.tlog-proof", lambda text: text.replace(b"index 4", b"index 5"), "the proof is of another entry"),
    "root": ("trees/001/checkpoint", lambda text: _flipped(text, 3), "the event is not in the log"),
    "size": ("trees/001/checkpoint", lambda text: text.replace(b"\n9\n", b"\n8\n", 1), "the proof is too long"),
    "origin": ("trees/001/checkpoint", lambda text: text.replace(b"trail", b"trial", 1), "is not signed by trail.example"),
    "extension": ("trees/001/checkpoint", lambda text: text.replace(b"\n\n", b"\nmore\n\n", 1), "more lines than are checked"),
    "signature": ("trees/001/checkpoint", lambda text: text[:-10] + (b"A" if text[-10:-9] != b"A" else b"B") + text[-9:], "does not hold"),
}


def _flipped(text: bytes, line: int) -> bytes:
    lines = text.split(b"\n")
    lines[line - 1] = (b"A" if lines[line - 1][:1] != b"A" else b"B") + lines[line - 1][1:]
    return b"\n".join(lines)


def _without(text: bytes, line: int) -> bytes:
    lines = text.split(b"\n")
    return b"\n".join([*lines[: line - 1], *lines[line:]])


def _doubled(text: bytes, line: int) -> bytes:
    lines = text.split(b"\n")
    return b"\n".join([*lines[:line], lines[line - 1], *lines[line:]])


@pytest.mark.parametrize("what", WRONGS)
def test_a_byte_that_was_changed_is_found_by_hand(what: str, tools: Path, tmp_path: Path) -> None:
    folder = unpacked(made(Paper(events(9)), tmp_path / "case.zip", ("id", "e-4")), tmp_path / "case")
    name, spoil, says = WRONGS[what]
    before = (folder / name).read_bytes()
    (folder / name).write_bytes(spoil(before))
    assert (folder / name).read_bytes() != before
    status, said = checked(folder, 1, tools, VKEY, OLD_KEY.public.vkey)
    assert status == 65 and "did NOT match" in said  # the sums come first
    sums = subprocess.run(["sha256sum", name], cwd=folder, capture_output=True, text=True, check=True).stdout
    lines = [sums if line.endswith(f"  {name}\n") else line for line in (folder / "SHA256SUMS").read_text().splitlines(True)]
    (folder / "SHA256SUMS").write_text("".join(lines))
    status, said = checked(folder, 1, tools, VKEY, OLD_KEY.public.vkey)
    assert status == 65 and says in said.partition("WRONG: ")[2] and "ran\n" not in said, said
