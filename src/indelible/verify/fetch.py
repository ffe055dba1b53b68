"""Answers of a server that may mean harm: no answer is larger than what was asked for can be, and none takes longer than its time."""

from __future__ import annotations

import io
import time
import zlib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from msgspec import Raw

from indelible.client import answers
from indelible.client.connection import Answer, Broken, Connection, whole_answer
from indelible.client.patience import Patience, answered
from indelible.errors import Malformed, NotFound, Unproven
from indelible.tree import note
from indelible.tree.merkle import WIDTH
from indelible.tree.tiles import ENTRIES, MOST_BYTES, Tile
from indelible.tree.vkeys import AnyKey, parse_vkey

KEYS = 64 << 10  # bytes of a list of keys
PROBLEM = 64 << 10  # bytes of an answer that is none
_LOGS = "/v1/logs/"
_DEFAULT = "default"


class Server:
    """A server at `url`, over one connection. Not for two threads at once."""

    def __init__(
        self,
        url: str,
        key: str = "",
        patience: float = 60.0,
        pause: Callable[[float, str], None] = lambda seconds, why: time.sleep(seconds),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens nothing yet. Raises Misconfigured for an address or a key that cannot work."""
        self._connection = _Bounded(url, key)
        self.url = self._connection.url
        self._patience = patience
        self._pause = pause
        self._now = now

    def get(self, target: str, most: int, packed: bool = False) -> bytes:
        """The body of a 200, of at most `most` bytes once unpacked. Raises NotFound, other Refused, Damaged, or Unreachable."""
        headers = {"Accept-Encoding": "gzip" if packed else "identity"}
        patience = Patience(self._patience, self._now, self._pause)
        self._connection.most = most
        return answered(self._connection, patience, "GET", target, self._body, headers=headers)

    def close(self) -> None:
        self._connection.close()

    def _body(self, answer: Answer) -> bytes:
        return answer.body if answer.status == 200 else bytes(answers.read(answer, Raw, self.url))  # which raises: this is no 200


class Remote:
    """One log as files (c2sp.org/tlog-tiles), below its URL."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def checkpoint(self) -> bytes:
        """The newest signed note."""
        return self._server.get("/checkpoint", note.MOST_BYTES)

    def keys(self) -> list[AnyKey]:
        """The keys that the log says it signs with: its own word, no more. Raises Malformed."""
        text = self._server.get("/vkey", KEYS)
        try:
            return [parse_vkey(line) for line in text.decode().splitlines()]
        except UnicodeDecodeError:
            raise Malformed(f"{self._server.url}/vkey holds no keys") from None

    def __call__(self, tile: Tile) -> bytes:
        """What stands under the path of a tile or a bundle that the log has to have. Raises Unproven if it is not there."""
        most = tile.width * (2 + MOST_BYTES if tile.level == ENTRIES else 32)
        try:
            return self._server.get(f"/{tile.path}", most, packed=tile.level == ENTRIES)
        except NotFound as error:
            if tile.width == WIDTH or tile.level == ENTRIES:
                raise _missing(tile, error) from None
        try:
            full = self._server.get(f"/{tile._replace(width=WIDTH).path}", 32 * WIDTH)  # a log may drop partial tiles once they are full
        except NotFound as error:
            raise _missing(tile, error) from None
        return full[: 32 * tile.width]


def _missing(tile: Tile, error: NotFound) -> Unproven:
    return Unproven(f"{tile.path} is under the signed root and not served: {error.detail}")


def log_url(url: str) -> str:
    """The URL of a log: `url` itself if it names one, else that of the log `default`."""
    return url.rstrip("/") if _LOGS in urlsplit(url).path else f"{url.rstrip('/')}{_LOGS}{_DEFAULT}"


def url_of(server: str, log: str) -> str:
    """The URL of this log at a server, whatever log of it `server` names."""
    return f"{server.partition(_LOGS)[0].rstrip('/')}{_LOGS}{quote(log, safe='')}"


class _Bounded(Connection):
    """`most` bytes of an answer are read, and the timeout is for the whole of it."""

    most = 0

    def _once(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str], timeout: float) -> Answer:
        http: Any = self._http  # its socket is not the one that it thinks
        response = None
        try:
            if http.sock is None:
                http.timeout = timeout
                http.connect()
                http.sock = _Hasty(http.sock)
            http.sock.begin(timeout)
            http.request(method, self._prefix + target, body, {**self._headers, **headers})
            response = http.getresponse()
            most = self.most if response.status == 200 else PROBLEM
            text = response.read(most + 1)
            if len(text) <= most and response.length:
                raise Broken("the answer broke off")
            if response.getheader("Content-Encoding", "").lower() == "gzip":
                text = _unpacked(text, most)
            if len(text) > most:
                raise Broken(f"the answer to {target[:200]} has more than the {most:,} bytes that it can have")
        except BaseException:
            if response is not None:
                response.close()
            http.close()  # half an exchange lies on it
            raise
        return whole_answer(response, text)


class _Hasty:
    """A socket that is done with in time, however slowly bytes drip in. http.client needs no more of one than this."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._end = 0.0
        self._reading = 0  # answers that are not at their end; http.client closes a socket before that and reads on
        self._closed = False

    def begin(self, timeout: float) -> None:
        self._end = time.monotonic() + timeout

    def sendall(self, data: bytes) -> None:
        self._hurry()
        self._inner.sendall(data)

    def receive(self, buffer: Any) -> int:
        self._hurry()
        return int(self._inner.recv_into(buffer))

    def makefile(self, mode: str) -> io.BufferedReader:
        self._reading += 1
        return io.BufferedReader(_Stream(self))

    def done(self) -> None:
        """One answer less is read."""
        self._reading -= 1
        if self._closed and not self._reading:
            self._inner.close()

    def close(self) -> None:
        self._closed = True
        if not self._reading:
            self._inner.close()

    def _hurry(self) -> None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._inner.settimeout(left)


class _Stream(io.RawIOBase):
    """One answer's bytes; closing it leaves the socket open for the next."""

    def __init__(self, socket: _Hasty) -> None:
        self._socket = socket

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        if not self.closed:
            self._socket.done()
        super().close()

    def readinto(self, buffer: Any) -> int:
        return self._socket.receive(buffer)


def _unpacked(packed: bytes, most: int) -> bytes:
    unpack = zlib.decompressobj(31)
    try:
        text = unpack.decompress(packed, most + 1)
    except zlib.error:
        raise Broken("the answer is no gzip") from None
    if not unpack.eof and len(text) <= most:
        raise Broken("the answer broke off")
    return text
