"""docs/operations.md at 3 am: its commands run, and the names in it are the code's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from trails import files, flip, trail
from whole_service import Web, with_service

from indelible.cli.main import EXITS, indelible
from indelible.http.metrics import Metrics, fsck_text
from indelible.journal.port import Usage
from indelible.log.witnessing.standing import Report
from indelible.model.durations import Durations
from indelible.model.settings import BY_NAME

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"^(indelible .*)$|`(indelible [^`]*)`", PAGE, re.MULTILINE)))


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
    assert {word for word in words[1:] if word.startswith("--")} <= flags


def test_every_command_of_a_block_is_there_to_be_checked() -> None:
    lines = {line for heading in re.findall(r"^## (.*)$", PAGE, re.MULTILINE) for block in blocks(heading) for line in block.splitlines()}
    ours = {line for line in lines if line.startswith("indelible")}
    assert len(ours) > 5
    assert {line.split()[0] for line in lines - ours} <= {"df", "du", "tar", "mkdir", "cp", "touch"}


def sh(script: str, folder: Path) -> tuple[int, str]:
    """The script as somebody types it; `serve` is ended as soon as it is ready."""
    bin = folder / "bin"
    bin.mkdir(exist_ok=True)
    (bin / "stand_in.py").write_text(STAND_IN)
    (bin / "indelible").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{bin}/stand_in.py" "$@"\n')
    (bin / "indelible").chmod(0o755)
    names = {"DATA": "a trail", "BACKUP": "backup.tgz", "RESTORED": "restored", "NEWEST": "newest", "MOVED": "moved"}
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


def signed_trail(data: Path) -> bytes:
    """A directory in which a service has stored and signed something; the checkpoint that it showed last."""
    shown = []

    async def work(web: Web) -> None:
        await web.post(b'{"type":"t","source":"s"}')
        await web.service.publisher.tick()
        shown.append(web.service.publisher.shown("default").latest)

    with_service(data, work)
    return shown[0].note


def test_a_backup_is_restored_and_a_directory_moved_as_it_is_written(tmp_path: Path) -> None:
    data = tmp_path / "a trail"
    (tmp_path / "newest").write_bytes(signed_trail(data))
    said = ""
    for block in [*blocks("Disk full"), *blocks("Back up"), *blocks("Restore a backup"), *blocks("Move the data")]:
        code, one = sh(f"set -e\n{block}", tmp_path)
        assert code == 0, one
        assert "nothing is damaged" in one or "repair" not in block
        said += one
    assert [path.name for path in files(tmp_path / "restored")] == [path.name for path in files(tmp_path / "moved")]
    assert "nothing newer is known than" in said and not (tmp_path / "restored/signing/restored").exists()


def test_a_backup_whose_newest_checkpoint_nobody_has_goes_on_as_it_is_written(tmp_path: Path) -> None:
    signed_trail(tmp_path / "a trail")
    (back_up,) = blocks("Back up")
    unpack, _, anew, start = blocks("Restore a backup")
    for block in (back_up, unpack, anew, start):
        code, said = sh(f"set -e\n{block}", tmp_path)
        assert code == 0, said
        assert "goes on in generation 2" in said or block != anew


def test_the_metrics_to_alert_on_are_there() -> None:
    witness = Report("w", "", None, None, "", 0, 0.0, {}, {})
    text = Metrics().text(0, True, {"default": 0}, Durations(), Usage(1, 1, 1), [witness])
    text += fsck_text(0, 0, 1)
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
