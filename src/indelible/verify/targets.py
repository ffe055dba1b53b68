"""The kinds of target: a new one is a module here, with `verify(target, terms)`, and a line in the table."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from indelible.errors import BadParameter, Misconfigured
from indelible.tree.tlogproof import HEADER
from indelible.verify.terms import Terms, Verdict

MOST_FILE = 64 << 20  # bytes of a receipt or a proof
_HEAD = 4096


class Kind(NamedTuple):
    """`fits` gets what the command line says, and a file's first bytes."""

    name: str
    module: str
    fits: Callable[[str, bytes], bool]


KINDS = (
    Kind("a server's URL", "server", lambda target, head: target.startswith(("http://", "https://"))),
    Kind("a data directory", "directory", lambda target, head: Path(target).is_dir()),
    Kind("a proof (.tlog-proof)", "prooffile", lambda target, head: head.startswith(HEADER.encode())),
    Kind("an evidence file (.zip)", "evidence", lambda target, head: head.startswith(b"PK")),
    Kind("a receipt, or an event with its proof, as JSON", "receipt", lambda target, head: head.lstrip().startswith(b"{")),
)


def verify(target: str, terms: Terms) -> Verdict:
    """What the kind's module makes of it. Raises BadParameter for what is of no kind, Misconfigured for what cannot be read."""
    head = b"" if KINDS[0].fits(target, b"") or Path(target).is_dir() else _head(target)
    for kind in KINDS:
        if kind.fits(target, head):
            verdict: Verdict = import_module(f"indelible.verify.{kind.module}").verify(target, terms)
            return verdict
    raise BadParameter(f"{target} is none of what can be verified: {'; '.join(kind.name for kind in KINDS)}")


def content(path: str) -> bytes:
    """A whole file. Raises Misconfigured, BadParameter for one that is too large to be what it should be."""
    try:
        with Path(path).open("rb") as file:
            found = file.read(MOST_FILE + 1)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from None
    if len(found) > MOST_FILE:
        raise BadParameter(f"{path} has more than {MOST_FILE:,} bytes: it is none of what can be verified")
    return found


def _head(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(_HEAD)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from None
