"""Fuzzed requests against a real server: each answer is looked at, then all that was taken, before and after a restart."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from typing import Any

from fuzz_client import Wrong, exchange
from fuzz_requests import Drawn, Requests
from oracle import is_event
from served import Server

AT_ONCE = 128  # connections
PATIENT = {"INDELIBLE_HEAD_TIMEOUT": "1", "INDELIBLE_STALL_TIMEOUT": "1", "INDELIBLE_IDLE_TIMEOUT": "1"}
"""Settings of the server: half of a request ends soon, so that a run gets through."""

GROWTH = 96 << 20  # bytes that the server may grow, and
AN_EVENT = 1000  # bytes more for each event that it holds

Tell = Callable[[int, Counter[int]], None]


class Trail:
    """What receipts said, held against what can be read."""

    def __init__(self) -> None:
        self.receipts: dict[int, tuple[str, frozenset[bytes] | None, int]] = {}

    def took(self, drawn: Drawn, body: bytes, number: int) -> None:
        said = json.loads(body)
        for receipt in said.get("receipts", [said]) if isinstance(said, dict) else []:
            if receipt.get("status") == "stored" and receipt["log"] == "default":
                if receipt["index"] in self.receipts:
                    raise Wrong(f"index {receipt['index']} was given twice")
                self.receipts[receipt["index"]] = (receipt["id"], drawn.lines, number)

    def check(self, entries: list[bytes]) -> None:
        """Every stored event is there under its index, as one of the lines that its request held, and is an event."""
        for index, (id, lines, number) in self.receipts.items():
            record, body = divided(entries[index])
            if (record["index"], record["id"]) != (index, id):
                raise Wrong(f"request {number}: entry {index} is {record}, the receipt said {id}")
            if not is_event(body) or (lines is not None and body not in lines):
                raise Wrong(f"request {number}: entry {index} is not what was sent: {body[:1000]!r}")


def divided(entry: bytes) -> tuple[Any, bytes]:
    """`{"record":{…},…}` → the record and the event's own bytes."""
    record, end = json.JSONDecoder().raw_decode(entry.decode(), len('{"record":'))
    return record, b"{" + entry.decode()[end + 1 :].encode()


def fuzz(server: Server, count: int, seed: int, tell: Tell = lambda done, statuses: None) -> Counter[int]:
    """Send `count` requests. The statuses that came. Raises Wrong, with the number of the request, which `draw` repeats."""
    run = Run(server, seed, count, tell)
    try:
        asyncio.run(run.main())
    except* Wrong as wrong:
        raise wrong.exceptions[0] from None
    entries = everything(server)
    run.trail.check(entries)
    grown = resident(server) - (run.warm or resident(server))
    if grown > GROWTH + AN_EVENT * len(entries):
        raise Wrong(f"the server grew by {grown >> 20} MiB")
    assert server.process is not None and server.process.poll() is None
    status, said = server.stop()
    if status or '"level":"error"' in said:
        raise Wrong(f"the server ended with {status} and said {said[-3000:]}")
    server.start()
    if everything(server) != entries:
        raise Wrong("after a restart the trail is another one")
    return run.statuses


class Run:
    """Many connections at once, each with a request of its own."""

    def __init__(self, server: Server, seed: int, count: int, tell: Tell) -> None:
        self._server = server
        self._seed = seed
        self._count = count
        self._tell = tell
        self._requests = document(server)
        self.statuses: Counter[int] = Counter()
        self.trail = Trail()
        self.warm = 0  # bytes of memory after a fifth of the run

    async def main(self) -> None:
        numbers = iter(range(self._count))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, self._count)):
                group.create_task(self._lane(numbers))

    async def _lane(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            await self._one(number)
            if number % 1000 == 999:
                self._tell(number + 1, self.statuses)
            if number == self._count // 5:
                self.warm = resident(self._server)

    async def _one(self, number: int) -> None:
        drawn = draw(self._requests, self._seed, number)
        try:
            for answer in await exchange(self._server.port, drawn.data):
                self.statuses[answer.status] += 1
                if answer.status in (200, 201) and answer.body and b"content-type: application/json" in answer.head:
                    self.trail.took(drawn, answer.body, number)
        except (Wrong, OSError) as error:
            raise Wrong(f"request {number} of seed {self._seed}: {error}\nsent: {drawn.data[:3000]!r}") from error


def document(server: Server) -> Requests:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request("GET", "/openapi.json")
        return Requests(json.loads(connection.getresponse().read()))
    finally:
        connection.close()


def draw(requests: Requests, seed: int, number: int) -> Drawn:
    return requests.draw(Random(f"{seed}/{number}"))


def everything(server: Server) -> list[bytes]:
    """Every entry of the default log, by index, as it is read alone."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)

    def get(target: str) -> bytes:
        connection.request("GET", target)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise Wrong(f"GET {target}: {answer.status} {body[:300]!r}")
        return body

    try:
        (size,) = [log["size"] for log in json.loads(get("/v1/logs"))["logs"] if log["name"] == "default"]
        return [get(f"/v1/logs/default/entries/{index}") for index in range(size)]
    finally:
        connection.close()


def resident(server: Server) -> int:
    """Bytes of memory; 0 where there is no /proc."""
    assert server.process is not None
    try:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
    except OSError:
        return 0
    return int(status.partition("VmRSS:")[2].split()[0]) << 10
