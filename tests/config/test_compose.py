"""The composition: settings become a service over real backends, and importing it costs nothing until then."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from indelible.config import Settings, compose, load
from indelible.errors import InUse, Misconfigured
from indelible.formats import split
from indelible.http.connection.warden import Patience
from indelible.http.service import Service
from indelible.log.prepare import Terms, prepare
from indelible.model.query import Query


def settings(data: Path, **flags: str) -> Settings:
    return load({"config": "/dev/null", "data": str(data), **flags}, {"INDELIBLE_KEY": "k" * 40})


async def close(service: Service) -> None:
    await service.store.close()
    await service.journal.close()


def test_the_service_has_what_the_settings_say(tmp_path: Path) -> None:
    wanted = settings(
        tmp_path / "new" / "data",
        logs="default,b",
        labels="3",
        in_flight="33 MiB",
        connections="5",
        head_timeout="6",
        stall_timeout="7",
        idle_timeout="8",
    )
    service = compose(wanted, lambda done, total: None)
    asyncio.run(close(service))
    assert (service.logs, service.limits, service.key, service.in_flight) == (("default", "b"), wanted.limits, "k" * 40, 33 << 20)
    assert service.limits.labels == 3
    assert service.patience == Patience(connections=5, head=6, stall=7, idle=8)
    assert not service.recorder.ready  # the server answers /healthz while it replays


def test_an_event_is_stored_and_found_and_both_directories_are_the_owners_alone(tmp_path: Path) -> None:
    async def run() -> int:
        service = compose(settings(tmp_path, journal_file_size="1 MiB"), lambda done, total: None)
        service.recorder.replay()
        lines = split(b'{"type":"a","source":"s"}', "application/json", service.limits)
        await service.recorder.record(await prepare(lines, Terms("default", 1, service.limits)))
        try:
            return await service.store.count(Query("default"))
        finally:
            await close(service)

    assert asyncio.run(run()) == 1
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir() if path.is_dir()} == {
        "journal": 0o700,
        "signing": 0o700,
        "tail": 0o700,
    }
    assert max(path.stat().st_size for path in (tmp_path / "journal").glob("*.journal")) == 1 << 20


def test_a_directory_that_another_holds_is_refused_by_name(tmp_path: Path) -> None:
    service = compose(settings(tmp_path), lambda done, total: None)
    with pytest.raises(InUse):
        compose(settings(tmp_path), lambda done, total: None)
    asyncio.run(close(service))


def test_a_data_directory_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for data in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(Misconfigured, match=rf"data is {data} \(flag --data\) and cannot be used"):
            compose(settings(data), lambda done, total: None)


def test_a_long_journal_tells_how_far_it_is_read(tmp_path: Path) -> None:
    async def run() -> None:
        service = compose(settings(tmp_path), lambda done, total: None)
        service.recorder.replay()
        lines = split(b'{"type":"a","source":"s","data":"%s"}\n' % (b"x" * 900_000) * 8, "application/x-ndjson", service.limits)
        for _ in range(2):
            await service.recorder.record(await prepare(lines, Terms("default", 1, service.limits)))
        await close(service)

    asyncio.run(run())
    told: list[tuple[int, int]] = []
    asyncio.run(close(compose(settings(tmp_path), lambda done, total: told.append((done, total)))))
    assert told
    assert told == sorted(told)
    assert all(0 < done <= total for done, total in told)


def test_importing_the_configuration_loads_no_backend_and_no_server() -> None:
    script = "import sys, indelible.config; print(*(name for name in sys.modules if name.startswith('indelible.')))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(loaded.stdout.split()) == {
        "indelible.config", "indelible.errors", "indelible.model", "indelible.model.event", "indelible.model.settings"
    }  # fmt: skip
