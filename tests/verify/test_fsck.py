"""`indelible fsck`: each part of a data directory against the others, all findings at once, each with what helps."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import click
import pyarrow as pa
import pytest
from journal_disk import killed
from served import server
from trails import (
    HARMLESS,
    LOSSES,
    MOMENT,
    Harm,
    contents,
    files,
    frames_of,
    harm_two,
    line,
    mend,
    overwrite,
    trail,
)
from verify_support import life, sign

from indelible.cli.main import indelible, run
from indelible.config import load
from indelible.errors import Damaged
from indelible.fsck import Report, fsck
from indelible.signing.directory import read_identity
from indelible.signing.ledger import encoded
from indelible.tree.checkpoint import Checkpoint, sign_checkpoint
from indelible.tree.merkle import Hash


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "trail"
    trail(data)
    sign(data)
    return data


def details(report: Report) -> str:
    return "\n".join(f"{wrong.detail}; {wrong.help}" for wrong in report.wrong)


def works(report: Report) -> list[list[str]]:
    """The words of each command that a finding names, each of which the command line takes."""
    found = []
    for named in re.findall(r"`indelible ([^`]*)`", details(report)):
        name, *words = shlex.split(named)
        with click.Context(indelible) as ctx:
            command = indelible.get_command(ctx, name)
        assert command
        command.make_context(name, [each.replace("FILE", __file__) for each in words])
        if [name, *words] not in found:
            found.append([name, *words])
    return found


def test_a_sound_directory_has_nothing_wrong_and_is_left_as_it_is(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    life(data, [([line(3), line(3).replace(b"xxx", b"yyy")], True)])
    before = contents(data)
    capsys.readouterr()
    assert run(["fsck", "--data", str(data)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "journal: 37 frames with 71 events are whole, in logs billing, default",
        "keys: 1 of trail.example, private and public halves belong together",
        "checkpoints: 3 of 2 trees",
        "tree: billing 36 entries, default 35 entries",
        "rows: none are loaded",
        "nothing is wrong",
    ]
    assert contents(data) == before


@pytest.mark.parametrize("harm", [*LOSSES, *HARMLESS], ids=lambda harm: harm.__name__)
def test_each_damage_of_the_journal_is_a_finding_with_the_command_that_helps(
    harm: Harm, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harm(data)
    before = contents(data)
    assert run(["fsck", "--data", str(data)]) == 65
    said = capsys.readouterr().out
    assert f"wrong: {data}" in said or "wrong: tree: " in said
    assert re.search(r"\n(1 thing is|[2-9] things are) wrong\n$", said)
    assert contents(data) == before


def test_all_damages_are_found_not_only_the_first(data: Path) -> None:
    harm_two(data)
    (data / "signing/keys.json").chmod(0o644)
    report = fsck(data)
    paths = [str(path) for path in files(data)]
    assert sum(any(wrong.detail.startswith(path) for path in paths) for wrong in report.wrong) >= 2
    assert f"`indelible repair --data {data}`" in details(report)
    assert "`chmod 600 " in details(report)


def test_checkpoints_that_nobody_here_signed_are_found(data: Path) -> None:
    other = data.parent / "other"
    trail(other)
    sign(other)
    shutil.copy(other / "signing/checkpoints", data / "signing/checkpoints")
    report = fsck(data)
    assert "not signed by" in details(report) or "has not signed" in details(report)
    assert works(report) == [["adopt", "--data", str(data), "--checkpoint", "FILE"], ["adopt", "--data", str(data), "--new-generation"]]


def test_missing_keys_and_checkpoints_are_found(data: Path) -> None:
    (data / "signing/checkpoints").unlink()
    assert "the file is missing" in details(fsck(data))
    (data / "signing/keys.json").write_bytes(b"{}")
    assert "keys: " in details(fsck(data))


def test_lost_keys_are_told_as_the_start_tells_them_and_nothing_is_guessed_without_them(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "signing/keys.json").unlink()
    for left in ("there are checkpoints that were signed", "the journal holds 69 events"):
        (wrong,) = fsck(data).wrong
        assert wrong.detail.startswith(
            f"keys: {data / 'signing/keys.json'} is missing, and {left}: put {data / 'signing'} back from a backup"
        )
        assert works(fsck(data)) == [["keys", "make", "--data", str(data)]]
        assert "tree, checkpoints, rows: not compared, for the above" in fsck(data).looked
        with pytest.raises(Damaged) as raised:
            sign(data)
        assert f"keys: {raised.value.detail}" == wrong.detail
        capsys.readouterr()
        assert run(["verify", str(data), "--state", str(data.parent / "state")]) == 65
        assert raised.value.detail in capsys.readouterr().err
        shutil.rmtree(data / "signing", ignore_errors=True)


def test_a_journal_that_is_gone_is_told_where_something_was_signed(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(data / "journal")
    (wrong,) = fsck(data).wrong
    assert wrong.detail.startswith(f"{data / 'journal'} is missing")
    assert ["adopt", "--data", str(data), "--new-generation"] in works(fsck(data))
    named = ["--data", str(data)]
    for words in (["repair", *named], ["repair", "--yes", *named], ["verify", str(data), "--state", str(data.parent / "state")]):
        capsys.readouterr()
        assert run(words) == 65
        assert wrong.detail in capsys.readouterr().err


def test_what_the_start_refuses_for_its_signatures_repair_names_too(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The journal is whole: no frame is damaged, and the last one that was signed is gone, or what was signed is."""

    def shortened() -> None:
        killed(data)
        last = files(data)[-1]
        start, _ = frames_of(last)[-1]
        overwrite(last, start, bytes(last.stat().st_size - start))

    checkpoints = data / "signing/checkpoints"
    whole = shutil.copytree(data, data.parent / "whole")
    for harm in (shortened, checkpoints.unlink, lambda: checkpoints.write_bytes(b""), (data / "signing/keys.json").unlink):
        harm()
        before = contents(data)
        for words in ([], ["--yes"]):
            assert run(["repair", "--data", str(data), *words]) == 65
            said = capsys.readouterr().out
            assert "nothing is damaged" in said and "journal and signatures do not fit: " in said
        assert contents(data) == before
        assert len(fsck(data).wrong) == 1
        with pytest.raises(Damaged) as raised:
            sign(data)
        assert raised.value.detail in said
        shutil.rmtree(data)
        shutil.copytree(whole, data)
    assert run(["repair", "--data", str(data)]) == 0
    assert "signatures" not in capsys.readouterr().out


