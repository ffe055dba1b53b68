"""The write path: a request's body becomes a frame, and its answer waits until that is durable. Raw ASGI, for speed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter, time_ns
from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from indelible.errors import BadParameter, Busy, Fault, JournalFailed, NotAnEvent, ReadOnly, Refused, TooLarge, Unsupported
from indelible.formats import split
from indelible.http import receipts
from indelible.http.climb import reached
from indelible.http.hold import Hold
from indelible.http.packed import inflated
from indelible.http.service import Service
from indelible.log.prepare import Prepared, Terms
from indelible.log.recorder import Recorded
from indelible.log.together import Together
from indelible.model.event import Limits
from indelible.model.receipt import State

KEY_CHARACTERS = 256  # of an Idempotency-Key
_SEEN = 1 << 20  # bytes of a body in which the senders of refused events are looked up
_RECEIPT = 256  # bytes that are left of an event once it is durable
_LARGE = 64 << 10  # bytes above which preparing is worth another process
_MANY = 2000  # receipts that take longer to write than others may wait
_INFLATING = 2  # threads
_PACKED = 1 << 10  # bytes, a thousand times as many inflated, above which inflating would keep the event loop from others
ANSWER_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]


class Asked(NamedTuple):
    """What a request says beside its body."""

    content_type: str
    gzip: bool
    key: str | None
    skip: bool = False
    ack: State = State.sequenced


class Ingest:
    """Stores what POST /v1/events brings. The log is in `scope["path_params"]`.

    Raises any IndelibleError before its answer begins; every event of a request that it raises for was refused or is a conflict.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._together = Together(service.limits)
        self._held = 0  # bytes of bodies in memory
        self._inflating = ThreadPoolExecutor(_INFLATING, "inflating")  # of their own: questions take the others for seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        service = self._service
        if service.read_only:
            raise ReadOnly("this server was started with --read-only: send the same bytes again once one that writes is back")
        if service.recorder.failed:
            raise JournalFailed("a write failed: this process is about to end")
        if not service.recorder.ready:
            raise Busy("the journal is being replayed: send the same bytes again in a moment")
        asked = _asked(scope, service.limits)
        with Hold(self) as hold:
            body = await self._body(receive, hold)
            if body is None:
                return  # the client is gone before it had said everything
            if asked.gzip:
                body = await self._inflated(body, hold)
            recorded, single = await self._stored(body, asked, scope["path_params"]["log"])
            body = b""
            if asked.ack in (State.proven, State.witnessed):  # for seconds: its body must not keep others out meanwhile
                recorded = receipts.light(recorded)
                hold.keep(_RECEIPT * len(recorded.prepared.ids))
            state = await reached(service, recorded, asked.ack)
            status, answer = receipts.of_one(recorded, state) if single else receipts.of_batch(recorded, *receipts.counts(recorded), state)
        service.metrics.answered(status)
        length = (b"content-length", b"%d" % len(answer))
        await send({"type": "http.response.start", "status": status, "headers": [*ANSWER_HEADERS, length]})
        await send({"type": "http.response.body", "body": answer})

    async def _stored(self, body: bytes, asked: Asked, log: str) -> tuple[Recorded, bool]:
        """What became of the events, once every one is durable and in order, and whether the body was one event."""
        service, metrics = self._service, self._service.metrics
        try:
            prepared, single = await self._prepared(body, asked, log)
        except NotAnEvent as error:
            metrics.refused(error.total)
            service.refusals.events(error.faults, error.total, _sent(body, asked, service.limits))
            raise
        begun = perf_counter()
        recorded = await service.recorder.record(prepared)
        if prepared.refused:
            service.refusals.events(prepared.faults, prepared.refused, _sent(body, asked, service.limits))
        if len(prepared.ids) > _MANY:
            await asyncio.sleep(0)  # small requests that became durable with it first
        metrics.recorded(*receipts.counts(recorded), prepared.refused, len(prepared.frame.text), perf_counter() - begun)
        return recorded, single

    async def _prepared(self, body: bytes, asked: Asked, log: str) -> tuple[Prepared, bool]:
        """The frame, and whether the body was one event."""
        service = self._service
        terms = Terms(log, time_ns() // 1000, service.limits, skip=asked.skip, key=asked.key)
        if service.workshop and len(body) > _LARGE:
            return await service.workshop.prepare(body, asked.content_type, terms)
        lines = split(body, asked.content_type, service.limits)
        return await self._together.prepare(lines, terms), lines.single

    async def _body(self, receive: Receive, hold: Hold) -> bytes | None:
        """All of it, or None if the client went away. Raises TooLarge, or Busy if too much is in flight."""
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body: bytes = message.get("body", b"")
        hold.more(len(body))
        if not message.get("more_body"):
            return body
        pieces, size = [body], len(body)
        while message.get("more_body"):
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            hold.more(len(pieces[-1]))
            if size > self._service.limits.batch_bytes:
                raise _too_large(self._service.limits)
        return b"".join(pieces)

    async def _inflated(self, body: bytes, hold: Hold) -> bytes:
        """Raises NotJSON for what is not gzip, TooLarge as soon as it passes the limit."""
        most = self._service.limits.batch_bytes
        if len(body) < _PACKED:
            text = inflated(body, most)
        else:
            text = await asyncio.get_running_loop().run_in_executor(self._inflating, inflated, body, most)
        hold.more(len(text))
        return text

    def hold(self, size: int) -> None:
        """Raises Busy if there is no room for `size` more bytes of bodies."""
        if self._held + size > self._service.in_flight:
            self._service.metrics.no_room()
            raise Busy(f"{self._held} bytes of requests are in flight: send the same bytes again in a moment")
        self._held += size

    def release(self, size: int) -> None:
        self._held -= size


def _asked(scope: Scope, limits: Limits) -> Asked:
    """Raises TooLarge, Unsupported or BadParameter before a byte of the body is read."""
    content_type = ""
    gzip = False
    key: str | None = None
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value.decode("latin-1")
        elif name == b"content-length":
            if int(value) > limits.batch_bytes:
                raise _too_large(limits)
        elif name == b"content-encoding":
            gzip = _is_gzip(value)
        elif name == b"idempotency-key":
            key = _key(value, key)
    skip, ack = _options(scope["query_string"]) if scope["query_string"] else (False, State.sequenced)
    return Asked(content_type, gzip, key, skip, ack)


def _sent(body: bytes, asked: Asked, limits: Limits) -> Sequence[bytes]:
    """The events of a body of which some were refused, to see who sent them; none of a large one, which would cost others their turn."""
    try:
        return split(body, asked.content_type, limits).lines if len(body) <= _SEEN else ()
    except Refused:  # such as an empty batch
        return ()


def _is_gzip(value: bytes) -> bool:
    coding = value.strip().lower()
    if coding in (b"gzip", b"x-gzip"):
        return True
    if coding in (b"", b"identity"):
        return False
    raise Unsupported(f"Content-Encoding {value[:40].decode('latin-1')!r} is not read here: send gzip, or the plain body")


def _key(value: bytes, earlier: str | None) -> str:
    key = value.decode("latin-1")
    if earlier is not None or not 0 < len(key) <= KEY_CHARACTERS:
        detail = f"the Idempotency-Key is one header of 1 to {KEY_CHARACTERS} characters"
        raise BadParameter(detail, (Fault(detail, parameter="Idempotency-Key"),))
    return key


def _options(query: bytes) -> tuple[bool, State]:
    """Whether bad events are left out, and how far the good ones have to come before the answer. Raises BadParameter."""
    skip, ack = False, State.sequenced
    seen = set()
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        if part == b"on_error=skip":
            skip = True
        elif name == b"ack" and value in _ACKS:
            ack = _ACKS[value]
        else:
            raise _bad(name, f"{part[:80].decode('latin-1')!r} means nothing here: {_MEANT}")
        if name in seen:
            raise _bad(name, f"{name.decode()} stands twice: {_MEANT}")
        seen.add(name)
    return skip, ack


_ACKS = {state.value.encode(): state for state in State}
_MEANT = (
    "only on_error=skip may stand, which stores the good events and reports the others, and "
    f"ack={'|'.join(state.value for state in State)}, which says what to wait for"
)


def _bad(name: bytes, detail: str) -> BadParameter:
    parameter = name[:80].decode("latin-1")
    return BadParameter(detail, (Fault(detail, parameter=parameter),))


def _too_large(limits: Limits) -> TooLarge:
    return TooLarge(f"the body has more than {limits.batch_bytes} bytes: send several batches")
