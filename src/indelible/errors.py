"""Everything Indelible raises on purpose.

IndelibleError
├── Refused                     what came in cannot be kept or answered; nothing was stored
│   ├── NotJSON           400   the bytes are not JSON, or cannot be split into events
│   ├── BadParameter      400   a query parameter is unknown or malformed
│   ├── Unauthorized      401   the key is missing or wrong
│   ├── CrossSite         403   a page of another site tries to write through a reader's browser
│   ├── NotFound          404   no such event, entry, log or page
│   ├── NotYet            404   it comes within seconds by itself: ask again
│   ├── NotAllowed        405   this path is there, but not with this method
│   ├── TooSlow           408   the request did not come in time
│   ├── Ambiguous         409   one id in two sources: say which with ?source=
│   ├── Conflict          409   this id is taken by other bytes
│   ├── TooLarge          413   the event, the batch or its inflated form is over a limit
│   ├── Unsupported       415   a content type or encoding we do not read
│   ├── WrongHost         421   the Host header names another machine
│   ├── NotAnEvent        422   JSON, but no event: faults say where and what would be right
│   └── HeadTooLarge      431   the request's line and headers are over a limit
├── Busy                  503   try the same bytes again in `retry_after` seconds
│   └── Replaced          503   the journal that was being read is another one now: start what reads it again
├── ReadOnly              503   this server only reads: another one takes the events
├── JournalFull           507   no space; reading goes on
├── JournalFailed     exit 74   a write or sync failed and the outcome is unknown: the process ends
├── Damaged           exit 65   the disk does not hold what was written: file, offset, the command that helps
├── Unproven          exit 65   what was shown does not prove what it should: ask who gave it, trust nothing of it
│   └── Malformed     exit 65   nor could it: the bytes are no note, key, checkpoint, proof, tile or policy
├── InUse             exit 75   another process holds the data directory
├── Misconfigured     exit 78   the configuration cannot work: which setting, and what would
└── Unreachable       exit 69   the client found no server, or the server would not take the events
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import UNSET, Struct, UnsetType


class Fault(Struct, frozen=True):
    """One thing that is wrong, and what would be right.

    `index` counts the events sent, from 0; `pointer` is a JSON pointer as a URI fragment (`#/actor/id`);
    `parameter` names a query parameter or header. Source: RFC 9457, 3 (the `errors` extension).
    """

    detail: str
    index: int | UnsetType = UNSET
    pointer: str | UnsetType = UNSET
    parameter: str | UnsetType = UNSET


class IndelibleError(Exception):
    """The root. `detail` is one sentence for a person: what, with which value, and what would be right."""

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    name: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong inside Indelible"

    def __init__(self, detail: str = "", faults: tuple[Fault, ...] = (), total: int | None = None) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.faults = faults
        self.total = len(faults) if total is None else total


class Refused(IndelibleError):
    status = 400
    exit_code = 65
    name = "refused"
    title = "The request was refused"


class NotJSON(Refused):
    name = "not-json"
    title = "The body is not JSON"


class BadParameter(Refused):
    exit_code = 64
    name = "bad-parameter"
    title = "A parameter is unknown or malformed"


class Unauthorized(Refused):
    status = 401
    exit_code = 77
    name = "unauthorized"
    title = "A key is needed"


class CrossSite(Refused):
    status = 403
    exit_code = 77
    name = "cross-site"
    title = "A page of another site may not write here"


class NotFound(Refused):
    status = 404
    exit_code = 64
    name = "not-found"
    title = "There is nothing under this name"


class NotYet(Refused):
    status = 404
    exit_code = 75
    name = "not-yet"
    title = "It is not there yet: ask again"


class NotAllowed(Refused):
    status = 405
    name = "method-not-allowed"
    title = "This path does not take that method"


class TooSlow(Refused):
    status = 408
    exit_code = 75
    name = "too-slow"
    title = "The request did not come in time"


class Ambiguous(Refused):
    status = 409
    name = "ambiguous-id"
    title = "More than one source sent this id"


class Conflict(Refused):
    """This id is taken by other bytes. `index` is the entry that records the conflict."""

    status = 409
    name = "conflict"
    title = "This id is taken by other bytes"

    def __init__(self, detail: str = "", faults: tuple[Fault, ...] = (), total: int | None = None, index: int | None = None) -> None:
        super().__init__(detail, faults, total)
        self.index = index


class TooLarge(Refused):
    status = 413
    name = "too-large"
    title = "The body is over a limit"


class Unsupported(Refused):
    status = 415
    name = "unsupported-media-type"
    title = "The content type is not one that Indelible reads"


class WrongHost(Refused):
    status = 421
    name = "wrong-host"
    title = "This server does not answer to that host"


class NotAnEvent(Refused):
    status = 422
    name = "not-an-event"
    title = "The body is JSON but not an event"


class HeadTooLarge(Refused):
    status = 431
    name = "head-too-large"
    title = "The request's line and headers are over a limit"


class Busy(IndelibleError):
    status = 503
    exit_code = 75
    name = "busy"
    title = "Too much is in flight"
    retry_after: ClassVar[int] = 1


class Replaced(Busy):
    name = "journal-replaced"
    title = "The journal was replaced while it was read"


class ReadOnly(IndelibleError):
    status = 503
    exit_code = 75
    name = "read-only"
    title = "This server only reads"
    retry_after: ClassVar[int] = 10


class JournalFull(IndelibleError):
    status = 507
    exit_code = 75
    name = "disk-full"
    title = "The disk is full: nothing was stored, reading goes on"
    retry_after: ClassVar[int] = 10


class JournalFailed(IndelibleError):
    status = 503
    exit_code = 74
    name = "journal-failed"
    title = "A write or sync of the journal failed; its outcome is unknown"


class Damaged(IndelibleError):
    exit_code = 65
    name = "damaged"
    title = "The data directory is damaged"


class Unproven(IndelibleError):
    """Someone's proof or signature does not hold. `verify` raises this or returns; nothing it looked at may be trusted in part."""

    exit_code = 65
    name = "unproven"
    title = "This does not prove what it should"


class Malformed(Unproven):
    name = "malformed"
    title = "The bytes are not what they should be"


class InUse(IndelibleError):
    exit_code = 75
    name = "in-use"
    title = "The data directory is in use"


class Misconfigured(IndelibleError):
    exit_code = 78
    name = "misconfigured"
    title = "The configuration cannot work"


class Unreachable(IndelibleError):
    exit_code = 69
    name = "unreachable"
    title = "The server cannot be reached"


_KINDS: tuple[type[Refused], ...] = (Refused, *Refused.__subclasses__())
REFUSALS = {kind.name: kind for kind in _KINDS}
"""By the name at the end of a problem's type."""
