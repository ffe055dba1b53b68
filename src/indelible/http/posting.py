"""One kept connection to a witness: a body goes out, and a whole, short answer comes back in time, or Unanswered says why not."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from functools import cache
from urllib.parse import quote, urlsplit

import httptools

from indelible import __version__
from indelible.errors import Misconfigured
from indelible.log.witnessing.asking import Answer, Unanswered
from indelible.tree.witness import MOST_BYTES, PATH

_MOST = MOST_BYTES + (16 << 10)  # bytes of an answer, its headers included
_PIECE = 16 << 10
_PLAIN = "/%~!$&'()*+,;=:@"  # what stays as it is in a path
_RIGHT = "write it as https://witness.example.org/prefix"


class Poster:
    """Opened when it is first needed, again when it was lost. Knows no proxies and follows no redirects. Not for two bodies at once."""

    def __init__(self, url: str, seconds: float, trust: ssl.SSLContext | None = None) -> None:
        """`seconds` are all that one answer may take, connecting included. Raises Misconfigured for a URL that cannot work."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").encode("idna").decode(), parts.port
        except ValueError as error:
            raise Misconfigured(f"the URL {url[-80:]!a} cannot be read ({error}): {_RIGHT}") from None
        if (
            parts.scheme not in ("http", "https")
            or not host
            or "@" in parts.netloc
            or parts.query
            or parts.fragment
            or not url.isprintable()
        ):
            raise Misconfigured(f"{url.rpartition('@')[2][-80:]!a} is not where a witness is: {_RIGHT}")
        self._seconds = seconds
        self._address = host, port or (443 if parts.scheme == "https" else 80)
        self._trust = (trust or _trusted()) if parts.scheme == "https" else None
        target = quote(parts.path.rstrip("/"), safe=_PLAIN) + f"/{PATH}"
        shown = f"[{host}]" if ":" in host else host
        self._head = (
            f"POST {target} HTTP/1.1\r\nHost: {shown}{f':{port}' if port else ''}\r\nUser-Agent: indelible/{__version__}\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nAccept-Encoding: identity\r\nContent-Length: "
        ).encode()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __call__(self, body: bytes) -> Answer:
        """The answer, whatever its status. Raises Unanswered."""
        whole = False
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._exchanged(body)
            whole = True
            return answer
        except TimeoutError:
            raise Unanswered(f"no whole answer within {self._seconds:g} s") from None
        except ssl.SSLCertVerificationError as error:
            raise Unanswered(f"its certificate cannot be trusted: {error.verify_message}") from None
        except (OSError, UnicodeError) as error:
            raise Unanswered(getattr(error, "strerror", None) or str(error) or type(error).__name__) from None
        finally:
            if not whole:
                self.close()  # half an exchange lies on it

    def close(self) -> None:
        """Drop the connection; the next body opens another."""
        if self._streams is not None:
            with suppress(RuntimeError):  # the event loop is closed, and the connection with it
                self._streams[1].transport.abort()
            self._streams = None

    async def _exchanged(self, body: bytes) -> Answer:
        if self._streams is not None:
            try:
                return await self._once(self._streams, body)
            except ConnectionError:  # it lay idle, and the witness has closed it: no failure yet
                self.close()
        return await self._once(await self._opened(), body)

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self._address
        self._streams = await asyncio.open_connection(host, port, ssl=self._trust)
        return self._streams

    async def _once(self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], body: bytes) -> Answer:
        """Raises ConnectionError if the connection was closed before anything came."""
        reader, writer = streams
        writer.write(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        await writer.drain()
        reply, got = _Reply(), 0
        while not reply.is_whole:
            piece = await reader.read(_PIECE)
            if not piece:
                if not got:
                    raise ConnectionResetError("the connection was closed without an answer")
                reply.end()
                break
            got += len(piece)
            if got > _MOST:
                raise Unanswered(f"an answer of more than {_MOST >> 10} KiB")
            reply.feed(piece)
        if not reply.is_kept:
            self.close()
        return Answer(reply.status, reply.retry_after, bytes(reply.body))


@cache
def _trusted() -> ssl.SSLContext:
    """Whom the system trusts: read once, which takes 10 ms and more."""
    return ssl.create_default_context()


class _Reply:
    """An answer as far as it was read."""

    def __init__(self) -> None:
        self.status = 0
        self.retry_after = ""
        self.body = bytearray()
        self.is_whole = False
        self.is_kept = False
        self._is_framed = False  # its length is told: then a closed connection does not end it
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Raises Unanswered for what is no HTTP."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise Unanswered(f"what answered speaks no HTTP ({type(error).__name__})") from None

    def end(self) -> None:
        """The connection was closed. Raises Unanswered if that does not end the answer."""
        if not self.status or self._is_framed:
            raise Unanswered("the answer broke off")
        self.is_whole = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_whole:
            return
        match name.lower():
            case b"retry-after":
                self.retry_after = value.decode("latin-1").strip()
            case b"content-length" | b"transfer-encoding":
                self._is_framed = True

    def on_headers_complete(self) -> None:
        if not self.is_whole:
            self.status = self._parser.get_status_code()

    def on_body(self, piece: bytes) -> None:
        if not self.is_whole:
            self.body += piece

    def on_message_begin(self) -> None:
        self.is_kept = False  # something follows the answer: nobody asked for it

    def on_message_complete(self) -> None:
        if self.is_whole:
            return
        if self.status < 200:  # more is to come
            self.status, self.retry_after, self._is_framed = 0, "", False
            return
        self.is_whole = True
        self.is_kept = self._parser.should_keep_alive()
