"""What can be configured: one table of settings, with how each is read and shown. A new setting is one row (docs/configuration.md)."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

from indelible.model.event import Limits

_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30
_UNITS = {"": 1, "b": 1, "kib": _KIB, "mib": _MIB, "gib": _GIB}
_SIZE = re.compile(r"(\d{1,15}) ?(b|kib|mib|gib|)", re.IGNORECASE | re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", re.ASCII)
_LOG = re.compile(r"(?!g[0-9]+\Z)[a-z0-9][a-z0-9-]{0,62}")  # g2 names the second tree of the log before it
_ORIGIN = re.compile(r"[!-*,-~]*[!-*,-.0-~]", re.ASCII)  # what a signing key's name can hold of ASCII
MOST_ORIGIN = 180  # characters; a witness's signature has room for 255, log and generation included
_KEY = re.compile(r"[!-~]{32,1024}")


class Setting(NamedTuple):
    """A row of the table.

    `read` makes the value of what stands in a flag, a variable (both text) or the file (a TOML value); it raises ValueError with what
    would be right. `show` writes a value as a person would.
    """

    name: str
    read: Callable[[object], Any]
    default: Any
    form: str
    meaning: str
    show: Callable[[Any], str] = str
    secret: bool = False
    switch: bool = False  # true or false: its flag takes no value

    @property
    def variable(self) -> str:
        return f"INDELIBLE_{self.name.upper()}"

    @property
    def flag(self) -> str | None:
        """None for a secret: every user of the machine can read a running command's flags."""
        return None if self.secret else f"--{self.name.replace('_', '-')}"


def size_text(size: int) -> str:
    """Bytes as a person writes them, exact: 16777216 is `16 MiB`."""
    for unit, name in ((_GIB, "GiB"), (_MIB, "MiB"), (_KIB, "KiB")):
        if size and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"


