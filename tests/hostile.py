"""Events to be afraid of: a grammar of valid ones, and of ones with something wrong, in bytes.

`events()` gives (line, ok): `ok` is what the oracle says. A line holds no raw LF and no space around it.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hypothesis import strategies as st
from oracle import EVENT, is_event

GOOD_TEXT = (
    *(b"a", b"payment", b" ", b"u-1", b"{", b"[", b"}{", b"]", b",", b":", b"/", b"0", b"record", b"indelible.", b"'", b"null", b"--"),
    *(rb"\"", rb"\\", rb"\/", rb"\b", rb"\f", rb"\n", rb"\r", rb"\t", rb"\u0022", rb"\u005c", rb"\u0041", rb"\u00e9", rb"\u00E9"),
    *(rb"\ud83d\ude00", rb"\uD83D\uDE00", rb"\u2028", rb"\ufeff", rb"\uffff", rb"\\u0000", rb"\\ud800", rb"\\\"", rb"\u0085", rb"\u001f"),
    *("é".encode(), "😀".encode(), "\u2028".encode(), b"\x7f", "\x85".encode(), "\u202e".encode(), "\ufeff".encode()),
)
BAD_TEXT = (
    *(
        rb"\ud800",
        rb"\udc00",
        rb"\ude00\ud83d",
        rb"\ud83d\u0041",
        rb"\uD83D\\",
        rb"\u00",
        rb"\x41",
        rb"\U0041",
        b"\x01",
        b"\x00",
        b"\t",
        b"\x1f",
    ),
    *(b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", rb"\u0000", rb"x\u0000y", b'"', b"\\", b"\r"),
)
GOOD_NUMBERS = (
    *(b"0", b"-0", b"1", b"1e5", b"-0.0", b"18446744073709551616", b"0.1000", b"1e400", b"-1E-400", b"1E+2", b"9" * 400),
    *(b"9007199254740993", b"1.0", b"0e0", b"-9223372036854775809"),
)
BAD_NUMBERS = (b"NaN", b"Infinity", b"-Infinity", b"01", b"1.", b".5", b"+1", b"-", b"1e", b"0x1", b"1_0", b"--1", b"1e+", "١".encode())
TIMES = (
    *("2026-11-23T09:30:00Z", "2026-11-23T09:30:00.123456Z", "2026-11-23T09:30:00.9999999+01:00", "1970-01-01T00:30:00+00:30"),
    *("2026-11-23t09:30:00.5z", "2024-02-29T23:59:59-23:59", "9999-12-31T23:59:59.999999Z", "2026-11-23T09:30:00.123456789-00:00"),
)
BAD_TIMES = (
    *("", "now", "1732300000", "2026-11-23", "2026-11-23T09:30:00", "2026-11-23 09:30:00Z", "2026-02-29T00:00:00Z", "2026-11-23T09:30:60Z"),
    *(
        "2026-11-23T24:00:00Z",
        "1969-12-31T23:59:59.999999Z",
        "1970-01-01T00:30:00+00:31",
        "9999-12-31T23:59:59-00:01",
        "2026-11-23T09:30:00.Z",
    ),
    *("2026-11-23T09:30:00+0100", "2026-11-23T09:30:00+24:00", "2026-11-23T09:30:00Z ", "2026-11-23T09:30:00.12345aZ", "2026-11-23T09:30Z"),
    *("0000-01-01T00:00:00Z", "2026-13-01T00:00:00.000000Z", "2026-11-23T09:30:00.000000+", "\\u0000", "2026-11-23T09:30:00,5Z"),
)
RESULTS = (b'"success"', b'"failure"', b'"denied"', b'"unknown"', b'"pending"', rb'"\u0073uccess"')
SEQUENCES = (b"1", b"2", b"9223372036854775807")
BAD_SEQUENCES = (b"0", b"-0", b"-1", b"1.0", b"1e3", b"1e18", b"9223372036854775808", b"18446744073709551616", b"9" * 5000, b'"1"', b"true")
UNKNOWN = (b"timestamp", b"record", b"tpye", b"user", rb"\u0000", b"", "é".encode(), b"Type", b"old", b"@", b"x" * 300)


def events() -> st.SearchStrategy[tuple[bytes, bool]]:
    """(line, ok): about half are good; the others have one thing wrong, sometimes more."""
    return st.integers(0, 2**64 - 1).map(lambda seed: event(Random(seed)))


def good_events() -> st.SearchStrategy[bytes]:
    """Lines that the service must take."""
    return st.integers(0, 2**64 - 1).map(lambda seed: Grammar(Random(seed), 0.0).event()).filter(is_event)


def event(random: Random) -> tuple[bytes, bool]:
    badness = random.choice((0.0, 0.0, 0.01, 0.03, 0.1))
    line = Grammar(random, badness).event()
    if badness and random.random() < 0.15:
        line = mangled(random, line)
    return line, is_event(line)


def mangled(random: Random, line: bytes) -> bytes:
    """One accident to the whole line."""
    at, to = sorted((random.randrange(len(line) + 1), random.randrange(len(line) + 1)))
    accidents: list[Callable[[], bytes]] = [
        lambda: line[:at],
        lambda: line[:at] + line[to:],
        lambda: line[:at] + bytes([random.choice(b'{}[]",:\\ \r\x00\xff0e')]) + line[at:],
        lambda: line + random.choice((b"", b" ")) + line,
        lambda: b"[" + line + b"]",
        lambda: random.choice((b"null", b"1", b'"x"', b"[]", b"{}", b"x", b"\xef\xbb\xbf" + line, line + b",")),
    ]
    return random.choice(accidents)().replace(b"\n", b" ").strip(b" \t\r") or b"{"


class Grammar:
    """Writes events; each choice goes wrong with probability `badness`."""

    def __init__(self, random: Random, badness: float) -> None:
        self.random = random
        self.badness = badness
        self.spaced = random.random() < 0.3
        self.plain = random.random() < 0.3

    def event(self) -> bytes:
        names = [name for name in EVENT if name in ("type", "source") or self.random.random() < 0.3]
        if self.bad():
            names.remove(self.random.choice(("type", "source")))
        self.random.shuffle(names)
        return self.object([(name.encode(), self.member(name, EVENT[name])) for name in names])

    def bad(self) -> bool:
        return self.random.random() < self.badness

    def pick(self, good: tuple[bytes, ...], bad: tuple[bytes, ...]) -> bytes:
        return self.random.choice(bad if self.bad() else good)

    def space(self) -> bytes:
        return self.random.choice((b"", b" ", b"\t", b"  ")) if self.spaced else b""

    def object(self, members: list[tuple[bytes, bytes]], strict: bool = True) -> bytes:
        if members and (self.bad() if strict else self.random.random() < 0.1):
            members.insert(self.random.randrange(len(members) + 1), self.random.choice(members))
        if strict and self.bad():
            members.append((self.random.choice(UNKNOWN), self.value(1)))
        written = [self.space() + b'"' + self.name(name) + b'"' + self.space() + b":" + self.space() + value for name, value in members]
        return b"{" + b",".join(written) + self.space() + b"}"

    def name(self, name: bytes) -> bytes:
        """The name as it is, or with one letter escaped, which is the same name."""
        if name.isalpha() and self.random.random() < 0.05:
            return b"\\u%04x" % name[0] + name[1:]
        return name

    def member(self, name: str, kind: object) -> bytes:
        if self.bad():
            return self.value(2)
        if name not in ("type", "source") and kind != "any" and self.random.random() < 0.08:
            return b"null"
        if isinstance(kind, dict):
            return self.object([(one.encode(), self.member(one, kind[one])) for one in kind if self.random.random() < 0.5])
        if isinstance(kind, list):
            count = self.random.choice((63, 64, 65, 66)) if self.random.random() < 0.02 else self.random.randrange(3)
            return b"[" + b",".join(self.space() + self.member("", kind[0]) for _ in range(count)).replace(b"null", b"{}") + b"]"
        return {
            "labels": self.labels,
            "time": lambda: b'"%s"' % self.pick(_encoded(TIMES), _encoded(BAD_TIMES)),
            "result": lambda: self.pick(RESULTS, (b'"ok"', b"1", b'"SUCCESS"', b"null")),
            "sequence": lambda: self.pick(SEQUENCES, BAD_SEQUENCES),
            "flag": lambda: self.pick((b"true", b"false"), (b"1", b'"true"', b"True")),
            "any": lambda: self.value(self.random.choice((0, 1, 2, 3, 30, 60, 61, 62, 63, 64, 65)) if self.random.random() < 0.3 else 2),
            "text": lambda: self.header() if name in ("type", "source", "id") else self.text(),
        }[str(kind)]()

    def labels(self) -> bytes:
        count = self.random.choice((63, 64, 65, 70)) if self.random.random() < 0.05 else self.random.randrange(4)
        return self.object([(b"l%d" % place if count > 4 else self.inner(), self.text()) for place in range(count)], strict=False)

    def header(self) -> bytes:
        if self.bad():
            return self.random.choice(
                (b'""', b'"indelible.x"', rb'"indelible\u002econflict"', b'"%s"' % (b"x" * 257), rb'"a\u0085b"', rb'"\u0000"')
            )
        if self.random.random() < 0.1:
            return b'"%s"' % self.random.choice((b"x" * 256, "😀".encode() * 256, "é".encode() * 255))
        return b'"x%s"' % self.inner() if self.random.random() < 0.2 else b'"payment.charged"'

    def text(self) -> bytes:
        return b'"%s"' % self.inner()

    def inner(self) -> bytes:
        if self.plain:
            return b"plain" if not self.bad() else self.random.choice(BAD_TEXT)
        return b"".join(self.pick(GOOD_TEXT, BAD_TEXT) for _ in range(self.random.randrange(4)))

    def value(self, deep: int) -> bytes:
        """Any JSON value, nested `deep` levels at most."""
        match self.random.randrange(5 if deep < 4 else 2) if deep else 4:
            case 0:
                return b"[" + self.value(deep - 1) + b"]"
            case 1:
                return self.object([(self.inner(), self.value(deep - 1))], strict=False)
            case 2:
                return self.pick(GOOD_NUMBERS, BAD_NUMBERS)
            case 3:
                return self.pick((self.text(), rb'"\u0000"'), (b"'x'", b"nul", b"[1,]", b'{"a":1,}', b"{a:1}", b'{"a"}', b""))
        return self.random.choice((b"null", b"true", b"{}", b"[]", self.text(), *GOOD_NUMBERS[:3]))


def _encoded(times: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(time.encode() for time in times)
