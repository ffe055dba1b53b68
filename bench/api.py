"""How the services that are measured take events, and how they say that they have them."""

from __future__ import annotations

from typing import NamedTuple


class Api(NamedTuple):
    """Where one event and a batch go, the status that acknowledges each, and the words that must stand in the answer."""

    one: str
    many: str
    one_status: bytes
    many_status: bytes
    one_words: bytes
    many_words: bytes  # %d: how many were sent


APIS = {
    "indelible": Api("/v1/events", "/v1/events", b"201", b"201", b'"status":"stored"', b'"stored":%d,"duplicates":0,'),
    "handmade": Api("/v1/events", "/v1/events/batch", b"201", b"200", b"", b'{"accepted":%d}'),
}
