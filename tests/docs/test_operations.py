"""docs/operations.md at 3 am: its commands run, and the names in it are the code's."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from served import server
from trails import files, flip, trail

from indelible.cli.main import EXITS, indelible, run
from indelible.http.metrics import Metrics, checkpoints_text, fsck_text
from indelible.journal.port import Usage
from indelible.log.witnessing.standing import Report
from indelible.model.durations import Durations
from indelible.model.settings import BY_NAME
from indelible.tree.checkpoint import parse_checkpoint
from indelible.tree.note import parse_note

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"^(indelible .*)$|`(indelible [^`]*)`", PAGE, re.MULTILINE)))


JSON = {"Content-Type": "application/json"}
STAND_IN = """
import json, subprocess, sys
command = [sys.executable, "-m", "indelible", *sys.argv[1:]]
if sys.argv[1] != "serve":
    sys.exit(subprocess.run(command).returncode)
process = subprocess.Popen([*command, "--port", "0"], stderr=subprocess.PIPE, text=True)
for line in process.stderr:
    sys.stderr.write(line)
    if line.startswith("{") and json.loads(line)["event"] == "ready":
        process.terminate()
sys.exit(process.wait())
"""


def section(heading: str) -> str:
    found = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert found, heading
    return found


def blocks(heading: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", section(heading), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("line", sorted({one or other for one, other in COMMANDS}))
def test_every_command_of_ours_exists_with_its_flags(line: str) -> None:
    words = [word.strip('"') for word in line.split()[1:]]
    with click.Context(indelible) as ctx:
        command = indelible.get_command(ctx, words[0])
    assert command, line
    flags = {flag for parameter in command.params for flag in parameter.opts}
    if isinstance(command, click.Group):
        command = command.commands[words[1]]
        flags = {flag for parameter in command.params for flag in parameter.opts}
    assert {word for word in words[1:] if word.startswith("--")} <= flags


def test_every_command_of_a_block_is_there_to_be_checked() -> None:
    lines = {line for heading in re.findall(r"^## (.*)$", PAGE, re.MULTILINE) for block in blocks(heading) for line in block.splitlines()}
    ours = {line for line in lines if line.startswith("indelible")}
    assert len(ours) > 5
    assert {line.split()[0] for line in lines - ours} <= {"df", "du", "tar", "mkdir", "cp", "mv", "touch"}


def sh(script: str, folder: Path) -> tuple[int, str]:
    """The script as somebody types it; `serve` is ended as soon as it is ready."""
    bin = folder / "bin"
    bin.mkdir(exist_ok=True)
    (bin / "stand_in.py").write_text(STAND_IN)
    (bin / "indelible").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{bin}/stand_in.py" "$@"\n')
    (bin / "indelible").chmod(0o755)
    names = {"DATA": "a trail", "BACKUP": "backup.tgz", "RESTORED": "restored", "MOVED": "moved", "CHECKPOINT": "a note", "LOST": "lost"}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("INDELIBLE_")}
    environ = {**clean, "PATH": f"{bin}:{os.environ['PATH']}", **{name: str(folder / path) for name, path in names.items()}}
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, env=environ, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_the_way_out_of_damage_is_as_it_is_written(tmp_path: Path) -> None:
    trail(tmp_path / "a trail")
    flip(tmp_path / "a trail")
    read, look, mend = blocks("Damage")
    assert sh(blocks("The disk failed")[0], tmp_path)[0] == 65
    code, said = sh(read, tmp_path)
    assert code == 0 and '"complete":false' in said and '"event":"damaged"' in said
    code, said = sh(look, tmp_path)
    assert code == 65 and "acknowledged events are lost" in said
    code, said = sh(mend, tmp_path)
    assert code == 0 and '"event":"ready"' in said
    assert list((tmp_path / "a trail" / "damaged").glob("*/note.json"))
    assert "note.json" in section("Damage") and "damaged/<time>/" in section("Damage")


def test_room_is_looked_at_and_a_directory_moved_as_it_is_written(tmp_path: Path) -> None:
    data = tmp_path / "a trail"
    trail(data)
    names = [path.name for path in files(data)]
    for block in [*blocks("Disk full"), *blocks("Move the data")]:
        works(block, tmp_path)
    assert [path.name for path in files(tmp_path / "moved")][: len(names)] == names


def works(block: str, folder: Path) -> str:
    """What it prints. Every command of it ends well."""
    code, said = sh(f"set -e\n{block}", folder)
    assert code == 0, said
    assert "nothing is damaged" in said or "repair" not in block
    return said


def grown(data: Path, ids: str, checkpoints: list[bytes]) -> tuple[str, bytes]:
    """Events of a server on `data`, under a checkpoint: the log's key then, and the checkpoint. All that it shows joins `checkpoints`."""
    with server(data) as service:
        checkpoints.append(service.read("/v1/logs/default/checkpoint")[1])
        for id in ids:
            assert service.ask("POST", "/v1/events?ack=proven", b'{"id":"%b","type":"t","source":"s"}' % id.encode(), JSON)[0] == 201
            checkpoints.append(service.read("/v1/logs/default/checkpoint")[1])
        return service.read("/v1/logs/default/vkey")[1].decode().strip(), checkpoints[-1]


def roots(checkpoints: list[bytes]) -> dict[tuple[str, int], set[bytes]]:
    """By log and size, under which roots it was shown."""
    found: dict[tuple[str, int], set[bytes]] = {}
    for note in checkpoints:
        if not note.startswith(b"{"):  # a problem: there was none yet
            each = parse_checkpoint(parse_note(note).text)
            found.setdefault((each.origin, each.size), set()).add(each.root)
    return found


