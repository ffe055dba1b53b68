"""The events that are sent: an online shop's trail, 541 bytes each, told apart by the digits of a running number.

The digits stand at the same places in every event, so a batch becomes the next one by writing the columns that changed: about one
digit, a strided slice, for a thousand events. Of 1,000,000 events in their order each of KINDS types has a tenth, each of 1,000
customers a thousandth.
"""

from __future__ import annotations

import json
from functools import lru_cache
from random import Random

SIZE = 541  # bytes of an event, without the LF behind it
DIGITS = 9  # of an event's number
KINDS = (
    ("product.viewed", "frontend", "product", "success"),
    ("cart.item_added", "cartservice", "cart", "success"),
    ("cart.emptied", "cartservice", "cart", "success"),
    ("order.placed", "checkoutservice", "order", "success"),
    ("payment.charged", "paymentservice", "payment", "success"),
    ("payment.declined", "paymentservice", "payment", "failure"),
    ("shipment.created", "shippingservice", "shipment", "success"),
    ("email.sent", "emailservice", "message", "success"),
    ("price.converted", "currencyservice", "price", "success"),
    ("advert.shown", "adservice", "advert", "success"),
)  # type, source, type of the target, result: that of an event is told by its number's last digit
_REGIONS = ("eu-west-1", "eu-north-1", "us-east-1")


def id_of(number: int) -> str:
    return f"0193a0c4-7e11-7000-8000-000{number:0{DIGITS}d}"


def actor_of(number: int) -> str:
    return f"customer-{number % 1000:03d}"


def type_of(number: int) -> str:
    return KINDS[number % len(KINDS)][0]


def event(number: int) -> bytes:
    """The event of this number, without LF."""
    return _shape(number % 1000) % _digits(number)


@lru_cache(1000)
def _shape(lane: int) -> bytes:
    """The events of all numbers that end with the three digits of `lane`: a format for `_digits`, which come before all that is chosen."""
    kind, source, target, result = KINDS[lane % len(KINDS)]
    chosen = Random(lane)
    members = {
        "id": id_of(0).removesuffix("0" * DIGITS) + "%b",
        "time": "2026-11-24T10:00:0%b.%bZ",
        "actor": {"id": actor_of(lane), "type": "customer"},
        "trace": {"correlation_id": "visit-%b", "traceparent": f"00-{chosen.randbytes(16).hex()}-{chosen.randbytes(8).hex()}-01"},
        "targets": [{"id": "%b", "type": target}],
        "type": kind,
        "source": source,
        "outcome": {"result": result},
        "where": {"environment": "production", "region": chosen.choice(_REGIONS), "instance": f"{source}-{chosen.randrange(100)}"},
        "data": {"units": chosen.randrange(1000), "nanos": chosen.randrange(10**9), "currency": "EUR", "note": ""},
    }
    bare = json.dumps(members, separators=(",", ":")).encode()
    note = chosen.randbytes(SIZE).hex()[: SIZE - len(bare % _digits(lane))].encode()
    return bare[:-3] + note + bare[-3:]


def _digits(number: int) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    text = b"%0*d" % (DIGITS, number)
    return text, text[-7:-6], text[-6:], text, text


class Slip:
    """A request for one event, written anew for each block: number `block` * 1,000 + `lane`."""

    def __init__(self, lane: int, head: bytes) -> None:
        self._lane = lane
        self._text = head + _shape(lane)
        self.request: bytes | bytearray = head + event(lane)

    def turn(self, block: int) -> None:
        """Make it the request for another block of numbers."""
        self.request = self._text % _digits(block * 1000 + self._lane)


class Sheet:
    """A request for `count` events, written once and then turned into the next one in place.

    Holds the numbers from `block` * span + `lane` on, where span is 1,000 (or `count`, if that is more). With `logs`, `head` names the
    log `log_name(0)`, and the blocks go to so many logs in turn.
    """

    def __init__(self, count: int, lane: int, head: bytes, logs: int = 0) -> None:
        self.request = bytearray(head + b"".join([event(lane + place) + b"\n" for place in range(count)]))
        self._start, self._count, self._logs = len(head), count, logs
        self._log = head.find(log_name(0).encode())
        lowest = len(str(span(count))) - 1
        self._columns = [_columns(digit) for digit in range(lowest, DIGITS)]
        self._shown = "0" * len(self._columns)

    def turn(self, block: int) -> None:
        """Make it the request for another block of numbers."""
        text = f"{block:0{len(self._columns)}d}"[::-1]
        for digit, shown, columns in zip(text, self._shown, self._columns, strict=True):
            if digit != shown:
                column = digit.encode() * self._count
                for at in columns:
                    self.request[self._start + at :: SIZE + 1] = column
        self._shown = text
        if self._logs:
            name = log_name(block % self._logs).encode()
            self.request[self._log : self._log + len(name)] = name


def log_name(number: int) -> str:
    return f"log-{number:04d}"


def span(count: int) -> int:
    """How many numbers a block has."""
    return max(1000, count)


def _columns(digit: int) -> list[int]:
    """Where in an event the digit stands that counts 10 ** digit, for those that choose nothing else in it."""
    return [at for at, (one, other) in enumerate(zip(event(0), event(10**digit), strict=True)) if one != other]
