"""What every dialect turns a request's body into: events, one native line each."""

from __future__ import annotations

from msgspec import Struct

from indelible.errors import Unsupported


class Lines(Struct, frozen=True, gc=False):
    """A request's events. `text` is the lines with an LF after each; no line holds a raw CR or LF outside a string.

    `single` when the body was one event and not a list of them, so that it is answered by its receipt alone.
    """

    text: bytes
    lines: list[bytes]
    single: bool
    dialect: str = "native"


def media_type(content_type: str) -> str:
    """`Application/JSON; charset=UTF-8` → `application/json`. Raises Unsupported for a charset that is not UTF-8."""
    kind, *parameters = content_type.split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        charset = value.strip().strip("\"'").lower()
        if name.strip().lower() == "charset" and charset not in ("utf-8", "utf8", "us-ascii"):
            raise Unsupported(f"charset {value.strip()[:60]} is not read: send UTF-8, and no charset parameter is needed")
    return kind.strip().lower()
