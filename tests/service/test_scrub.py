"""The slow look at the journal while the server runs: what the disk lost is found, said once, and shown until it is gone."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from served import Server
from trails import MOMENT, Quick, files, flip, frames_of, line, mend, overwrite, trail
from whole_service import Web, assert_problem, with_service

from indelible.errors import Damaged
from indelible.formats.lines import Lines
from indelible.http.metrics import fsck_text
from indelible.http.scrub import MOST, Scrub
from indelible.journal.file import open_file_journal
from indelible.journal.frame import encode
from indelible.journal.port import Position
from indelible.journal.scan import Tape
from indelible.log.prepare import Terms, framed, prepare
from indelible.log.recorder import Recorder
from indelible.log.reread import EVENTS
from indelible.model.event import Limits

FAST = 1 << 40
LARGE = 1 << 20  # of a journal file: all that grows here is in one


@contextmanager
def looking(data: Path, *groups: list[bytes], rate: int = FAST) -> Iterator[Scrub]:
    """Of a service that has taken a frame of each group since its start."""
    journal = open_file_journal(data, file_size=LARGE, files=Quick())
    recorder = Recorder(journal)
    recorder.replay()

    async def grow() -> None:
        for lines in groups:
            text = b"".join(each + b"\n" for each in lines)
            await recorder.record(await prepare(Lines(text, lines, False), Terms("default", MOMENT, Limits(), key="k")))

    asyncio.run(grow())
    try:
        yield Scrub(recorder, journal, rate)
    finally:
        asyncio.run(journal.close())


def said(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    return [json.loads(each) for each in capsys.readouterr().err.splitlines()]


def test_a_sound_journal_gives_no_finding_whatever_became_of_its_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trail(tmp_path)
    flip(tmp_path)
    mend(tmp_path)  # begins another generation
    many = [line(number) for number in range(1000, 1000 + 5 * EVENTS)]
    again = [line(1000), line(1001).replace(b"xxx", b"yyy"), line(1001).replace(b"xxx", b"yyy"), b'{"type":"t","source":"s"}']
    with looking(tmp_path, many, again, [line(number) for number in range(2000, 2300)], many, again) as scrub:
        scrub.round()
        assert (scrub.findings, scrub.position) == ([], scrub._recorder.folded)
        assert scrub.finished
    assert said(capsys) == []


def test_what_the_disk_lost_is_named_said_once_and_forgotten_when_it_is_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trail(tmp_path)
    with looking(tmp_path) as scrub:
        first, second = files(tmp_path)[0], files(tmp_path)[2]
        whole = second.read_bytes()
        at, _ = frames_of(second)[1]
        flipped = [(first, frames_of(first)[2][1] - 9), (second, at + 50)]
        for path, offset in flipped:
            overwrite(path, offset, bytes([path.read_bytes()[offset] ^ 1]))
        scrub.round()
        scrub.round()
        assert [
            f"{first} is damaged at byte {frames_of_start(first, 2)}" in scrub.findings[0],
            f"{second} is damaged at byte {at}" in scrub.findings[1],
        ]
        assert len(scrub.findings) == 2
        assert [(each["event"], each["level"], each["detail"]) for each in said(capsys)] == [
            ("fsck", "error", each) for each in scrub.findings
        ]
        second.write_bytes(whole)
        scrub.round()
        assert len(scrub.findings) == 1
        second.unlink()
        scrub.round()
        assert any("is missing" in each for each in scrub.findings)


def frames_of_start(path: Path, number: int) -> int:
    """Where a frame begins, in a file of which a later one is damaged."""
    with Tape(Quick(), path) as tape:
        start = 0
        for _ in range(number):
            start = tape.frame(start).end
    return start


def test_a_history_that_is_written_anew_under_a_running_server_is_found(tmp_path: Path) -> None:
    with looking(tmp_path, [line(number) for number in range(3 * EVENTS)], [line(number) for number in range(1000, 1300)]) as scrub:
        (path,) = files(tmp_path)
        (start, _), (_, stop) = frames_of(path)
        with Tape(Quick(), path) as tape:
            first, second = tape.frame(start), tape.frame(frames_of(path)[1][0])
        lines = first.frame.text.replace(b"xxx", b"yyy", 1).splitlines()
        text, terms = b"".join(each + b"\n" for each in lines), Terms("default", MOMENT, Limits())
        made = asyncio.run(prepare(Lines(text, lines, False), terms, lambda size: first.frame.salts[:size]))
        forged = framed(terms, text, first.frame.salts, made.leaves, {})
        parts, prev = [], first.prev
        for found, frame in ((first, forged), (second, second.frame)):
            opened = ',"position":0,"after":null' if found is first else ""
            head, prev = encode(frame, prev, found.safe, opened)
            parts += [head, frame.text]
        assert len(b"".join(parts)) == stop
        overwrite(path, 0, b"".join(parts))
        scrub.round()
        (finding,) = scrub.findings
        assert "entries 0 to 255 of log 'default', which end here, are not those that were folded" in finding


def test_other_events_under_old_hashes_are_found(tmp_path: Path) -> None:
    with looking(tmp_path, [line(1), line(2)], [line(3)]) as scrub:
        (path,) = files(tmp_path)
        start, stop = frames_of(path)[1]
        with Tape(Quick(), path) as tape:
            found = tape.frame(start)
        head, _ = encode(structs.replace(found.frame, text=found.frame.text.replace(b"xxx", b"yyy")), found.prev, found.safe)
        overwrite(path, start, head + found.frame.text.replace(b"xxx", b"yyy"))
        assert frames_of(path)[1] == (start, stop)
        scrub.round()
        assert "holds other events than those that were hashed" in scrub.findings[0]


def test_what_a_request_met_counts_until_a_round_that_began_later_is_through(tmp_path: Path) -> None:
    trail(tmp_path)
    with looking(tmp_path) as scrub:
        scrub.tell("x is damaged")
        scrub.tell("x is damaged")
        assert scrub.findings == ["x is damaged"]
        looked = scrub._looked

        def met(stop: Position) -> Iterator[str]:
            scrub.tell("met behind the place that the round is at")
            yield from looked(stop)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(scrub, "_looked", met)
            scrub.round()
        assert scrub.findings == ["met behind the place that the round is at"]
        scrub.round()
        assert scrub.findings == []
        for number in range(MOST + 5):
            scrub.tell(f"{number}")
        assert len(scrub.findings) == MOST
        scrub._stopping.set()
        scrub.round()
        assert len(scrub.findings) == MOST


def test_a_read_that_met_damage_is_in_the_status_and_the_gauges(tmp_path: Path) -> None:
    trail(tmp_path)

    async def work(web: Web) -> None:
        service = replace(web.service, scrub=Scrub(web.service.recorder, web.service.journal, FAST))
        shown = Web(service)
        assert (await shown.get("/v1/status")).json["fsck"]["findings"] == []
        path = files(tmp_path)[1]
        at = path.read_bytes().index(b"xxxx", frames_of(path)[1][0])
        overwrite(path, at, b"y")
        for _ in range(2):
            assert_problem(await shown.get("/v1/logs/default/entries"), Damaged)
        [finding] = (await shown.get("/v1/status")).json["fsck"]["findings"]
        assert f"{path} is damaged at byte" in finding
        assert b"indelible_fsck_errors 1\n" in (await shown.get("/metrics")).body
        assert service.scrub
        service.scrub.round()
        assert (await shown.get("/v1/status")).json["fsck"]["findings"] == [finding]

    with_service(tmp_path, work)


class Third(threading.Event):
    """Somebody stops it while it waits for the third time."""

    waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waits += 1
        if self.waits == 3:
            self.set()
        return self.is_set()


def test_a_round_that_was_stopped_is_no_round(tmp_path: Path) -> None:
    trail(tmp_path)
    with looking(tmp_path) as scrub:
        scrub._found, scrub._stopping = ["before"], Third()
        scrub.round()
        assert (scrub.findings, scrub.finished) == (["before"], None)
        assert 0 < scrub.position < 10


def test_an_error_of_ours_ends_a_round_and_not_the_looking(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trail(tmp_path)
    with looking(tmp_path) as scrub:
        monkeypatch.setattr(scrub, "round", lambda: 1 // 0)
        scrub._stopping = Third()
        scrub._rounds()
    assert [(each["event"], each["error"]) for each in said(capsys)] == [("fsck-failed", "ZeroDivisionError")] * 2


def test_nobody_looks_where_the_rate_is_0(tmp_path: Path) -> None:
    trail(tmp_path)
    with looking(tmp_path, rate=0) as scrub:
        asyncio.run(scrub.run())
        assert not scrub._stopping.is_set()


def test_the_gauges_are_told() -> None:
    text = fsck_text(7, 2, 1_700_000_000)
    assert "indelible_fsck_position 7\n" in text
    assert "indelible_fsck_errors 2\n" in text
    assert "indelible_fsck_finished_seconds 1700000000\n" in text


def test_a_real_server_says_how_far_it_is_and_stops_at_once(tmp_path: Path) -> None:
    service = Server(tmp_path / "trail", INDELIBLE_FSCK_RATE="4 KiB")
    service.start()
    try:
        assert service.get("/v1/status")[1]["fsck"] == {"position": 0, "findings": [], "finished": None}
        assert b"indelible_fsck_errors 0\n" in service.read("/metrics")[1]
    finally:
        status, _ = service.stop()
    assert status == 0
