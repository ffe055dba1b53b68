"""Who may ask: the Host check without a key, the key with one, and no page of another site in either case."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hmac import compare_digest
from ipaddress import IPv4Address, IPv6Address

from indelible.errors import CrossSite, Fault, Refused, Unauthorized, WrongHost

OPEN = frozenset((b"/", b"/healthz", b"/readyz", b"/docs", b"/openapi.json"))
OPEN_BELOW = b"/problems/"
SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))

Headers = Iterable[tuple[bytes, bytes]]


class Gate:
    """Lets a request in or raises. Without a key only a loopback Host is answered, with one every Host that brings the key.

    The Host check keeps out pages whose name was rebound to 127.0.0.1 (their browser still sends their own name); the
    Origin check keeps them from writing. No answer ever carries a CORS header, so no other site's page reads one.
    """

    # TODO(keys): one key opens everything; keys with ids, rights and a log of their own come, and `writer` names them.

    def __init__(self, key: str | None) -> None:
        self._key = None if key is None else key.encode()

    def check(self, method: str, path: bytes, headers: Headers, version: str = "1.1") -> None:
        """Raises Refused, WrongHost, CrossSite or Unauthorized; `path` is the raw one, header names are lower-case."""
        host: bytes | None = None
        origins: list[bytes] = []
        keys: list[bytes] = []
        for name, value in headers:
            if name == b"host":
                if host is not None:
                    raise Refused("the Host header stands more than once: send one", (Fault("send it once", parameter="Host"),))
                host = value
            elif name == b"authorization":
                keys.append(value)
            elif name == b"origin":
                origins.append(value)
        self._check_host(host, version)
        if self._key is None:
            if origins and method not in SAFE_METHODS:
                _check_origins(origins, host or b"")
        elif not (path in OPEN or path.startswith(OPEN_BELOW)):
            _check_key(self._key, keys)

    def _check_host(self, host: bytes | None, version: str) -> None:
        if host is None:
            if self._key is None or version != "1.0":  # HTTP/1.0, as some health checks speak it, has no Host
                raise Refused("the Host header is missing (RFC 9112, 3.2)", (Fault("send one", parameter="Host"),))
        elif self._key is None and not is_loopback(host):
            raise WrongHost(
                f"without a key this server answers to localhost, 127.0.0.1 and [::1] only, not to {host[:80].decode('latin-1')!r}: "
                "use one of those names, or set INDELIBLE_KEY to open it to others"
            )


@lru_cache(256)
def is_loopback(host: bytes) -> bool:
    """Whether a Host header names this machine to itself: localhost, 127.0.0.0/8 or [::1], with any port."""
    name, colon, port = host.rpartition(b":") if not host.endswith(b"]") else (host, b"", b"")
    if not colon:
        name = host
    elif not (port.isdigit() and len(port) <= 5):
        return False
    try:
        if name.startswith(b"[") and name.endswith(b"]"):
            return IPv6Address(name[1:-1].decode("ascii")) == IPv6Address("::1")
        return name.lower() == b"localhost" or IPv4Address(name.decode("ascii")).is_loopback
    except ValueError:
        return False


def _check_origins(origins: list[bytes], host: bytes) -> None:
    """A browser names the page that makes it write; curl and the services that send events name none."""
    for origin in origins:
        if origin.partition(b"://")[2].lower() != host.lower():
            raise CrossSite(f"a page of {origin[:80].decode('latin-1')!r} may not write here: only pages of this server may")


def _check_key(key: bytes, given: list[bytes]) -> None:
    if len(given) != 1:
        raise Unauthorized("send the key, once: `Authorization: Bearer KEY`")
    scheme, _, token = given[0].partition(b" ")
    if scheme.lower() != b"bearer":
        raise Unauthorized(f"the scheme {scheme[:20].decode('latin-1')!r} is not taken: send `Authorization: Bearer KEY`")
    if not compare_digest(token.strip(), key):
        raise Unauthorized("this is not the key of this server")
