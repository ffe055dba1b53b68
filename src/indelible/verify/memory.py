"""What was verified before: the newest checkpoint of each log, so that one which goes back or forks is found out."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from msgspec import MsgspecError, Struct
from msgspec.json import decode, encode, format

from indelible.errors import Malformed, Misconfigured
from indelible.tree.checkpoint import Told, parse_checkpoint
from indelible.tree.note import parse_note
from indelible.verify.trust import Accepted

FORMAT = 1


class Seen(Struct, frozen=True):
    """A checkpoint that was verified with all entries under it. `signers` are the keys that had signed it, `time` is RFC 3339 in UTC."""

    note: str
    time: str
    signers: list[str]
    confirmed: bool

    @property
    def told(self) -> Told:
        checkpoint = parse_checkpoint(parse_note(self.note.encode()).text)
        return Told(checkpoint.size, checkpoint.root, f"that it showed on {self.time}")


class _File(Struct):
    format: int
    logs: dict[str, list[Seen]]


class Memory:
    """A file that is read when a log is asked for, and replaced when one was verified. Two processes may use it at once."""

    def __init__(self, path: Path, now: datetime | None = None) -> None:
        self._path = path
        self._now = now

    def seen(self, accepted: Accepted) -> list[Seen]:
        """What counts for a checkpoint: what keys from elsewhere confirmed, and what the same key signed. Raises Misconfigured."""
        return [each for each in self._read().get(accepted.checkpoint.origin, ()) if _counts(each, accepted)]

    def known(self, origin: str) -> list[Seen]:
        """All that was seen of a log, whoever signed it. Raises Misconfigured."""
        return self._read().get(origin, [])

    def origins(self) -> list[str]:
        """The logs of which anything is known. Raises Misconfigured."""
        return sorted(self._read())

    def keep(self, accepted: Accepted) -> None:
        """Remember it in place of those that counted, unless another process has seen more of the log meanwhile. Raises Misconfigured."""
        now = (self._now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
        new = Seen(accepted.note.decode(), now, accepted.signers, accepted.confirmed)
        with self._locked() as logs:
            origin = accepted.checkpoint.origin
            known = logs.get(origin, [])
            if any(_counts(each, accepted) and each.told.size > accepted.checkpoint.size for each in known):
                return
            others = [each for each in known if not _counts(each, accepted) or (each.confirmed and not new.confirmed)]
            logs[origin] = [*others, new]

    def forget(self, origin: str) -> bool:
        """Whether anything was known of this log. Raises Misconfigured."""
        with self._locked() as logs:
            return logs.pop(origin, None) is not None

    def _read(self) -> dict[str, list[Seen]]:
        try:
            found = decode(self._path.read_bytes(), type=_File)
            for each in (each for known in found.logs.values() for each in known):
                each.told  # noqa: B018  # raises for what is no checkpoint
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from None
        except (MsgspecError, ValueError, RecursionError, Malformed) as error:
            raise self._unusable(f"it is not what was written ({error})") from None
        if found.format != FORMAT:
            raise self._unusable(f"it has format {found.format}, this version reads {FORMAT}")
        return found.logs

    @contextmanager
    def _locked(self) -> Iterator[dict[str, list[Seen]]]:
        """What is known, to be changed; written when the block ends well."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._path.with_name(f"{self._path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                logs = self._read()
                yield logs
                self._write(logs)
            finally:
                os.close(lock)
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from None

    def _write(self, logs: Mapping[str, Sequence[Seen]]) -> None:
        new = self._path.with_name(f"{self._path.name}.new")
        content = format(encode(_File(FORMAT, {origin: list(known) for origin, known in logs.items()}))) + b"\n"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.replace(new, self._path)

    def _unusable(self, reason: str) -> Misconfigured:
        return Misconfigured(f"what was verified before stands in {self._path}, which cannot be used: {reason}; name another with --state")


def _counts(seen: Seen, accepted: Accepted) -> bool:
    return seen.confirmed or bool(set(seen.signers) & set(accepted.signers))


def usual(environ: Mapping[str, str]) -> Path:
    """Where it is kept unless somebody says otherwise (XDG Base Directory Specification: state)."""
    state = environ.get("XDG_STATE_HOME", "")
    root = Path(state) if os.path.isabs(state) else Path(environ.get("HOME") or os.path.expanduser("~")) / ".local" / "state"
    return root / "indelible" / "verified.json"
