"""Sends what was drawn and holds each answer against what every answer has to be."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, NamedTuple

LAST = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
PATIENCE = 60.0  # s: far above every time-out of the server, so that what is hit is a stall
STATUSES = {100, 200, 201, 204, 400, 401, 403, 404, 405, 408, 409, 413, 415, 421, 422, 431, 503, 507}
PROBLEM = {"type", "title", "status", "detail", "errors"}
_LENGTH = re.compile(rb"^content-length: (\d+)$", re.MULTILINE)


class Wrong(AssertionError):
    """An answer that must not be."""


class Answer(NamedTuple):
    status: int
    head: bytes
    body: bytes


async def exchange(port: int, data: bytes) -> list[Answer]:
    """Everything that came back until the server ended the connection. Raises Wrong."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        reset, came = False, b""
        try:
            writer.write(data + LAST)
            async with asyncio.timeout(PATIENCE):
                while piece := await reader.read(1 << 18):
                    came += piece
        except ConnectionError:
            reset = True  # the server had closed before it had read all
        except TimeoutError:
            raise Wrong(f"no end after {PATIENCE} s; until then came {came[:300]!r}") from None
        return answers(came, reset)
    finally:
        writer.close()


def answers(came: bytes, reset: bool = False) -> list[Answer]:
    """The answers in the bytes of a connection. Raises Wrong for one that is not whole or not as it must be."""
    found = []
    while came:
        head, end, rest = came.partition(b"\r\n\r\n")
        if not end or not head.startswith(b"HTTP/1.1 "):
            if reset:
                return found
            raise Wrong(f"no answer of HTTP: {came[:300]!r}")
        head = head.replace(b"\r\n", b"\n").lower()
        status = int(head[9:12])
        length = _LENGTH.search(head)
        size = 0 if status in (100, 204) or rest.startswith(b"HTTP/1.1 ") else int(length[1]) if length else -1  # to HEAD no body comes
        if size < 0 or b"transfer-encoding" in head:
            raise Wrong(f"an answer without its length: {head!r}")
        if len(rest) < size:
            if rest == b"" or reset:
                return [*found, check(Answer(status, head, b""))]
            raise Wrong(f"half an answer: {came[:300]!r}")
        found.append(check(Answer(status, head, rest[:size])))
        came = rest[size:]
    return found


def check(answer: Answer) -> Answer:
    """What holds for every answer. Raises Wrong."""
    if answer.status not in STATUSES:
        raise Wrong(f"status {answer.status}: {answer.body[:1000]!r}")
    if answer.status >= 400 and answer.body:
        if b"content-type: application/problem+json" not in answer.head:
            raise Wrong(f"an error that is no problem document: {answer.head!r}")
        problem: Any = json.loads(answer.body)
        if not set(problem) >= PROBLEM or problem["status"] != answer.status or not problem["detail"]:
            raise Wrong(f"a problem document without its members: {answer.body[:1000]!r}")
    if answer.status in (503, 507) and b"retry-after: " not in answer.head:
        raise Wrong("busy, and no word of when to come again")
    return answer
