"""One kept connection to a server: a request goes out, and a whole answer comes in or Broken says why not."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead, RemoteDisconnected
from socket import gaierror
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from indelible.errors import Misconfigured, Unreachable

_RIGHT = "write it as http://127.0.0.1:8080 or https://trail.example.com/prefix"


class Answer(NamedTuple):
    """A whole answer. `kind` is its media type in lower case, without parameters."""

    status: int
    kind: str
    retry_after: str
    location: str
    body: bytes


class Broken(Exception):
    """No whole answer came; what became of the request is unknown. The text says what was seen."""


class Connection:
    """Opened when it is first needed, again when it was lost. Knows no proxies and follows no redirects. Not for two threads at once."""

    def __init__(self, url: str, key: str = "") -> None:
        """Raises Misconfigured for an address or a key that cannot work. The key is never part of a message."""
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise Misconfigured("the key has a character that no HTTP header can carry: it is visible ASCII without spaces")
        try:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
                raise Misconfigured(f"{_without_password(url)!r} is not the address of a server: {_RIGHT}")
            self._http = _connection(parts.scheme, parts.hostname.encode("idna").decode(), parts.port)
        except (ValueError, HTTPException) as error:
            raise Misconfigured(f"the address {_without_password(url)!r} cannot be read ({error}): {_RIGHT}") from None
        self.url = url.rstrip("/")
        self._prefix = quote(parts.path.rstrip("/"), safe="/%~!$&'()*+,;=:@")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def exchange(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str], timeout: float) -> Answer:
        """The answer, whatever its status. `timeout` (s) is for each step: connecting, and every pause while data flows.

        Raises Broken, or Unreachable for a certificate that cannot be trusted.
        """
        kept = self._http.sock is not None
        try:
            try:
                return self._once(method, target, body, headers, timeout)
            except ConnectionError:
                if not kept:
                    raise
                return self._once(method, target, body, headers, timeout)  # the server has closed what lay idle: no failure yet
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(f"{self.url} shows a certificate that cannot be trusted: {error.verify_message}") from None
        except (OSError, HTTPException) as error:
            raise Broken(_why(error, timeout)) from error

    def _once(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str], timeout: float) -> Answer:
        http, whole = self._http, True
        http.timeout = timeout
        if http.sock is not None:
            http.sock.settimeout(timeout)
        try:
            try:
                http.request(method, self._prefix + target, body, {**self._headers, **headers})
            except (BrokenPipeError, ConnectionResetError):
                if http.sock is None:
                    raise
                whole = False  # but an answer may have come before all of the body was read, such as 413
            response = http.getresponse()
            text = response.read()
        except BaseException:
            http.close()  # half an exchange lies on it
            raise
        if not whole:
            http.close()
        return whole_answer(response, text)

    def close(self) -> None:
        self._http.close()


def whole_answer(response: HTTPResponse, body: bytes) -> Answer:
    kind = response.getheader("Content-Type", "").partition(";")[0].strip().lower()
    return Answer(response.status, kind, response.getheader("Retry-After", ""), response.getheader("Location", ""), body)


def _connection(scheme: str, host: str, port: int | None) -> HTTPConnection:
    if scheme == "https":
        return HTTPSConnection(host, port, context=ssl.create_default_context())
    return HTTPConnection(host, port)


def _why(error: Exception, timeout: float) -> str:
    """What was seen, in words."""
    match error:
        case TimeoutError():
            return f"no answer within {timeout:.0f} s"
        case IncompleteRead():
            return "the answer broke off"
        case RemoteDisconnected():
            return "the connection was closed without an answer"
        case gaierror():
            return f"the name of the host is not known ({error.strerror})"
        case OSError(strerror=str(said)):
            return said.lower()
    return f"what answered speaks no HTTP ({type(error).__name__})"


def _without_password(url: str) -> str:
    return url.rpartition("@")[2]
