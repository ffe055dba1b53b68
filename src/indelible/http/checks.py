"""What must hold for this process to read, or to write: the checks of /readyz, by name."""

from __future__ import annotations

from indelible.errors import Busy, IndelibleError, JournalFailed, JournalFull, ReadOnly, Replaced
from indelible.http.service import Service

READ = ("replayed", "journal", "loader")
WRITE = ("replayed", "journal", "read_only", "disk")
FOR = {"read": READ, "write": WRITE}


def failing(service: Service, name: str) -> IndelibleError | None:
    """What a check says against sending requests here; None if it holds. The detail begins with the check's name."""
    recorder = service.recorder
    match name:
        case "replayed" if not recorder.ready and not recorder.failed:
            return Busy("replayed: the journal is being replayed")
        case "journal" if recorder.failed:
            return JournalFailed("journal: a write failed, this process is about to end")
        case "journal" if error := replaced(service):
            return Replaced(f"journal: {error.detail}")
        case "loader" if service.store.trouble:
            service.store.retry()  # nobody asks a server that is not ready, so nobody else would
            return Busy("loader: the last events could not be loaded for reading, the log says why; it is tried again")
        case "read_only" if service.read_only:
            return ReadOnly("read_only: this server was started with --read-only")
        case "disk" if service.metrics.full and not has_room(service):
            return JournalFull("disk: the last write found no room, and there is none yet")
    return None


def replaced(service: Service) -> Replaced | None:
    """The error that every reader meets once the journal under a server that only reads is another one."""
    try:
        _ = service.recorder.complete
    except Replaced as error:
        return error
    return None


def has_room(service: Service) -> bool:
    """Whether the journal can take its next step."""
    try:
        usage = service.journal.usage()
    except OSError:
        return False
    return usage.free > usage.step


def checks(service: Service, purpose: str) -> dict[str, str]:
    """Each check of `read` or `write` with `ok`. Raises what the first one that fails says."""
    for name in FOR[purpose]:
        if error := failing(service, name):
            raise error
    return dict.fromkeys(FOR[purpose], "ok")
