"""The process: it answers while the journal is replayed, and ends when it is told to or when a write has failed."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic

import uvicorn
import uvloop

from indelible import __version__
from indelible.errors import IndelibleError, Misconfigured
from indelible.http import log
from indelible.http.app import build
from indelible.http.connection.protocol import Connection
from indelible.http.connection.quick import Desk, Quick
from indelible.http.connection.warden import Warden
from indelible.http.log import say
from indelible.http.service import Service
from indelible.http.watch import Watch

Compose = Callable[[Callable[[int, int], None]], Service]
BACKLOG = 2048  # connections that the kernel keeps while the loop is busy
_PATIENCE = 30  # s for requests in flight once the process is told to end
_HASTE = 2  # s once a write has failed: nothing more can be acknowledged
_SWITCH = 0.0005  # s that a busy event loop keeps the interpreter from the journal's thread, which asks for it after each write and sync
_FILES = 128  # descriptors for the journal, the store and the rest: a flood of connections must not take them


def run(compose: Compose, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT: then stop accepting, finish what is in flight, and return.

    Raises Misconfigured if the address cannot be bound, JournalFailed after a write has failed, and what `compose` raises.
    """
    with _listening(host, port) as listener:  # before the journal is touched: two servers on one port are found out at once
        service = compose(log.Progress("reading", "bytes"))
        log.take_over()
        sys.setswitchinterval(_SWITCH)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(service, listener))


async def _serve(service: Service, listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    say("start", version=__version__, pid=os.getpid(), url=url, read_only=service.read_only, to_replay=service.journal.end.position)
    for file, start, stop, kept in service.journal.dropped:
        say("dropped", "warning", file=file, offset=start, bytes=stop - start, kept=str(kept))
    patience = service.patience._replace(connections=_affordable(service.patience.connections))
    warden = Warden(patience, service.in_flight, service.metrics)
    server = _uvicorn(service, warden)
    failures: list[BaseException] = []

    def fail(error: BaseException) -> None:
        failures.append(error)
        server.config.timeout_graceful_shutdown = _HASTE
        server.should_exit = True

    service.recorder.on_failure = service.publisher.on_failure = fail
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again at its end: then they mean nothing more
        signal.signal(number, lambda *_: None)
    replay = asyncio.create_task(asyncio.to_thread(_replay, service, url, lambda: server.should_exit))
    replay.add_done_callback(lambda task: fail(error) if (error := task.exception()) else None)
    watches = [
        asyncio.create_task(warden.watch(server.server_state.connections)),  # type: ignore[arg-type]
        asyncio.create_task(Watch(service).run()),
    ]
    scrubbing = asyncio.create_task(service.scrub.run()) if service.scrub else None
    publishing = asyncio.create_task(_publish(service, replay))
    publishing.add_done_callback(lambda task: fail(error) if (error := task.exception()) else None)
    await server.serve([listener])
    for watch in watches:
        watch.cancel()
    service.publisher.stop()
    if service.scrub and scrubbing:
        service.scrub.stop()
        watches.append(scrubbing)
    await asyncio.wait([replay, publishing, *watches])
    await _close(service)
    why = failures[0].detail if failures and isinstance(failures[0], IndelibleError) else ""
    say("stop", "error" if failures else "info", position=service.recorder.folded, detail=why)
    if failures:
        raise failures[0]


def _uvicorn(service: Service, warden: Warden) -> uvicorn.Server:
    door = build(service)
    quick = service.quick and not service.read_only
    connection = partial(Quick, Desk(service, door), warden) if quick else partial(Connection, warden)
    return uvicorn.Server(
        uvicorn.Config(
            door,
            http=connection,  # type: ignore[arg-type]  # called as the class would be
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=_PATIENCE,
        )
    )


async def _close(service: Service) -> None:
    service.publisher.close()
    if service.workshop:
        await service.workshop.close()
    await service.store.close()
    await service.journal.close()


async def _publish(service: Service, replay: asyncio.Task[None]) -> None:
    """Sign the logs from the replay's end on; `replay` tells itself if it fails."""
    await asyncio.wait([replay])
    if not service.recorder.ready:
        return
    asking = asyncio.create_task(_ask_witnesses(service))
    try:
        await service.publisher.run()
    finally:
        asking.cancel()
        await asyncio.wait([asking])


async def _ask_witnesses(service: Service) -> None:
    """Whatever comes of it: writing and signing go on."""
    if service.witnesses and not service.read_only:
        try:
            await service.witnesses.run(service.logs)
        except Exception as error:
            say("witnesses-failed", "error", error=type(error).__name__, trace=log.trace(error.__traceback__))


class _Stopped(Exception):
    """Told to end before the replay was through."""


def _replay(service: Service, url: str, stopped: Callable[[], bool]) -> None:
    """Fold the journal while /readyz says that it is not done."""
    begun, tell = monotonic(), log.Progress("replaying", "events")

    def progress(done: int, total: int) -> None:
        if stopped():
            raise _Stopped
        tell(done, total)

    try:
        service.recorder.replay(progress, service.publisher.start)
    except _Stopped:
        return
    gc.freeze()  # the fold stays: collecting garbage need not look at it again and again
    gc.set_threshold(50_000, 20, 100)  # a batch alone makes thousands of objects, and none of them is garbage in a circle
    sizes = {name: service.recorder.size(name) for name in service.logs}
    seconds = round(monotonic() - begun, 3)
    if error := service.recorder.damage:
        say("damaged", "error", detail=error.detail)
    say("ready", url=url, entries=sizes, key=service.key is not None, complete=service.recorder.complete, seconds=seconds)
    if service.publisher.halted and not service.read_only:
        say("signing-halted", "warning", detail=service.publisher.halted)


def _affordable(connections: int) -> int:
    """How many of these connections the system lets this process have beside its own files, after asking it for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(OSError, ValueError):  # some systems have a lower limit that they do not tell
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    lowered = max(soft - _FILES, 1)
    say("limited", "warning", connections=lowered, wanted=connections, detail=f"this process may open {soft} files (ulimit -n)")
    return lowered


def _listening(host: str, port: int) -> socket.socket:
    """Raises Misconfigured."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        reason = {
            errno.EADDRINUSE: "another process listens there: end it, or choose another port with --port",
            errno.EACCES: "ports below 1024 need rights that this user lacks: choose another with --port",
            errno.EADDRNOTAVAIL: "this machine does not have that address: choose another with --host",
        }.get(error.errno or 0, error.strerror or str(error))
        raise Misconfigured(f"cannot listen on {host} port {port}: {reason}") from error
    except (OverflowError, UnicodeError) as error:
        raise Misconfigured(f"cannot listen on {host} port {port}: {error}") from error