def test_a_tree_that_was_signed_and_that_the_journal_never_began_is_found_as_the_start_finds_it(data: Path) -> None:
    """A ledger of the whole chain that names a tree which the journal has no beginning of."""
    sign_as(data, "trail.example/default/g2")
    report = fsck(data)
    with pytest.raises(Damaged) as raised:
        sign(data)
    assert "trail.example/default/g2" in raised.value.detail
    assert report.wrong and "trail.example/default/g2" in details(report)


def sign_as(data: Path, origin: str) -> None:
    """A checkpoint under a name that nothing in the journal has begun."""
    identity = read_identity(data)
    assert identity
    note = sign_checkpoint(Checkpoint(origin, 1, Hash(bytes(32))), identity.signers(origin, MOMENT))
    with (data / "signing/checkpoints").open("ab") as file:
        file.write(encoded([note]))


def test_a_tree_that_is_shorter_than_was_signed_is_found(data: Path) -> None:
    killed(data)
    last = files(data)[-1]
    start, _ = frames_of(last)[-1]
    overwrite(last, start, bytes(last.stat().st_size - start))
    report = fsck(data)
    assert "stand under the root in line 2 of" in details(report)
    assert works(report) == [["adopt", "--data", str(data), "--checkpoint", "FILE"], ["adopt", "--data", str(data), "--new-generation"]]
    assert "put a backup back" in report.wrong[0].help


