"""Rounds on the real service: a start, a look at all that is there, load from several senders, and a SIGKILL somewhere in it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import unreliable
from ledger import Ledger, Request
from msgspec import Raw, Struct
from msgspec.json import decode
from served import Server
from traffic import requests
from unreliable import Rule

from indelible.journal.files import Files
from indelible.journal.port import Frame, Place, Position
from indelible.journal.reader import FileReader

SENDERS = 4
REQUESTS = 400  # of a sender, after which the process is killed if it has not met its point
SIGKILLED, FAILED = -9, 74


class Point(NamedTuple):
    """Where a process ends. `time`: the first time, in a start, or some time later."""

    operation: str
    kind: str
    first: int
    last: int  # the time is drawn between the two

    def rule(self, when: str, random: Random) -> Rule:
        return Rule("KILL", self.operation, self.kind, when, random.randint(self.first, self.last))


FRESH = (  # met only where no journal is yet
    Point("create", "file", 1, 1),
    Point("fsync", "file", 1, 1),
    Point("create", "manifest", 1, 1),
    Point("pwrite", "manifest", 1, 1),
    Point("fsync", "manifest", 1, 1),
    Point("rename", "manifest", 1, 1),
    Point("create", "reserve", 1, 1),
    Point("pwrite", "reserve", 1, 1),
    Point("fsync", "reserve", 1, 1),
)
STARTING = (
    Point("unlink", "spare", 1, 1),
    Point("fsync", "directory", 1, 3),
    Point("create", "renewed", 1, 1),
    Point("pwrite", "renewed", 1, 2),
    Point("fsync", "renewed", 1, 1),
    Point("rename", "renewed", 1, 1),
)
DROPPING = (  # at a start that finds half a write
    Point("create", "aside", 1, 2),
    Point("pwrite", "aside", 1, 2),
    Point("fsync", "aside", 1, 2),
)
TORN = Point("pwrite", "file", 1, 20)
STOPPING = (  # of a process that is told to end
    Point("create", "mark", 1, 1),
    Point("pwrite", "mark", 1, 1),
    Point("fsync", "mark", 1, 1),
    Point("rename", "mark", 1, 1),
)
REOPENING = (Point("unlink", "mark", 1, 1),)  # at the first request after a clean stop
RUNNING = (
    Point("pwrite", "file", 1, 60),
    Point("fdatasync", "file", 1, 60),
    Point("create", "spare", 1, 3),
    Point("pwrite", "spare", 1, 3),
    Point("fsync", "spare", 1, 3),
    Point("rename", "spare", 1, 2),
    Point("fsync", "directory", 4, 6),
    Point("truncate", "file", 1, 2),
)


def moments(points: tuple[Point, ...]) -> list[tuple[Point, str]]:
    """Before and after each point, and in the middle of a write."""
    return [(point, when) for point in points for when in ("before", "half", "after") if when != "half" or point.operation == "pwrite"]


class Sender(threading.Thread):
    """Sends one request after the other over one connection, and enters each in the ledger, until it gets no answer."""

    def __init__(self, server: Server, ledger: Ledger, given: Iterator[Request], most: int) -> None:
        super().__init__(daemon=True)
        self._server, self._ledger, self._given, self._most = server, ledger, given, most
        self.failure: BaseException | None = None
        self.cut_off = False

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._server.port, timeout=30)
        try:
            for _, request in zip(range(self._most), self._given, strict=False):
                self._ledger.sends(request)
                connection.request("POST", request.target, request.body, request.headers)
                answer = connection.getresponse()
                self._ledger.answered(request, answer.status, decode(answer.read()))
        except (OSError, HTTPException):
            self.cut_off = True  # nobody knows what became of the last one
        except BaseException as error:
            self.failure = error
        finally:
            connection.close()


class Trail:
    """A data directory through many processes, and the ledger of all that was sent to them."""

    def __init__(self, data: Path) -> None:
        self.ledger = Ledger()
        self.server = Server(data, unreliable.COMMAND, INDELIBLE_JOURNAL_FILE_SIZE="1 MiB", INDELIBLE_RESERVE="256 KiB")
        self.lives = 0

    def __enter__(self) -> Trail:
        return self

    def __exit__(self, *_: object) -> None:
        if self.server.process:  # a failure left it
            self.server.process.kill()
            print(self.server.reap()[1])

    def life(self, random: Random, rule: Rule | None) -> bool:
        """Start, look, load, and end: by `rule`, or killed after some answers. Whether the rule was met.

        Killed it says nothing; a failure of the disk ends it with 74 and one line.
        """
        self.lives += 1
        self.server.variables |= unreliable.variables(*([rule] if rule else []))
        met = not self.server.begin() or self._load(random, REQUESTS if rule else random.randrange(1, 60))
        assert self.server.process
        if not met:
            self.server.process.kill()
        status, said = self.server.reap()
        told = [line for line in said.splitlines() if '"level":"info"' not in line and '"event":"dropped"' not in line]
        if rule is None or rule.what == "KILL" or not met:
            assert (status, told) == (SIGKILLED, []), f"it ended with {status}: {said}"
        else:
            assert (status, len(told)) == (FAILED, 2) and '"event":"stop"' in told[0], f"it ended with {status}: {said}"
            assert told[1].startswith("indelible: ") and rule.reason in told[1]
        return met

    def stopped(self, random: Random, rule: Rule | None = None) -> bool:
        """Start, look, send some, and be told to end. Whether it was killed by `rule` on the way; if not, it says nothing is wrong."""
        self.lives += 1
        self.server.variables |= unreliable.variables(*([rule] if rule else []))
        self.server.start()
        self.look(pages=False)
        sender = Sender(self.server, self.ledger, requests(random, f"{random.randrange(1 << 30):x}", 6000), 5)
        sender.run()
        if sender.failure:
            raise sender.failure
        status, said = self.server.stop()
        assert status in ((0, SIGKILLED) if rule else (0,)) and "Traceback" not in said, said
        assert sender.cut_off <= (status == SIGKILLED)
        return status == SIGKILLED

    def _load(self, random: Random, most: int) -> bool:
        """Look at everything, then send from all sides until the process is gone (True), or one sender has sent `most`."""
        try:
            self.look(pages=random.random() < 0.3)
        except (OSError, HTTPException):
            return True  # killed meanwhile: the spare is made by another thread
        senders = []
        for _ in range(SENDERS):
            given = requests(Random(random.random()), f"{random.randrange(1 << 30):x}", 6000)
            senders.append(Sender(self.server, self.ledger, given, most))
        for sender in senders:
            sender.start()
        senders[0].join()
        met = senders[0].cut_off
        if not met and self.server.process:
            self.server.process.kill()
        for sender in senders:
            sender.join()
            if sender.failure:
                raise sender.failure
        return met

    def look(self, pages: bool = True) -> None:
        """Hold the ledger against the journal's frames, and what the service shows against both."""
        entries = self.ledger.hold(frames(self.server))
        assert self.server.get("/v1/logs")[1]["logs"] == [{"name": "default", "size": len(entries)}]
        if pages:
            assert self.server.get("/v1/count") == (200, {"count": len(entries), "complete": True})
            shown = list(events(self.server))[::-1]
            assert len(shown) == len(entries)
            for index, (event, entry) in enumerate(zip(shown, entries, strict=True)):
                assert bytes(event).endswith(b"}," + entry.body[1:]), (bytes(event), entry)
                record = decode(event, type=_Recorded).record
                assert (record["index"], record["recorded"]) == (index, entry.recorded)
                assert entry.first is not None or record["id"] == entry.id
        self.ledger.seen = entries

    def end(self) -> None:
        """A last start without a rule: all is there, everything sent again gets the same receipt, and the process ends politely."""
        self.server.variables |= unreliable.variables()
        self.server.start()
        self.look()
        lines = [receipt for receipt in self.ledger.receipts if receipt.rest][-4000:]
        for start in range(0, len(lines), 1000):
            told = lines[start : start + 1000]
            self._resend([receipt for receipt in told if b'"id":' in receipt.line])
        self.look()
        status, said = self.server.stop()
        assert (status, "Traceback" in said) == (0, False), said

    def _resend(self, told: list[Any]) -> None:
        request = Request(b"", [receipt.line for receipt in told])
        self.ledger.sends(request)
        status, answer = self.server.post(request.lines)
        assert status == 200 or not told, answer
        for receipt, again in zip(told, answer["receipts"], strict=True):
            assert (again["index"], again["id"], again["leaf"], again["recorded"]) == (receipt.index, *receipt.rest)


class _Recorded(Struct):
    record: dict[str, Any]


class _Page(Struct):
    events: list[Raw]
    next: str | None
    complete: bool


def events(server: Server) -> Iterator[Raw]:
    """Every event as it is shown, newest first."""
    after = ""
    while True:
        page = decode(server.read(f"/v1/events?limit=1000{after}")[1], type=_Page)
        assert page.complete
        yield from page.events
        if page.next is None:
            return
        after = f"&cursor={page.next}"


def frames(server: Server) -> list[Frame]:
    """What this process has folded."""
    metrics = server.read("/metrics")[1].decode().splitlines()
    (position,) = (int(line.split()[1]) for line in metrics if line.startswith("indelible_journal_position "))
    reader = FileReader(Files(), server.data / "journal")
    return [placed.frame for placed in reader.frames(Place(Position(0), 1, 0), Position(position))]
