"""Dialects: a content type and the function that turns a body of it into native lines.

A new dialect is one module here and one line in FORMATS.
"""

from __future__ import annotations

from collections.abc import Callable

from indelible.errors import Unsupported
from indelible.formats import native
from indelible.formats.lines import Lines, media_type
from indelible.model.event import Limits

__all__ = ["FORMATS", "Lines", "split"]

FORMATS: dict[str, Callable[[bytes, str, Limits], Lines]] = {
    native.JSON: native.split,
    **dict.fromkeys(native.NDJSON, native.split),
}

_FIX = f"send -H 'Content-Type: {native.JSON}', or with curl --json '…' instead of -d '…'; lines of events are {native.NDJSON[0]}"


def split(body: bytes, content_type: str, limits: Limits) -> Lines:
    """The events in `body`, in the dialect that its content type names.

    Raises Unsupported, with the fix, if there is none; else what the dialect raises.
    """
    kind = media_type(content_type)
    if not kind:
        raise Unsupported(f"there is no Content-Type: {_FIX}")
    if kind not in FORMATS:
        curl = ", which is what curl -d sends," if kind == "application/x-www-form-urlencoded" else ""
        raise Unsupported(f"Content-Type {kind[:80]}{curl} is not read here: {_FIX}")
    return FORMATS[kind](body, content_type, limits)
