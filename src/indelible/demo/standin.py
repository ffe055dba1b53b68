"""A stand-in for the client, until that is there."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlencode, urlsplit

from msgspec.json import decode

from indelible.errors import IndelibleError, Unreachable


class Client:
    def __init__(self, url: str, *, patience: float) -> None:
        self.address = urlsplit(url).netloc
        self.patience = patience

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def send(self, lines: Sequence[bytes]) -> None:
        self._ask("POST", "/v1/events", b"\n".join(lines) + b"\n", {"Content-Type": "application/x-ndjson"})

    def count(self, filters: Iterable[tuple[str, str]]) -> int:
        return int(self._ask("GET", "/v1/count?" + urlencode(list(filters)))["count"])

    def events(self, filters: Iterable[tuple[str, str]]) -> Iterator[Any]:
        after: list[tuple[str, str]] = []
        while True:
            page = self._ask("GET", "/v1/events?" + urlencode([*filters, *after]))
            yield from page["events"]
            if page["next"] is None:
                return
            after = [("cursor", page["next"])]

    def _ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
        end = time.monotonic() + self.patience
        while True:
            try:
                connection = HTTPConnection(self.address, timeout=10)
                connection.request(method, path, body, headers or {})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status < 400:
                    return decode(text)
                if answer.status < 500:
                    raise IndelibleError(text.decode())
                why = f"status {answer.status}"
            except (OSError, HTTPException) as error:
                why = repr(error)
            if time.monotonic() > end:
                raise Unreachable(why)
            time.sleep(0.1)
