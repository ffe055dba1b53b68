"""Every refusal names a command, and the command works; a directory of another version is left as it is, to the byte."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from served import Server, free_port
from trails import Harm, files, flip, forged_trail, lose_journal_json, remove_the_first, trail


def environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("INDELIBLE_")}


def indelible(*words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "indelible", *words], capture_output=True, text=True, check=False, env=environ(), timeout=60
    )
    return done.returncode, done.stdout, done.stderr


def commands(text: str) -> list[list[str]]:
    """The words of each `indelible …` in a message."""
    return [shlex.split(each)[1:] for each in re.findall(r"`(indelible [^`]*)`", text)]


def refused(data: Path) -> str:
    """The one line that says why `serve` ends, behind what it had to say before that."""
    code, out, said = indelible("serve", "--port", "0", "--data", str(data))
    assert (code, out) == (65, "")
    *before, last = said.splitlines()
    assert [json.loads(line)["event"] for line in before] in ([], ["start", "stop"])
    assert last.startswith("indelible: ")
    return last


def starts(words: list[str]) -> None:
    """The command brings a server up; it is ended again."""
    process = subprocess.Popen(
        [sys.executable, "-m", "indelible", *words, "--port", str(free_port())], stderr=subprocess.PIPE, text=True, env=environ()
    )
    assert process.stderr
    events = []
    while "ready" not in events:
        events.append(json.loads(process.stderr.readline())["event"])
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0


@pytest.mark.parametrize("harm", [flip, remove_the_first, lose_journal_json, None], ids=lambda harm: harm.__name__ if harm else "forged")
def test_what_a_damaged_journal_is_refused_with_leads_to_one_that_works(harm: Harm | None, tmp_path: Path) -> None:
    data = tmp_path / "it's a trail"
    if harm:
        trail(data)
        harm(data)
    else:
        forged_trail(data)
    said = refused(data)
    repair, read = commands(said)
    assert repair == ["repair", "--data", str(data)]
    assert read == ["serve", "--read-only", "--data", str(data)]
    starts(read)
    code, shown, errors = indelible(*repair)
    assert (code, errors) == (65, "")
    assert ("acknowledged events are lost" in shown) == (harm is not lose_journal_json)
    [mend] = commands(shown)
    assert mend == [*repair, "--yes"]
    code, shown, errors = indelible(*mend)
    assert (code, errors) == (0, "")
    serve, status = commands(shown)
    assert (serve, status) == (["serve", "--data", str(data)], ["status"])
    starts(serve)
    assert indelible(*repair)[0] == 0


def test_an_interrupted_repair_is_refused_with_the_command_that_finishes_it(tmp_path: Path) -> None:
    trail(tmp_path / "data")
    shutil.move(tmp_path / "data" / "journal", tmp_path / "data" / "journal.repaired")
    [finish] = commands(refused(tmp_path / "data"))
    code, shown, _ = indelible(*finish)
    assert code == 0 and "finished a repair that had been interrupted" in shown
    starts(["serve", "--data", str(tmp_path / "data")])


def test_a_directory_in_use_is_refused_with_the_command_that_ends_the_other(tmp_path: Path) -> None:
    first = Server(tmp_path)
    first.start()
    for words in (["serve", "--port", "0"], ["repair"], ["repair", "--yes"]):
        code, _, said = indelible(*words, "--data", str(tmp_path))
        assert code == 75 and said.count("\n") == 1
    [kill] = re.findall(r"`(kill \d+)`", said)
    subprocess.run(shlex.split(kill), check=True)
    assert first.reap()[0] == 0
    starts(["serve", "--data", str(tmp_path)])


def newer_layout(data: Path) -> None:
    (data / "layout.json").write_bytes(b'{"layout":2,"tail":"elsewhere"}')


def no_layout(data: Path) -> None:
    (data / "layout.json").write_bytes(b"layout")


def newer_journal(data: Path) -> None:
    (data / "journal" / "journal.json").write_bytes(b'{"format":2,"shape":"unknown"}')


@pytest.mark.parametrize("make", [newer_layout, no_layout, newer_journal], ids=lambda make: make.__name__)
def test_another_versions_directory_is_left_as_it_is_to_the_byte(make: Callable[[Path], None], tmp_path: Path) -> None:
    trail(tmp_path)
    (tmp_path / "lock").write_bytes(b"whoever\n")
    (tmp_path / "tail").mkdir()
    (tmp_path / "tail" / "segment.arrow").write_bytes(b"of another kind")
    files(tmp_path)[1].write_bytes(b"damaged too")
    make(tmp_path)
    before = everything(tmp_path)
    for words in (["serve", "--port", "0"], ["serve", "--port", "0", "--read-only"], ["repair"], ["repair", "--yes"]):
        code, out, said = indelible(*words, "--data", str(tmp_path))
        assert (code, out, said.count("\n")) == (78, "", 1), words
        assert re.search(r"(layout|format) (2|unknown), this version reads (layout|format) 1: use the version that wrote it", said), said
        assert everything(tmp_path) == before


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Names, times and bytes of all below."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in (folder, *folder.rglob("*"))
    }
