"""Requests to be afraid of, as the bytes on the wire: half-sensible ones from the OpenAPI document and a grammar of events, and accidents.

Everything comes out of the `Random` that is passed in: a seed repeats a request.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote_from_bytes

from hostile import BAD_TEXT, GOOD_TEXT, TIMES, Grammar, event

HOSTS = (b"127.0.0.1", b"localhost:80", b"[::1]", b"evil.example", b"", b"127.0.0.1:x", b"\xff")
KINDS = (
    *(
        b"application/json",
        b"application/x-ndjson",
        b"application/jsonl",
        b"Application/JSON; charset=UTF-8",
        b"application/json;charset=utf-16",
    ),
    *(
        b"",
        b"text/plain",
        b"application/x-www-form-urlencoded",
        b"application/json; charset",
        b";",
        b"application/json\x80",
        b"*/*",
        b"a" * 300,
    ),
)
CODINGS = (b"gzip", b"x-gzip", b"GZIP", b"br", b"identity", b"", b"gzip, gzip", b"deflate", b"zstd")
METHODS = (
    *(b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"QUERY", b"PROPFIND", b"PRI", b"SOURCE"),
    *(b"get", b"G\0T", b"", b"GET\t", b"M-SEARCH", b"\xff"),
)
VERSIONS = (b"HTTP/1.1",) * 12 + (b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.2", b"RTSP/1.0", b"http/1.1", b"", b"HTTP/1.10")
FRAMING = (
    *(
        b"Content-Length: 0",
        b"Content-Length: +5",
        b"Content-Length: 5, 5",
        b"Content-Length: -1",
        b"Content-Length: 5\r\nContent-Length: 6",
    ),
    *(b"Content-Length: 99999999999999999999", b"Content-Length: 18446744073709551615", b"Content-Length : 5", b"Content-Length:"),
    *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: identity", b"Transfer-Encoding: xchunked"),
    *(b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 3", b"Transfer-Encoding: \x0bchunked"),
    *(b"Connection: close", b"Connection: Upgrade\r\nUpgrade: h2c", b"Connection: Upgrade\r\nUpgrade: websocket", b"Expect: 100-continue"),
    *(
        b"Expect: 200-ok",
        b"Host: evil",
        b"Host: 127.0.0.1",
        b"X: a\nY: b",
        b"X: a\rY: b",
        b"X: a\0b",
        b"X\0: a",
        b" X: a",
        b"X : a",
        b"X",
        b": a",
    ),
    *(b"Origin: http://evil", b"Origin: null", b"Authorization: Bearer x", b"Accept-Encoding: *", b"Range: bytes=0-1", b"If-None-Match: *"),
    *(b"X: " + b"x" * 40_000, b"\r\n".join([b"A: b"] * 120), b"Cookie: \xff\xfe", b"Trailer: Host", b"X-Forwarded-Host: evil"),
)
TARGETS = (
    *(
        b"*",
        b"/",
        b"//",
        b"/..",
        b"/v1/..%2f..",
        b"/%00",
        b"/%ff",
        b"/%",
        b"/%zz",
        b"/v1/events/",
        b"/v1/events//",
        b"/v1/logs/default/events",
    ),
    *(b"http://127.0.0.1/v1/count", b"http://evil/v1/count", b"evil:443", b"?", b"", b"/#", b"/\\", b"/\xe9", b"/v1/logs/%64efault/count"),
    *(b"/" + b"a" * 9000, b"/v1/logs/default/entries/" + b"9" * 5000, b"/v1/events/" + b"%41" * 3000, b"/v1/logs/../v1/count", b"/a b"),
)


class Drawn(NamedTuple):
    """What is written, and the lines that may be found in the trail afterwards; None where nobody can say."""

    data: bytes
    lines: frozenset[bytes] | None


class Requests:
    """Draws requests to the interface that `document` (OpenAPI) describes."""

    def __init__(self, document: Any) -> None:
        parts = document["components"]["parameters"]
        self._operations: list[tuple[str, bytes, list[tuple[str, str]]]] = []
        for path, item in document["paths"].items():
            for method, operation in item.items():
                named = [parts[each["$ref"].rpartition("/")[2]] for each in operation["parameters"]]
                self._operations.append((path, method.upper().encode(), [(each["in"], each["name"]) for each in named]))

    def draw(self, random: Random) -> Drawn:
        """One request, or several in a row on one connection."""
        if random.random() < 0.06:
            some = [self.one(random) for _ in range(random.randrange(2, 5))]
            known = [each.lines for each in some if each.lines is not None]
            return Drawn(b"".join(each.data for each in some), frozenset().union(*known) if len(known) == len(some) else None)
        return self.one(random)

    def one(self, random: Random) -> Drawn:
        drawn = self._post(random) if random.random() < 0.5 else Drawn(self._question(random), frozenset())
        return Drawn(mangled(random, drawn.data), None) if random.random() < 0.12 else drawn

    def _question(self, random: Random) -> bytes:
        path, method, parameters = random.choice(self._operations)
        target, query, headers = path.encode(), [], []
        for place, name in parameters:
            if place == "path":
                known = random.choice((b"default", b"problems", b"conflict", b"0", b"1", b"b-1"))
                target = target.replace(b"{%b}" % name.encode(), known if random.random() < 0.6 else escaped(random, text(random)))
            elif place == "query" and random.random() < 0.12:
                query.append(escaped(random, name.replace("{name}", "team").encode()) + b"=" + escaped(random, value(random, name)))
            elif place == "header" and random.random() < 0.2:
                headers.append(name.encode() + b": " + printable(text(random)))
        if random.random() < 0.2:
            query.append(
                random.choice((b"", b"=", b"a", b"%", b"%zz=1", b"type=a&type=b", b"limit=0", b"cursor=x", b"+=+", b"&" * 300, b"q=a"))
            )
        if random.random() < 0.08:
            target = random.choice(TARGETS)
        if random.random() < 0.1:
            method = random.choice(METHODS)
        return head(random, method, target + (b"?" + b"&".join(query) if query else b""), headers) + b"\r\n"

    def _post(self, random: Random) -> Drawn:
        good = random.random() < 0.4
        drawn = [Grammar(random, 0.0).event() if good else event(random)[0] for _ in range(random.choice((0, 1, 1, 1, 2, 3, 8, 40)))]
        shape = random.choice(("one", "array", "lines", "lines"))
        body = b"".join(line + random.choice((b"\n", b"\r\n")) for line in drawn) if shape == "lines" else b",".join(drawn)
        body = b"[" + body + b"]" if shape == "array" else body
        kind = KINDS[1 if shape == "lines" else 0] if random.random() < 0.85 else random.choice(KINDS)
        headers = [b"Content-Type: " + kind] if kind or random.random() < 0.5 else []
        spoiled = shape != "lines" and not good  # half an event and half of another may make one
        if random.random() < 0.15:
            headers.append(b"Content-Encoding: " + random.choice(CODINGS))
            body = gzip.compress(body, mtime=0) if random.random() < 0.8 else body
            if random.random() < 0.2:
                spoiled = True
                body = mangled(random, body)
        if random.random() < 0.15:
            headers.append(b"Idempotency-Key: " + printable(text(random)))
        path = (
            b"/v1/events"
            if random.random() < 0.7
            else random.choice((b"/v1/logs/default/events", b"/v1/logs/other/events", b"/v1/logs/%64efault/events"))
        )
        query = (
            b""
            if random.random() < 0.5
            else random.choice((b"?on_error=skip",) * 6 + (b"?", b"?on_error=all", b"?x=y", b"?on_error=skip&", b"?%6fn_error=skip"))
        )
        framed, sent = framing(random, body)
        lines = (
            None
            if spoiled
            else frozenset(
                line.translate(bytes.maketrans(b"\r\n", b"  ")).strip(b" \t").removeprefix(b"\xef\xbb\xbf").strip(b" \t") for line in drawn
            )
        )
        return Drawn(head(random, b"POST", path + query, [*headers, *framed]) + b"\r\n" + sent, lines)


def head(random: Random, method: bytes, target: bytes, headers: Sequence[bytes]) -> bytes:
    lines = [b"Host: " + (HOSTS[0] if random.random() < 0.93 else random.choice(HOSTS)), *headers]
    if random.random() < 0.06:
        lines.insert(random.randrange(len(lines) + 1), random.choice(FRAMING))
    version = VERSIONS[0] if random.random() < 0.97 else random.choice(VERSIONS)
    return b"\r\n".join([method + b" " + target + b" " + version, *lines]) + b"\r\n"


def framing(random: Random, body: bytes) -> tuple[list[bytes], bytes]:
    """The headers that say how the body comes, and the body as it comes."""
    if random.random() < 0.75:
        return [b"Content-Length: %d" % len(body)], body
    pieces, at = [], 0
    while at < len(body):
        size = random.choice((1, 2, 7, 100, 5000))
        extension = random.choice((b"", b"", b";a=b", b';a="\r\n"', b";" + b"a" * 3000))
        pieces.append(b"%x%b\r\n%b\r\n" % (len(body[at : at + size]), extension, body[at : at + size]))
        at += size
    trailers = random.choice((b"", b"", b"X: y\r\n", b"Host: evil\r\nContent-Encoding: gzip\r\n", b"Content-Length: 5\r\n"))
    return [b"Transfer-Encoding: chunked"], b"".join(pieces) + b"0\r\n" + trailers + b"\r\n"


def text(random: Random) -> bytes:
    pieces = GOOD_TEXT + BAD_TEXT if random.random() < 0.5 else (b"a", b"b-1", b"payment.charged", b"x", b"*", b"1")
    return b"".join(random.choice(pieces) for _ in range(random.randrange(4)))


def value(random: Random, name: str) -> bytes:
    if name in ("since", "until"):
        return random.choice(TIMES).encode() if random.random() < 0.7 else text(random)
    if name == "limit":
        return random.choice((b"1", b"2", b"1000", b"1001", b"0", b"-1", b"9" * 400, b"1.0", b" 1", "١".encode(), b""))
    return text(random)


def escaped(random: Random, raw: bytes) -> bytes:
    """Percent-encoded, sometimes needlessly, sometimes not at all."""
    if random.random() < 0.1:
        return raw.replace(b" ", b"+").replace(b"\r", b"").replace(b"\n", b"")
    return b"".join(b"%%%02x" % byte for byte in raw) if random.random() < 0.1 else quote_from_bytes(raw, safe="").encode()


def printable(raw: bytes) -> bytes:
    return bytes(byte for byte in raw if byte > 31 and byte != 127)


def mangled(random: Random, data: bytes) -> bytes:
    """One accident, seldom more."""
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        data = accident(random, data)
    return data


def accident(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    to = min(len(data), at + random.randrange(400))
    piece = random.choice((b"\r\n", b"\n", b"\0", b" ", b"\r\n\r\n", b"0\r\n\r\n", b'"', b"{", b"}", b"\xff", random.randbytes(5)))
    flipped = bytes(byte ^ (1 << random.randrange(8)) for byte in data[at : at + 1])
    return random.choice(
        (
            data[:at],
            data[:at] + data[to:],
            data[:to] + data[at:],
            data[:at] + piece + data[at:],
            data[:at] + flipped + data[at + 1 :],
        )
    )