def _host(value: object) -> str:
    if isinstance(value, str) and (_HOST.fullmatch(value) or _address(value)):
        return value
    raise ValueError("a name or an address of this machine without port and brackets, such as 127.0.0.1, ::1 or 0.0.0.0")


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches a server that listens on `host`."""
    return host.lower() == "localhost" or (_address(host) and ip_address(host).is_loopback)


def _address(value: str) -> bool:
    try:
        return bool(ip_address(value))
    except ValueError:
        return False


def _whole(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        number = int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,15}", value, re.ASCII) else value
        if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return number

    return read


def _size(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        text = _SIZE.fullmatch(value) if isinstance(value, str) else None
        number = int(text[1]) * _UNITS[text[2].lower()] if text else value
        if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= most:
            raise ValueError(f"bytes, or a size such as 512 KiB, 16 MiB or 1 GiB, from {size_text(least)} to {size_text(most)}")
        return number

    return read


def _flag(value: object) -> bool:
    flag = {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
    if not isinstance(flag, bool):
        raise ValueError("true or false")
    return flag


def _flag_text(value: bool) -> str:
    return "true" if value else "false"


def _folder(value: object) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("the path of a directory, such as ./data")
    return Path(value)


def _key(value: object) -> str:
    if not isinstance(value, str) or not _KEY.fullmatch(value):
        has = f"; this one has {len(value)}" if isinstance(value, str) else ""
        raise ValueError(f"text of 32 to 1024 ASCII characters without spaces, such as `openssl rand -hex 32` prints{has}")
    return value


def _names(value: object) -> tuple[str, ...]:
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
    if isinstance(names, list) and names and all(isinstance(name, str) and _LOG.fullmatch(name) for name in names):
        logs = tuple(names)
        if len(set(logs)) == len(logs):
            return logs
    raise ValueError(
        "names, each once, of a-z, 0-9 and - (not first), of at most 63 characters, not g and a number, such as default,billing"
    )


def _origin(value: object) -> str | None:
    if value == "random":
        return None
    if not isinstance(value, str) or len(value) > MOST_ORIGIN or not _ORIGIN.fullmatch(value):
        raise ValueError(
            f"a name as in a URL, without the scheme, spaces, + and a slash at the end, of at most {MOST_ORIGIN} ASCII characters: "
            "trail.example.org/v1/logs"
        )
    return value


def _path(value: object) -> Path | None:
    if value == "none":
        return None
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("the path of a file, or none")
    return Path(value)


def _path_text(value: Path | None) -> str:
    return "none" if value is None else str(value)


def _origin_text(value: str | None) -> str:
    return value or "random"


_USUAL = Limits()
SETTINGS = (
    Setting("host", _host, "127.0.0.1", "HOST", "The address to listen on; any but loopback needs a key."),
    Setting("port", _whole(0, 65_535), 8080, "PORT", "The TCP port to listen on; 0 takes a free one."),
    Setting("data", _folder, Path("data"), "DIR", "The data directory, made if it is not there; in the file, relative to the file."),
    Setting("key", _key, None, "TEXT", "What clients send as `Authorization: Bearer KEY`; 32 characters or more.", secret=True),
    Setting("logs", _names, ("default",), "NAMES", "The logs there are, with commas between; in the file, an array.", ",".join),
    Setting("origin", _origin, None, "NAME", "What the logs are called where they are signed, for ever; or `random`.", _origin_text),
    Setting("policy", _path, None, "FILE", "Whose cosignatures a checkpoint needs: docs/witnesses.md; or `none`.", _path_text),
    Setting("witness_timeout", _whole(1, 300), 10, "SECONDS", "The longest wait for a witness's answer."),
    Setting("event_bytes", _size(_KIB, 255 * _MIB), _USUAL.event_bytes, "SIZE", "The largest event; at most batch_bytes.", size_text),
    # A frame's lines are at most a body and its last LF long; the journal holds 256 MiB of them.
    Setting("batch_bytes", _size(_KIB, 255 * _MIB), _USUAL.batch_bytes, "SIZE", "The largest body of a request, inflated.", size_text),
    Setting("batch_events", _whole(1, 1_000_000), _USUAL.batch_events, "COUNT", "The most events in one request."),
    # Three texts of 4,000 characters, each 6 bytes when escaped (type: 4), fit a header of 65,535 bytes.
    Setting("header_characters", _whole(36, 4000), _USUAL.header_characters, "COUNT", "The most characters in type, source and id each."),
    Setting("targets", _whole(0, 1_000_000), _USUAL.targets, "COUNT", "The most targets of an event."),
    Setting("labels", _whole(0, 1_000_000), _USUAL.labels, "COUNT", "The most labels of an event."),
    Setting(
        "in_flight",
        _size(2 * _KIB, 1 << 40),
        64 * _MIB,
        "SIZE",
        "Bodies in memory at once, above it 503; 2 × batch_bytes or more.",
        size_text,
    ),
    Setting("quick", _flag, True, "BOOL", "Answer small plain requests below ASGI: the same answers, sooner.", _flag_text),
    Setting("workers", _whole(1, 64), 1, "COUNT", "Processes that prepare requests above 64 KiB; 1: this process alone."),
    Setting("tail_memory", _size(0, 1 << 40), _GIB, "SIZE", "Kept mapped for readers; beyond it answers are slower.", size_text),
    Setting("connections", _whole(1, 1_000_000), 4096, "COUNT", "The most connections at once, above it 503."),
    Setting("head_timeout", _whole(1, 3600), 10, "SECONDS", "For a request's line and headers to come, then 408."),
    Setting("stall_timeout", _whole(1, 3600), 30, "SECONDS", "A body that brings less than 1 KiB/s for so long ends in 408."),
    Setting("idle_timeout", _whole(1, 86_400), 75, "SECONDS", "An idle connection is closed; more than proxies before it wait."),
    Setting(
        "read_only", _flag, False, "BOOL", "Only read: take no lock, write nothing under data, refuse events.", _flag_text, switch=True
    ),
    Setting("ack_timeout", _whole(1, 3600), 10, "SECONDS", "The longest wait of a request with ack=proven or ack=witnessed."),
    Setting(
        "fsck_rate", _size(0, 1 << 40), _MIB, "SIZE", "Of the journal, read again a second to find what the disk lost; 0: none.", size_text
    ),
    Setting("journal_file_size", _size(_MIB, 16 * _GIB), 64 * _MIB, "SIZE", "After how much a new journal file begins.", size_text),
    Setting("reserve", _size(0, 1 << 40), 64 * _MIB, "SIZE", "Held back on the disk for what makes space when it is full.", size_text),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}