@pytest.mark.parametrize("others_have_more", [False, True])
def test_a_backup_is_restored_as_it_is_written_and_no_log_has_two_histories(tmp_path: Path, others_have_more: bool) -> None:
    data, shown = tmp_path / "a trail", list[bytes]()
    first, newest = grown(data, "abc", shown)
    works(blocks("Back up")[0], tmp_path)
    if others_have_more:
        _, newest = grown(data, "def", shown)
    assert run(["verify", str(data), "--key", first, "--state", str(tmp_path / "state")]) == 0
    (tmp_path / "a note").write_bytes(newest)
    note = json.loads((tmp_path / "state").read_text())["logs"][first.split("+")[0]][-1]["note"]
    assert note.encode() == newest  # what the page says that verified.json holds
    unpack, confirm, begin, serve = blocks("Restore a backup")
    works(unpack, tmp_path)
    said = works(serve, tmp_path)
    assert '"event":"signing-halted"' in said and "indelible adopt --data" in said
    if others_have_more:
        code, said = sh(confirm, tmp_path)
        assert code == 65 and "others have seen 6 entries" in said and "--new-generation" in said
        works(begin, tmp_path)
    else:
        works(confirm, tmp_path)
    assert "signing-halted" not in works(serve, tmp_path)
    key, _ = grown(tmp_path / "restored", "xyz", shown)
    assert key.split("+")[0].endswith("/g2") == others_have_more
    assert all(len(each) == 1 for each in roots(shown).values())
    assert run(["verify", str(tmp_path / "restored"), "--key", first, "--key", key, "--state", str(tmp_path / "fresh")]) == 0


def test_without_the_mark_a_backup_makes_a_second_history(tmp_path: Path) -> None:
    """What the page warns of, and what the test above would see."""
    data, shown = tmp_path / "a trail", list[bytes]()
    grown(data, "abc", shown)
    works(blocks("Back up")[0], tmp_path)
    grown(data, "def", shown)
    works(blocks("Restore a backup")[0], tmp_path)
    (tmp_path / "restored" / "signing" / "restored").unlink()
    grown(tmp_path / "restored", "xyz", shown)
    assert any(len(each) == 2 for each in roots(shown).values())


def test_each_way_to_sign_again_is_as_it_is_written(tmp_path: Path) -> None:
    data, shown = tmp_path / "a trail", list[bytes]()
    confirm, begin, anew, rotate, at_once = blocks("Signatures and keys")
    start = blocks("The disk failed")[0]
    key, newest = grown(data, "abc", shown)
    (tmp_path / "a note").write_bytes(newest)
    for way in (confirm, begin):
        (data / "signing" / "checkpoints").unlink()
        code, said = sh(start, tmp_path)
        assert code == 65 and f"{data}/signing/checkpoints: the file is missing" in said
        works(way, tmp_path)
        works(start, tmp_path)
    shutil.rmtree(data / "signing")
    (data / "signing").mkdir()
    code, said = sh(start, tmp_path)
    assert code == 65 and "indelible keys make" in said and "keys.json is missing" in said
    works(anew, tmp_path)
    for way in (rotate, at_once):
        assert works(way, tmp_path).count("signs since") == (2 if way == rotate else 1)
    after, _ = grown(data, "d", shown)
    assert after.split("+")[0].partition("/")[0] != key.split("+")[0].partition("/")[0]
    assert all(len(each) == 1 for each in roots(shown).values())


def test_the_metrics_to_alert_on_are_there() -> None:
    witness = Report("w", "", None, None, "", 0, 0.0, {}, {})
    text = Metrics().text(0, True, {"default": 0}, Durations(), Usage(1, 1, 1), [witness])
    text += fsck_text(0, 0, 1) + checkpoints_text(0, 0, {}, False)
    for name in re.findall(r"^\|`(\w+(?:{[^}]*})?)`\|", section("What to alert on"), re.MULTILINE):
        assert re.search(rf"^{re.escape(name.rstrip('}'))}", text, re.MULTILINE), name


def test_the_table_of_events_has_each_that_the_code_says_and_no_other() -> None:
    code = "".join(path.read_text() for path in (ROOT / "src" / "indelible" / "http").rglob("*.py"))
    said = set(re.findall(r'(?:say|Progress)\(\s*"([a-z-]+)"', code))
    rows = re.findall(r"^\|(`[a-z`, -]+`)\|", section("Logs"), re.MULTILINE)
    told = {name for row in rows for name in re.findall("`([a-z-]+)`", row)}
    assert told - {"event"} == said


def test_the_exit_codes_settings_and_links_in_it_exist() -> None:
    codes = {int(code) for code in re.findall(r"[Ee]xit (?:status )?\**(\d+)|ended with \**(\d+)", PAGE) for code in code if code}
    assert codes and codes <= set(EXITS)
    assert {"in_flight", "read_only"} <= set(BY_NAME)
    headings = {re.sub(r"[^a-z -]", "", each.lower()).replace(" ", "-") for each in re.findall(r"^## (.*)$", PAGE, re.MULTILINE)}
    for page, anchor in re.findall(r"\]\(([\w.-]*)#([\w-]+)\)", PAGE):
        text = (ROOT / "docs" / page).read_text() if page else PAGE
        found = {re.sub(r"[^a-z -]", "", each.lower()).replace(" ", "-") for each in re.findall(r"^## (.*)$", text, re.MULTILINE)}
        assert anchor in found, (page, anchor)
    assert "first-look" in headings
