"""Whatever is changed on the disk, over the wire or in an evidence file, somebody finds it and says where."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from zipfile import ZipFile

import exhibits
import paper
import pytest
import wire
import zipped
from disk import DISK, Tampering
from exhibits import LOGS, Exhibits
from forging import flipped, remade
from paper import Paper, contents, events, rewritten
from trails import files, frames_of, lines_in
from whole_service import assert_problem, serving
from wire import CHECKS, WIRE
from zipped import ZIPPED

from indelible.errors import Damaged, Malformed, Misconfigured, Unproven
from indelible.evidence.check import check
from indelible.signing.directory import read_identity
from indelible.tree.keys import NoteKey


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Exhibits:
    return exhibits.made(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="session")
def known(whole: Exhibits) -> list[NoteKey]:
    """The log's keys, as somebody got them elsewhere."""
    identity = read_identity(whole.data)
    assert identity
    return identity.public(exhibits.ORIGIN)


def started(data: Path) -> None:
    """A start as the service's: the journal read and folded, every tree held against what was signed of it."""

    async def main() -> None:
        async with serving(data, logs=LOGS):
            pass

    asyncio.run(main())


def names(table: list[Tampering]) -> list[str]:
    return [f"{each.what}: {each.how}" for each in table]


@pytest.mark.parametrize("tampering", DISK, ids=names(DISK))
def test_a_start_finds_what_was_done_to_the_files(tampering: Tampering, whole: Exhibits, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(whole.data, data)
    tampering.act(data)
    with pytest.raises((Damaged, Misconfigured)) as raised:
        started(data)
    assert tampering.says in raised.value.detail, raised.value.detail


def test_without_tampering_it_starts(whole: Exhibits, tmp_path: Path) -> None:
    shutil.copytree(whole.data, tmp_path / "data")
    started(tmp_path / "data")


def test_a_file_that_is_changed_under_a_running_service_is_found_where_it_is_read(whole: Exhibits, tmp_path: Path) -> None:
    """A page may still show the event; what proves it does not come, and the next start names the place."""
    data = tmp_path / "data"
    shutil.copytree(whole.data, data)

    async def main() -> None:
        async with serving(data, logs=LOGS) as web:
            assert (await web.get("/v1/logs/billing/entries")).status == 200
            path = files(data)[1]
            id = json.loads(lines_in(path, *frames_of(path)[1])[0])["id"]
            flipped(b"xxxx")(data)
            assert (await web.get(f"/v1/logs/billing/events/{id}")).status == 200
            for target in ("entries", "tile/entries/000.p/30", f"events/{id}?proof=1"):
                assert_problem(await web.get(f"/v1/logs/billing/{target}"), Damaged)

    asyncio.run(main())
    with pytest.raises(Damaged, match="checksum does not hold"):
        started(data)


def test_a_frame_that_stands_twice_changes_nothing(whole: Exhibits, tmp_path: Path) -> None:
    """With all checksums made anew its events are duplicates: the same ids with the same bytes are no entries."""
    data = tmp_path / "data"
    shutil.copytree(whole.data, data)
    remade(lambda held: held[1].insert(2, held[1][1]))(data)
    started(data)


@pytest.mark.parametrize("tampering", WIRE, ids=[f"{each.what}: {each.how}: {each.by}" for each in WIRE])
def test_whoever_asks_finds_what_was_done_to_an_answer(tampering: wire.Tampering, whole: Exhibits, known: list[NoteKey]) -> None:
    spoiled = tampering.act(whole)
    assert spoiled != whole
    with pytest.raises(Unproven) as raised:
        CHECKS[tampering.by](spoiled, known)
    assert tampering.says in raised.value.detail, raised.value.detail


@pytest.mark.parametrize("by", CHECKS)
def test_without_tampering_every_check_holds(by: str, whole: Exhibits, known: list[NoteKey]) -> None:
    CHECKS[by](whole, known)


def test_a_thief_of_the_key_is_found_by_whoever_kept_a_checkpoint(whole: Exhibits, known: list[NoteKey]) -> None:
    """Signatures and proofs of another history hold; that it is another one shows beside what was shown before."""
    found = read_identity(whole.data)
    assert found and found.keys[0].signing
    forked = wire.forked(whole, found.keys[0].signing.named(exhibits.ORIGIN))
    CHECKS["signature"](forked, known)
    with pytest.raises(Unproven, match="does not continue the one"):
        CHECKS["a checkpoint that was kept"](forked, known)


@pytest.fixture(scope="session")
def case_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paper.made(Paper(events(30)), tmp_path_factory.mktemp("case") / "case.zip", ("actor.id", "1"), complete=True)


@pytest.mark.parametrize("tampering", ZIPPED, ids=[f"{each.what}: {each.how}" for each in ZIPPED])
def test_a_check_finds_what_was_done_to_an_evidence_file(tampering: zipped.Tampering, case_file: Path, tmp_path: Path) -> None:
    path, before = tmp_path / "case.zip", contents(case_file)
    after = tampering.act(before)
    assert after != before
    if tampering.sums:
        rewritten(path, after)
    else:
        with ZipFile(path, "w") as opened:
            for name, text in after.items():
                opened.writestr(name, text)
    with pytest.raises(Unproven) as raised:
        check(path)
    assert tampering.says in raised.value.detail, raised.value.detail


def test_a_member_that_stands_twice_and_a_file_that_was_cut_are_refused(case_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "case.zip"
    shutil.copy(case_file, path)
    with ZipFile(path, "a") as opened, pytest.warns(UserWarning, match="Duplicate name"):
        opened.writestr("report.html", "another")
    with pytest.raises(Unproven, match="is in the file twice"):
        check(path)
    path.write_bytes(case_file.read_bytes()[: case_file.stat().st_size // 2])
    with pytest.raises(Malformed, match="cannot be read"):
        check(path)


def rows() -> list[str]:
    """The tables as docs/tamper.md has them."""
    disk = [f"|{each.what}|{each.how}|{each.says}|" for each in DISK]
    asked = [f"|{each.what}|{each.how}|{each.by}|{each.says}|" for each in WIRE]
    files = [f"|{each.what}|{each.how}{'' if each.sums else ', sums as they were'}|{each.says}|" for each in ZIPPED]
    return [*disk, *asked, *files]


def test_the_page_has_every_row_of_the_tables() -> None:
    page = Path(__file__).parents[2].joinpath("docs", "tamper.md").read_text().splitlines()
    heads = {at for at, line in enumerate(page[:-1]) if page[at + 1].startswith("|-")}
    assert [line for at, line in enumerate(page) if line.startswith("|") and line[1] != "-" and at not in heads] == rows()


def test_there_are_as_many_as_the_readme_says() -> None:
    assert len(DISK) + len(WIRE) + len(ZIPPED) > 100
    assert "over a hundred changes, each a test" in Path(__file__).parents[2].joinpath("README.md").read_text()
