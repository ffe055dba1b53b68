"""A PostgreSQL of its own for one measurement: made in a folder, on a free port of 127.0.0.1, with its default settings."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

from bench.client import Failed
from bench.processes import family, total
from bench.server import HOST, free_port

PATIENCE = 60.0  # s for a start and an end
_NEEDED = ("initdb", "postgres", "psql")
_USER = "postgres"  # who may do everything in the database, and who runs it where this program is root's


class Postgres:
    """Ready, with the tables of `schema`, when the block begins; gone with its processes when it ends. Raises Failed."""

    def __init__(self, folder: Path, schema: Path) -> None:
        self._programs = programs()
        self._data = folder / "postgres"
        self._log = folder / "postgres.log"
        self._port = free_port()
        self._as = _unprivileged()
        self._data.mkdir(mode=0o700)
        if self._as:
            _open_to_all(folder)
            shutil.chown(self._data, self._as["user"], self._as["group"])
        self._run("initdb", "-D", str(self._data), "-U", _USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self._port), "-k", ""]
        with self._log.open("ab") as log:
            own = {"cwd": folder, "stdout": log, "stderr": log, "start_new_session": True, **self._as}
            self._process = subprocess.Popen([*command, "-c", f"listen_addresses={HOST}"], **own)
        try:
            self._await()
            self.ask(schema.read_text())
        except BaseException:
            self._end()
            raise
        self._before = total(stat.cpu for stat in family(self._process.pid))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    @property
    def dsn(self) -> str:
        return f"postgres://{_USER}@{HOST}:{self._port}/postgres"

    @property
    def version(self) -> str:
        return self.ask("SHOW server_version").split()[0]

    def cpu(self) -> float | None:
        """Seconds of processor that its processes have used since it was ready; None where there is no /proc."""
        used = total(stat.cpu for stat in family(self._process.pid))
        return None if used is None or self._before is None else used - self._before

    def ask(self, statements: str) -> str:
        """What psql prints. Raises Failed."""
        return self._run("psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-d", self.dsn, "-c", statements)

    def _run(self, program: str, *words: str) -> str:
        done = subprocess.run(
            [str(self._programs / program), *words], cwd="/", capture_output=True, text=True, timeout=PATIENCE, check=False, **self._as
        )
        if done.returncode:
            raise Failed(f"{program}: {done.stderr.strip()}")
        return done.stdout

    def _await(self) -> None:
        deadline = monotonic() + PATIENCE
        while self._process.poll() is None and monotonic() < deadline:
            with suppress(Failed):
                self.ask("SELECT 1")
                return
            sleep(0.05)
        raise Failed(f"PostgreSQL did not start: {self._log.read_text(errors='replace')[-2000:]}")

    def _end(self) -> None:
        self._process.send_signal(signal.SIGINT)  # ends its clients' connections too
        try:
            self._process.wait(PATIENCE)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()


def programs() -> Path:
    """Where PostgreSQL's programs are; the newest, if there are several. Raises Failed if there are none."""
    for folder in _places():
        if all(os.access(folder / name, os.X_OK) for name in _NEEDED):
            return folder
    raise Failed(f"PostgreSQL is not here ({', '.join(_NEEDED)}): install its server, on Debian and Ubuntu `apt install postgresql`")


def _places() -> Iterator[Path]:
    with suppress(OSError, subprocess.SubprocessError):
        yield Path(subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True).stdout.strip())
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(versions, key=lambda path: [int(number) for number in re.findall(r"\d+", path.parent.name)], reverse=True)
    yield from map(Path, os.get_exec_path())


def _unprivileged() -> dict[str, Any]:
    """Whom PostgreSQL runs as: it refuses to run as root. Empty where this user will do."""
    if os.geteuid():
        return {}
    for name in (_USER, "nobody"):
        with suppress(KeyError):
            found = pwd.getpwnam(name)
            return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    raise Failed("PostgreSQL does not run as root, and there is no user postgres or nobody: run this as another user")


def _open_to_all(folder: Path) -> None:
    """Let another user pass through `folder`. Raises Failed if it cannot pass through what holds it."""
    for holder in folder.resolve().parents:
        if not holder.stat().st_mode & 0o001:
            raise Failed(f"root runs PostgreSQL as another user, who cannot enter {holder}: name a folder that all may enter with --data")
    folder.chmod(0o711)
