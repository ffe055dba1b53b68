"""The README in an evidence file, run as it stands: a shell, coreutils and openssl, and nothing of ours."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from zipfile import ZipFile

import pytest
from paper import Paper, events, made

TOOLS = ("base64", "cat", "cut", "head", "mktemp", "od", "openssl", "printf", "rm", "sh", "sha256sum", "tail", "tr")
MISSING = [tool for tool in TOOLS if not shutil.which(tool)]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"this machine lacks {MISSING}")

GENERATION = b'{"type":"indelible.generation","source":"indelible","data":{"generation":2,"index":8,"checkpoint":null}}'
ODD = b'{"id":"caf\\u00e9 \xc2\x81\\\\ %s","type":"t","source":"s",\t"data":"\xe2\x82\xac `$(x)` \\\\n"}'


def commands(readme: str) -> str:
    """The lines that begin with four spaces, as the README says itself."""
    return "".join(f"{line[4:]}\n" for line in readme.splitlines() if line.startswith("    "))


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


def checked(folder: Path, line: int, tools: Path) -> tuple[int, str]:
    script = commands((folder / "README.txt").read_text())
    ran = subprocess.run(
        ["sh", "-c", script, "check", str(line)], cwd=folder, env={"PATH": str(tools)}, capture_output=True, text=True, check=False
    )
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.parametrize(("size", "index"), [(1, 0), (2, 1), (3, 2), (7, 4), (256, 255), (300, 299), (300, 17)])
def test_one_event_is_checked_by_hand(size: int, index: int, tools: Path, tmp_path: Path) -> None:
    folder = unpacked(made(Paper(events(size)), tmp_path / "case.zip", ("id", f"e-{index}")), tmp_path / "case")
    status, said = checked(folder, 1, tools)
    assert (status, said.splitlines()[-1].startswith(f"entry {index} is among the first {size} of trail.example")) == (0, True), said


def test_each_of_several_events_is_checked_whatever_bytes_it_has(tools: Path, tmp_path: Path) -> None:
    folder = unpacked(made(Paper([ODD, *events(11)]), tmp_path / "case.zip", ("source", "s"), ("source", "billing")), tmp_path / "case")
    assert [checked(folder, line, tools)[0] for line in (1, 2, 12, 13)] == [0, 0, 0, 1]
    assert "there is no line 13" in checked(folder, 13, tools)[1]


def test_an_event_of_a_later_tree_is_checked_against_that_one(tools: Path, tmp_path: Path) -> None:
    paper = Paper(events(9), [GENERATION, *[line.replace(b'"e-', b'"f-') for line in events(6)]])
    folder = unpacked(made(paper, tmp_path / "case.zip", ("id", "f-3")), tmp_path / "case")
    status, said = checked(folder, 1, tools)
    assert status == 0 and "entry 13 is among the first 7 of trail.example/v1/logs/default/g2" in said


Spoil = Callable[[bytes], bytes]
WRONGS: Mapping[str, tuple[str, Spoil, str]] = {
    "event": ("matching/events.ndjson", lambda text: text.replace(b"4.50", b"9.50"), "the event is not the one in its header"),
    "salt": ("matching/salts.txt", lambda text: (b"B" if text[:1] == b"A" else b"A") + text[1:], "the event is not the one in its header"),
    "header": ("matching/headers.ndjson", lambda text: text.replace(b'"writer":"-"', b'"writer":"x"'), "the event is not in the log"),
    "index": ("matching/indexes.txt", lambda text: b"5\n", "this entry is under no checkpoint"),
    "hash": ("proofs/4.tlog-proof", lambda text: _flipped(text, 3), "the event is not in the log"),
    "hash dropped": ("proofs/4.tlog-proof", lambda text: _without(text, 3), "the proof is too short"),
    "hash doubled": ("proofs/4.tlog-proof", lambda text: _doubled(text, 3), "the proof is too long"),
    "place": ("proofs/4.tlog-proof", lambda text: text.replace(b"index 4", b"index 5"), "the proof is of another entry"),
    "root": ("trees/001/checkpoint", lambda text: _flipped(text, 3), "the event is not in the log"),
    "size": ("trees/001/checkpoint", lambda text: text.replace(b"\n9\n", b"\n8\n", 1), "the proof is too long"),
    "origin": ("trees/001/checkpoint", lambda text: text.replace(b"trail", b"trial", 1), "the log has not signed the checkpoint"),
    "extension": ("trees/001/checkpoint", lambda text: text.replace(b"\n\n", b"\nmore\n\n", 1), "more lines than are checked"),
    "signature": ("trees/001/checkpoint", lambda text: text[:-10] + (b"A" if text[-10:-9] != b"A" else b"B") + text[-9:], "a signature"),
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
    status, said = checked(folder, 1, tools)
    assert status == 1 and "did NOT match" in said  # the sums come first
    sums = subprocess.run(["sha256sum", name], cwd=folder, capture_output=True, text=True, check=True).stdout
    lines = [sums if line.endswith(f"  {name}\n") else line for line in (folder / "SHA256SUMS").read_text().splitlines(True)]
    (folder / "SHA256SUMS").write_text("".join(lines))
    status, said = checked(folder, 1, tools)
    assert status == 1 and says in said.partition("WRONG: ")[2], said
