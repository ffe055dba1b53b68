"""What a producer imports: send events until they are acknowledged, and ask for what is kept.

with Client("http://127.0.0.1:8080") as client:
    client.send([b'{"type":"customer.billed","source":"billing"}'])
    client.count([("type", "customer.*")])
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar
from urllib.parse import quote, urlencode
from uuid import uuid4

from msgspec import Raw
from msgspec.structs import replace

from indelible.client import answers
from indelible.client.answers import Batch, Count, Entries, Page, Trees
from indelible.client.connection import Answer, Connection
from indelible.client.patience import Patience, answered
from indelible.errors import BadParameter, Conflict, NotAnEvent

T = TypeVar("T")
Filters = Iterable[tuple[str, str]]  # parameters of GET /v1/events (docs/http-api.md, Filters); a name twice is OR
DEFAULT = "default"  # the log that is asked where a path has to name one and nobody did
INCOMPLETE = "some of the range could not be read: these are not all events that match"
_NDJSON = {"Content-Type": "application/x-ndjson"}


def _sleep(seconds: float, why: str) -> None:
    time.sleep(seconds)


class Client:
    """A server at `url` (http or https, a path in front of /v1 is kept), over one connection; not for two threads at once.

    The same bytes are tried again after 408, 429, 5xx and broken connections, with growing pauses and not before a Retry-After,
    until `patience` seconds are over; then Unreachable says what the last try saw. Nothing else is tried again: any other refusal
    is raised as what it is (errors.py), with the server's faults, and a question that damage keeps from being answered as Damaged.
    Redirects are not followed and proxies not used.

    `key` is INDELIBLE_KEY unless given. Without `log` it is the log that the key is for. `pause` waits so many seconds and is told why.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        log: str | None = None,
        patience: float = 60.0,
        pause: Callable[[float, str], None] = _sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens nothing yet. Raises Misconfigured for an address or a key that cannot work."""
        self._connection = Connection(url, os.environ.get("INDELIBLE_KEY", "") if key is None else key)
        self._of_log = f"/v1/logs/{quote(log or DEFAULT, safe='', errors='replace')}"
        self._root = "/v1" if log is None else self._of_log
        self._patience = patience
        self._pause = pause
        self._now = now

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def send(self, lines: Sequence[bytes]) -> Batch:
        """Store events, one JSON object a line without line ends, in one request: all or none; return once they are durable.

        Raises NotAnEvent, TooLarge … if one is refused, then none is stored; Conflict if an id is taken by other bytes, when the
        others *are* stored; Unreachable when it is unknown: send the same lines again, an id makes that safe.
        """
        batch = self.post(lines)
        if batch.conflicts:
            faults = tuple(batch.errors)
            detail = faults[0].detail if faults else Conflict.title
            raise Conflict(f"{batch.conflicts} of {len(lines)} events: {detail}", faults, batch.conflicts)
        return batch

    def post(self, lines: Sequence[bytes], *, skip: bool = False) -> Batch:
        """As `send`, but conflicts are counted and not raised, and with `skip` so are refused events: the good ones are stored."""
        if not lines:
            return Batch()
        body = b"\n".join(lines) + b"\n"
        # events without an id get one from this key, so that they too are stored once however often this request is tried
        headers = {**_NDJSON, "Idempotency-Key": str(uuid4())}
        try:
            batch = self._ask("POST", "/events?on_error=skip" if skip else "/events", Batch, body, headers)
        except Conflict as error:  # every one of them is
            return Batch(conflicts=len(lines), errors=list(error.faults))
        except NotAnEvent as error:
            if not skip:
                raise
            return Batch(refused=len(lines), errors=list(error.faults))
        return replace(batch, errors=[*batch.errors, *answers.conflicts(batch.receipts)]) if batch.conflicts else batch

    def count(self, filters: Filters = ()) -> int:
        """How many events match. Warns (RuntimeWarning) if some of the range could not be read. Raises BadParameter."""
        found = self.counted(filters)
        if not found.complete:
            warnings.warn(INCOMPLETE, RuntimeWarning, stacklevel=2)
        return found.count

    def counted(self, filters: Filters = ()) -> Count:
        """The same, with whether all was read. Raises BadParameter."""
        return self._ask("GET", _target("/count", filters), Count)

    def status(self) -> bytes:
        """How the server is doing, as it says it (docs/http-api.md, Status): JSON."""
        return bytes(self._ask("GET", "/v1/status", Raw, root=""))

    def events(self, filters: Filters = ()) -> Iterator[bytes]:
        """All events that match, newest first, each as its own bytes with `record` in front; fetched as they are taken.

        Warns (RuntimeWarning) after the last if some of the range could not be read. Raises BadParameter.
        """
        complete = True
        for page in self.pages(filters):
            yield from map(bytes, page.events)
            complete = complete and page.complete
        if not complete:
            warnings.warn(INCOMPLETE, RuntimeWarning, stacklevel=2)

    def pages(self, filters: Filters = ()) -> Iterator[Page]:
        """The same, page by page. `limit` among the filters is the size of a page, `cursor` the place to begin."""
        given = list(filters)
        page = self.page(given)
        yield page
        rest = [pair for pair in given if pair[0] != "cursor"]
        while page.next is not None:
            page = self.page([*rest, ("cursor", page.next)])
            yield page

    def page(self, filters: Filters = ()) -> Page:
        """One page. Raises BadParameter."""
        return self._ask("GET", _target("/events", filters), Page)

    def entries(self, filters: Filters = ()) -> Entries:
        """A page of entries with headers and salts; `from` and `to` among the filters bound their index. Raises BadParameter."""
        return self._ask("GET", _target("/entries", filters), Entries, root=self._of_log)

    def trees(self) -> Trees:
        """The log's trees, what is signed of each, and their keys."""
        return self._ask("GET", "/trees", Trees, root=self._of_log)

    def tile(self, generation: int, path: str) -> bytes:
        """A tile of a tree (tree/tiles.py); raises NotFound beyond what is published."""
        target = f"{self._of_log}/g{generation}/{path}"
        return self._answered("GET", target, lambda answer: answers.read_bytes(answer, self._connection.url))

    def _ask(
        self,
        method: str,
        target: str,
        kind: type[T],
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        root: str | None = None,
    ) -> T:
        target = (self._root if root is None else root) + target
        return self._answered(method, target, lambda answer: answers.read(answer, kind, self._connection.url), body, headers)

    def _answered(
        self, method: str, target: str, read: Callable[[Answer], T], body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> T:
        patience = Patience(self._patience, self._now, self._pause)
        return answered(self._connection, patience, method, target, read, body, headers or {})


def _target(path: str, filters: Filters) -> str:
    try:
        query = urlencode(list(filters), quote_via=quote, safe=":*")
    except UnicodeEncodeError as error:
        raise BadParameter(f"{error.object!r} is not text that UTF-8 can hold") from None
    return f"{path}?{query}" if query else path
