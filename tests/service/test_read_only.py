"""`serve --read-only`: it starts over anything, changes nothing, and says of each answer whether it is all that there is."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from journal_disk import killed
from served import Server, server
from trails import HARMLESS, LOSSES, Harm, files, forged_trail, frames_of, mend, overwrite, trail
from whole_service import Web, assert_problem

from indelible import config
from indelible.errors import Misconfigured, NotFound, ReadOnly, Replaced
from indelible.formats import split
from indelible.journal.file import open_file_journal
from indelible.log.prepare import Terms, prepare
from indelible.log.recorder import Recorder
from indelible.model.event import Limits

LOGS = ("billing", "default")


@asynccontextmanager
async def reading(data: Path) -> AsyncIterator[Web]:
    flags = {"config": "/dev/null", "data": str(data), "logs": ",".join(LOGS), "read_only": "true"}
    service = config.compose(config.load(flags, {}), lambda done, total: None)
    service.recorder.replay()
    try:
        yield Web(service)
    finally:
        await service.store.close()
        await service.journal.close()


def with_reader(data: Path, work: Callable[[Web], Awaitable[None]]) -> None:
    async def main() -> None:
        async with reading(data) as web:
            await work(web)

    asyncio.run(main())


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Names, times and bytes of all below, the lock among them."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in (folder, *folder.rglob("*"))
    }


async def bodies(web: Web, log: str) -> list[bytes]:
    """The events that are shown, by index, as they were sent."""
    answer = await web.get(f"/v1/logs/{log}/events?limit=1000")
    shown = [b'{"' + part.partition(b'},"')[2] for part in answer.body.split(b'{"record":')[1:]]
    return [part.partition(b'}],"next"')[0].rstrip(b",").removesuffix(b"}") + b"}" for part in reversed(shown)]


@pytest.mark.parametrize("harm", [*LOSSES, *HARMLESS], ids=lambda harm: harm.__name__)
def test_over_any_damage_it_shows_what_comes_before_and_says_that_there_is_more(harm: Harm, tmp_path: Path) -> None:
    receipts = trail(tmp_path)
    harm(tmp_path)
    before = everything(tmp_path)

    async def work(web: Web) -> None:
        for log in LOGS:
            sent = [each.line for each in receipts if each.log == log]
            shown = await bodies(web, log)
            assert shown == sent[: len(shown)]
            count = (await web.get(f"/v1/logs/{log}/count")).json
            assert count == {"count": len(shown), "complete": False}
            assert (await web.get(f"/v1/logs/{log}/events?limit=1")).json["complete"] is False
            assert_problem(await web.get(f"/v1/logs/{log}/events/absent"), NotFound, "more than it could read")
            assert_problem(await web.get(f"/v1/logs/{log}/entries/99999"), NotFound, "more than it could read")
        assert (await web.get("/v1/logs")).json["complete"] is False
        assert b"Some could not be read" in (await web.get("/")).body
        assert everything(tmp_path) == before

    with_reader(tmp_path, work)
    assert everything(tmp_path) == before


def test_every_event_before_the_damage_is_shown(tmp_path: Path) -> None:
    receipts = trail(tmp_path)
    path = files(tmp_path)[3]
    start, end = frames_of(path)[2]
    before = b"".join(each.read_bytes() for each in files(tmp_path)[:3]) + path.read_bytes()[:start]
    overwrite(path, end - 9, b"?")

    async def work(web: Web) -> None:
        for log in LOGS:
            assert await bodies(web, log) == [each.line for each in receipts if each.log == log and each.line in before]
        status = (await web.get("/v1/status")).json
        assert f"{path.name} is damaged at byte {start}: " in status["damage"] and "indelible repair" in status["damage"]

    with_reader(tmp_path, work)


def test_a_forged_frame_ends_what_is_shown_and_is_named_in_the_status(tmp_path: Path) -> None:
    """The whole chain is made anew around it; only the leaves tell."""
    forged = forged_trail(tmp_path)

    async def work(web: Web) -> None:
        status = (await web.get("/v1/status")).json
        assert (status["position"], status["complete"], status["read_only"]) == (forged, False, True)
        assert "a frame of log default" in status["damage"] and "indelible repair" in status["damage"]

    with_reader(tmp_path, work)


def test_where_nothing_lies_beyond_it_says_so_until_a_writer_goes_on(tmp_path: Path) -> None:
    """What a writer stores is seen to be there, and not shown."""
    asyncio.run(open_file_journal(tmp_path, file_size=1 << 16).close())

    async def work(web: Web) -> None:
        empty = {"count": 0, "complete": True}
        assert (await web.get("/v1/count")).json == empty
        journal = open_file_journal(tmp_path, file_size=1 << 16)
        assert (await web.get("/v1/count")).json == empty
        recorder = Recorder(journal)
        recorder.replay()
        await recorder.record(
            await prepare(split(b'{"type":"t","source":"s"}', "application/json", Limits()), Terms("default", 1, Limits()))
        )
        assert (await web.get("/v1/count")).json == {**empty, "complete": False}
        await journal.close()

    with_reader(tmp_path, work)


def test_after_a_clean_stop_it_shows_the_last_request_too(tmp_path: Path) -> None:
    receipts = trail(tmp_path)

    async def all_of_it(web: Web) -> None:
        for log in LOGS:
            assert await bodies(web, log) == [each.line for each in receipts if each.log == log]
        assert (await web.get("/v1/count")).json["complete"] is True

    async def not_the_last(web: Web) -> None:
        assert (await web.get("/v1/count")).json["complete"] is False

    with_reader(tmp_path, all_of_it)
    killed(tmp_path)
    with_reader(tmp_path, not_the_last)


def test_it_takes_no_event_and_says_which_kind_of_server_does(tmp_path: Path) -> None:
    trail(tmp_path)

    async def work(web: Web) -> None:
        answer = await web.post(b'{"type":"t","source":"s"}')
        assert_problem(answer, ReadOnly, "--read-only")
        assert int(answer.headers["retry-after"]) > 0
        assert_problem(await web.get("/readyz?for=write"), ReadOnly, "read_only: ")
        assert (await web.get("/readyz?for=read")).status == (await web.get("/readyz")).status == 200
        with pytest.raises(ReadOnly):
            await web.service.journal.append(None)  # type: ignore[arg-type]

    with_reader(tmp_path, work)


def test_after_a_repair_under_it_it_gives_no_answer_any_more(tmp_path: Path) -> None:
    trail(tmp_path)
    LOSSES[0](tmp_path)

    async def work(web: Web) -> None:
        assert (await web.get("/v1/events")).status == 200
        mend(tmp_path)
        for path in ("/v1/events", "/v1/count", "/v1/logs"):
            assert_problem(await web.get(path), Replaced, "start it again")
        assert_problem(await web.get("/readyz"), Replaced, "journal: ")
        status = (await web.get("/v1/status")).json
        assert status["complete"] is False and "start it again" in status["damage"] and "start it again" in status["ready"]["read"]

    with_reader(tmp_path, work)


def test_its_cache_lies_elsewhere_and_is_gone_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trail(tmp_path / "data")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))

    async def work(web: Web) -> None:
        assert (await web.get("/v1/count")).status == 200
        [cache] = (tmp_path / "tmp").iterdir()
        assert list(cache.glob("*.arrow")) and cache.stat().st_mode & 0o777 == 0o700

    with_reader(tmp_path / "data", work)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_without_a_journal_there_is_nothing_to_read(tmp_path: Path) -> None:
    for data in (tmp_path / "typo", tmp_path):
        with pytest.raises(Misconfigured, match="--data"):
            with_reader(data, lambda web: web.get("/"))  # type: ignore[arg-type,return-value]
    assert list(tmp_path.iterdir()) == []


def test_beside_a_writing_server_both_answer(tmp_path: Path) -> None:
    with server(tmp_path / "data") as writer:
        for number in range(3):
            assert writer.post([b'{"type":"t","source":"s","id":"%d"}' % number])[0] == 201
        reader = Server(tmp_path / "data", INDELIBLE_READ_ONLY="true")
        reader.start()
        try:
            assert reader.get("/v1/count") == (200, {"count": 2, "complete": False})  # of the third nothing durable says that it is
            assert writer.post([b'{"type":"t","source":"s","id":"4"}'])[0] == 201
            assert reader.post([b'{"type":"t","source":"s"}'])[0] == 503
            assert writer.get("/v1/count") == (200, {"count": 4, "complete": True})
        finally:
            assert reader.stop()[0] == 0
        shutil.rmtree(tmp_path / "data" / "damaged", ignore_errors=True)