def test_a_last_frame_that_is_gone_after_a_clean_stop_is_found_without_any_signature(data: Path) -> None:
    last = files(data)[-1]
    start, end = frames_of(last)[-1]
    overwrite(last, start, bytes(end - start))
    report = fsck(data)
    assert f"{last}, bytes {start} to {end}: " in details(report)
    assert "`indelible repair --data" in report.wrong[0].help


@pytest.mark.parametrize("harm", LOSSES, ids=lambda harm: harm.__name__)
def test_what_a_repair_has_declared_lost_is_told_and_is_nothing_wrong(harm: Harm, data: Path) -> None:
    """Even if nothing is left of the tree that was signed, nor of its log."""
    harm(data)
    mend(data)
    report = fsck(data)
    assert report.wrong == []
    assert any("says that the others are lost" in line for line in report.looked)


def test_what_was_signed_and_no_repair_knows_of_stays_wrong(data: Path) -> None:
    """No mark of the journal says that these frames were durable; that their tree was signed does."""
    killed(data)
    last = files(data)[-1]
    start, _ = frames_of(last)[-1]
    overwrite(last, start + 40, b"????")
    assert mend(data).gaps == []
    assert "stand under the root" in details(fsck(data))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a directory whose server had loaded rows, and ran on."""
    folder = tmp_path_factory.mktemp("rows")
    with server(folder / "live") as service:
        for first in range(0, 6000, 3000):
            service.post([line(number) for number in range(first, first + 3000)])
            service.post([line(first), line(first).replace(b"xxx", b"yyy")])
            assert service.get("/v1/count")[1]["complete"]
        assert fsck(folder / "live").wrong == []
        shutil.copytree(folder / "live", folder / "copy")
    return folder / "copy"


def swapped(column: str) -> Callable[[Path], None]:
    """Two values of a column in each other's place, in a file that is whole."""

    def change(path: Path) -> None:
        with pa.OSFile(str(path)) as file:
            batch = pa.ipc.open_file(file).get_batch(0)
        at = batch.schema.get_field_index(column)
        values = batch.column(at).to_pylist()
        other = next(row for row, value in enumerate(values) if value != values[0])
        values[0], values[other] = values[other], values[0]
        kind = batch.schema.field(at).type
        columns = [*batch.columns]
        columns[at] = pa.array(values, pa.string()).dictionary_encode() if pa.types.is_dictionary(kind) else pa.array(values, kind)
        made = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, made.schema) as writer:
            writer.write_batch(made)

    return change


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def shortened(path: Path) -> None:
    with pa.OSFile(str(path)) as file:
        batch = pa.ipc.open_file(file).get_batch(0).slice(1)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)


ROWS = {**{name: swapped(name) for name in ("index", "id", "source", "offset")}, "cut": cut, "a row less": shortened}


@pytest.mark.parametrize("what", ROWS)
def test_rows_that_are_not_the_journals_are_found(what: str, loaded: Path, tmp_path: Path) -> None:
    data = tmp_path / "trail"
    shutil.copytree(loaded, data)
    report = fsck(data)
    assert report.wrong == []
    assert any(line.startswith("rows: 6,0") for line in report.looked)
    victim = sorted((data / "tail").glob("*.arrow"))[0]
    ROWS[what](victim)
    (wrong,) = fsck(data).wrong
    assert wrong.detail.startswith(f"rows: {victim}: ")
    assert f"`indelible serve --data {data}`: it loads them anew from the journal" in wrong.help


def test_what_is_no_data_directory_is_said(tmp_path: Path) -> None:
    assert run(["fsck", "--data", str(tmp_path / "nothing")]) == 78
    assert load({}, {}).fsck_rate == 1 << 20
