"""A disk that is full, fails, or is taken away: what a client is told, what the process does, and that every receipt holds."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import unreliable
from journal_disk import frame
from kills import Trail
from seeds import drawn
from served import server
from unreliable import Rule, Unreliable, variables

from indelible import config
from indelible.errors import IndelibleError, JournalFailed, JournalFull
from indelible.journal import timed
from indelible.journal.file import FileJournal, open_file_journal
from indelible.journal.port import Frame

SIZE = 2048

FATAL: list[tuple[str, str, str, str]] = [  # operation, kind, when, error: nobody knows what the disk holds, or it takes no more
    ("fdatasync", "file", "before", "EIO"),
    ("fdatasync", "file", "after", "EIO"),
    ("pwrite", "file", "half", "EIO"),
    ("pwrite", "file", "after", "EIO"),
    ("pwrite", "file", "before", "EROFS"),
    ("create", "spare", "before", "EACCES"),
    ("rename", "spare", "after", "EIO"),
]


def test_a_write_of_unknown_outcome_ends_the_process_with_74_and_one_line(tmp_path: Path) -> None:
    random = drawn("disk faults")
    with Trail(tmp_path) as trail:
        trail.life(random, None)
        for operation, kind, when, what in FATAL:
            nth = random.randrange(2, 20) if kind == "file" else 1
            rule = Rule(what, operation, kind, when, nth)
            assert trail.life(random, rule), rule
        trail.end()


@pytest.mark.parametrize("what", ["ENOSPC", "EDQUOT"])
def test_a_full_disk_is_refused_with_507_read_on_and_written_again_once_there_is_room(tmp_path: Path, what: str) -> None:
    flag = tmp_path / "full"
    rules = [Rule(what, operation, "spare", when, flag=str(flag)) for operation, when in (("create", "before"), ("pwrite", "half"))]
    given = variables(rules[what == "ENOSPC"])
    with server(tmp_path / "data", unreliable.COMMAND, INDELIBLE_JOURNAL_FILE_SIZE="1 MiB", **given) as service:
        flag.touch()
        stored = 0
        for number in range(200):
            status, answer = service.post(batch(number))
            if status != 201:
                break
            stored += 100
        assert (status, answer["type"]) == (507, "/problems/disk-full")
        assert stored and service.post(batch(number))[0] == 507
        assert service.get("/v1/count") == (200, {"count": stored, "complete": True})
        assert service.get("/v1/events/0-99")[0] == 200
        flag.unlink()
        status, answer = service.post(batch(number))
        assert (status, answer["receipts"][0]["index"]) == (201, stored)
        assert service.get("/v1/count")[1] == {"count": stored + 100, "complete": True}
        assert service.stop()[0] == 0
        service.start()
        assert service.get("/v1/count")[1] == {"count": stored + 100, "complete": True}


def batch(number: int) -> list[bytes]:
    return [b'{"id":"%d-%d","type":"t","source":"s","data":"%b"}' % (number, place, b"x" * 1000) for place in range(100)]


@pytest.mark.parametrize(("what", "operation"), [("EIO", "pread"), ("EACCES", "open")])
def test_what_the_disk_does_not_give_is_a_500_and_the_process_goes_on(tmp_path: Path, what: str, operation: str) -> None:
    flag = tmp_path / "unreadable"
    first, second = ([b'{"id":"%d","type":"t","source":"s"}' % number] for number in (1, 2))
    given = variables(Rule(what, operation, "file", flag=str(flag)))
    with server(tmp_path / "data", unreliable.COMMAND, **given) as service:
        assert service.post(first)[0] == 201
        assert service.get("/v1/count")[0] == 200
        flag.touch()
        assert refused(service.get("/v1/events/1"))
        assert service.get("/v1/count") == (200, {"count": 1, "complete": True})  # what is loaded needs no look at the journal
        assert service.post(second)[0] == 201
        assert refused(service.get("/v1/count"))
        assert [service.get(f"/readyz?for={what}")[0] for what in ("read", "write")] == [503, 200]
        flag.unlink()
        assert service.get("/v1/count") == (200, {"count": 2, "complete": True})
        assert [service.get(f"/v1/events/{id}")[0] for id in (1, 2)] == [200, 200]
        assert service.get("/readyz")[0] == 200
        flag.touch()
        if operation == "open":  # the file is open by now, and whoever has it open may read it
            assert service.get("/v1/events/1")[0] == 200
            return
        status, answer = service.post(first)  # a known id is settled by a look at the journal
        assert (status, answer["type"]) == (503, "/problems/journal-failed")
        status, said = service.reap()
        assert (status, said.splitlines()[-1].startswith("indelible: ")) == (74, True)
        flag.unlink()
        service.start()
        assert service.post(first)[1]["duplicates"] == 1
        assert service.get("/v1/count")[1] == {"count": 2, "complete": True}


def refused(answer: tuple[int, Any]) -> bool:
    return (answer[0], answer[1]["type"], answer[1]["detail"]) == (500, "/problems/damaged", "the server's log says more")


def frames(journal: FileJournal) -> list[Frame]:
    return [placed.frame for placed in journal.reader().frames(journal.first, journal.end.position)]


def found(data: Path) -> list[Frame]:
    journal = open_file_journal(data, file_size=SIZE)
    try:
        return frames(journal)
    finally:
        asyncio.run(journal.close())


@pytest.mark.parametrize("what", ["ENOSPC", "EDQUOT"])
@pytest.mark.parametrize("when", ["before", "half", "after"])
@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        *(("create", "spare"), ("pwrite", "spare"), ("fsync", "spare"), ("rename", "spare"), ("pwrite", "file")),
        *(("create", "reserve"), ("pwrite", "reserve"), ("fsync", "reserve")),
    ],
)
def test_no_room_at_any_step_of_writing_refuses_and_passes(tmp_path: Path, operation: str, kind: str, when: str, what: str) -> None:
    """Once for a while and at once for all that is in flight; what was acknowledged is there, and what was refused is not."""
    rule = Rule(what, operation, kind, when, times=1 if kind == "file" else 1 << 60)

    async def go() -> list[Frame]:
        files = Unreliable([])
        journal = open_file_journal(tmp_path, file_size=SIZE, reserve=500, files=files)
        kept = [frame(1, size=300)]
        await journal.append(kept[0])
        (tmp_path / "journal" / "reserve").unlink()
        files.rules.append(rule)
        refused = False
        try:
            for seed in range(2, 40):
                await journal.append(frame(seed, size=300))
                kept.append(frame(seed, size=300))
        except JournalFull:
            refused = True
        assert refused
        assert frames(journal) == kept
        files.rules.clear()
        try:
            await journal.append(frame(50, size=300))
            kept.append(frame(50, size=300))
        except JournalFailed:  # the spare has its new name already, so it is not found under the old one
            assert (operation, when) == ("rename", "after")
        await journal.close()
        return kept

    assert asyncio.run(go()) == found(tmp_path)


UNWILLING = [  # operation, kind, when, error; exit code, words
    ("open", "lock", "before", "EROFS", 78, "(flag --data)"),
    ("open", "lock", "before", "EACCES", 78, "let this process write there"),
    ("open", "file", "before", "EACCES", 78, "let this process write there"),
    ("create", "renewed", "before", "EACCES", 78, "Permission denied"),
    ("create", "renewed", "before", "EROFS", 78, "Read-only file system"),
    ("create", "renewed", "before", "ENOSPC", 75, "make space and start again"),
    ("pwrite", "renewed", "half", "ENOSPC", 75, "make space and start again"),
    ("pwrite", "renewed", "after", "EDQUOT", 75, "make space and start again"),
    ("fsync", "renewed", "after", "ENOSPC", 75, "make space and start again"),
    ("rename", "renewed", "before", "ENOSPC", 75, "make space and start again"),
    ("pwrite", "renewed", "before", "EIO", 74, "Input/output error"),
    ("fsync", "renewed", "before", "EIO", 74, "Input/output error"),
    ("fsync", "renewed", "after", "EIO", 74, "Input/output error"),
    ("rename", "renewed", "after", "EIO", 74, "Input/output error"),
    ("fsync", "directory", "before", "EIO", 74, "Input/output error"),
    ("fsync", "directory", "after", "EIO", 74, "Input/output error"),
    ("open", "lock", "before", "EIO", 74, "Input/output error"),
    ("pread", "file", "before", "EIO", 65, "indelible repair"),
]


@pytest.mark.parametrize(("operation", "kind", "when", "what", "code", "words"), UNWILLING)
def test_a_start_that_cannot_be_says_why_in_one_line_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str, kind: str, when: str, what: str, code: int, words: str
) -> None:
    async def fill() -> None:
        journal = open_file_journal(tmp_path, file_size=SIZE)
        for seed in range(9):
            await journal.append(frame(seed, size=300))
        await journal.close()

    asyncio.run(fill())
    files = Unreliable([Rule(what, operation, kind, when)])
    with monkeypatch.context() as patched:
        patched.setattr(timed, "Timed", lambda: files)
        patched.setattr(os, "open", files.opening(os.open))
        settings = config.load({"data": str(tmp_path)}, {})
        with pytest.raises(IndelibleError) as error:
            config.compose(settings, lambda done, total: None)
    assert error.value.exit_code == code, error.value
    assert words in error.value.detail and "\n" not in error.value.detail
    assert str(tmp_path) in error.value.detail
    assert found(tmp_path) == [frame(seed, size=300) for seed in range(9)]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("operation", "kind"), [("create", "file"), ("create", "manifest"), ("pwrite", "manifest"), ("rename", "manifest")]
)
def test_a_first_start_without_room_can_be_made_again(tmp_path: Path, operation: str, kind: str, when: str) -> None:
    with suppress(JournalFull):  # not where the second try, with the reserve's space, found the first one's work
        asyncio.run(open_file_journal(tmp_path, file_size=SIZE, files=Unreliable([Rule("ENOSPC", operation, kind, when)])).close())
    assert found(tmp_path) == []
