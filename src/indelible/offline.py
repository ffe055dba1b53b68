"""What is done to a data directory without a server: repair, keys, adopt, checks. Beside config.py the only one to name backends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import time, time_ns
from typing import TYPE_CHECKING, NamedTuple

from indelible.config import Progress, Settings, unusable
from indelible.errors import Damaged, IndelibleError, Misconfigured

if TYPE_CHECKING:
    from indelible.journal.file import FileJournal
    from indelible.journal.files import Files
    from indelible.journal.port import Frame
    from indelible.journal.rebuild import Rebuild
    from indelible.journal.survey import Survey
    from indelible.journal.whole import Whole
    from indelible.log.audit import Audit
    from indelible.log.recorder import Recorder
    from indelible.model.damage import Gap, Repair
    from indelible.signing.keys import Identity
    from indelible.signing.stored import AllStored
    from indelible.tree.checkpoint import Told


def repair(settings: Settings, write: bool, progress: Progress, files: Files | None = None) -> Repair:
    """What is damaged in the data directory and, with `write`, what was made of it. Nothing else may use the directory meanwhile.

    Raises what `repair_journal` does, Damaged for a journal that is gone though it was signed, and Misconfigured for a data directory that
    this process may not use.
    """
    from indelible.journal.directory import JOURNAL, interrupted
    from indelible.journal.repair import repair_journal
    from indelible.log.rebuild import Logs, rebuild, wrong
    from indelible.log.recorder import Recorder
    from indelible.signing.directory import no_journal

    def fill(built: Rebuild, seen: Survey, pieces: Iterable[Frame | Gap]) -> None:
        recorder = Recorder(built.journal)
        recorder.replay()
        if recorder.damage:
            raise recorder.damage
        logs = Logs(seen.logs, {*settings.logs, *_signed_logs(settings.data)})
        rebuild(recorder, built.write, pieces, logs, time_ns() // 1000, os.urandom)

    try:
        if not (settings.data / JOURNAL).is_dir() and not interrupted(settings.data) and (gone := no_journal(settings.data)):
            raise gone
        return repair_journal(settings.data, wrong, fill, write=write, file_size=settings.journal_file_size, files=files, progress=progress)
    except OSError as error:
        raise unusable(settings, error) from error


def _signed_logs(data: Path) -> set[str]:
    """The logs of which something was signed in `data`, as far as that can be read: all frames of one may be lost."""
    from indelible.signing.directory import read_identity, read_known
    from indelible.signing.names import tree_in

    try:
        identity, notes = read_identity(data), read_known(data).notes
    except (IndelibleError, OSError):
        return set()
    return {tree[0] for name in notes.by_origin() if (tree := tree_in(identity.origin if identity else "", name))}


def keys(settings: Settings) -> tuple[Identity | None, list[str]]:
    """Who signs in the data directory, and the names under which a checkpoint was signed. Reads only; a server may run. Raises Damaged."""
    from indelible.signing.directory import read_identity, read_known

    try:
        identity = read_identity(settings.data)
        names = list(read_known(settings.data).notes.by_origin()) if identity else []
    except OSError as error:
        raise unusable(settings, error) from error
    return identity, names


def make_keys(settings: Settings) -> None:
    """Let somebody sign in the data directory if nobody does. Raises InUse, Misconfigured, Damaged."""
    from indelible.journal.files import Files
    from indelible.signing.directory import made

    with _locked(settings, make=True):
        made(Files(), settings.data, settings.origin, int(time()))


def rotate_keys(settings: Settings, overlap: int) -> None:
    """A new key beside the old one, which signs for `overlap` seconds more. Raises InUse, Misconfigured, Damaged."""
    from indelible.journal.files import Files
    from indelible.signing.directory import rotated

    with _locked(settings):
        rotated(Files(), settings.data, int(time()), overlap)


class Adopted(NamedTuple):
    """What `adopt` did: the checkpoints taken as the newest, or each log with the number of its new tree. Neither: nothing was due."""

    confirmed: list[str]
    begun: dict[str, int]


def adopt(settings: Settings, shown: Sequence[bytes]) -> Adopted:
    """Let a directory sign again that was a backup, or whose checkpoints are not to be trusted.

    With notes, signed checkpoints that others have, only if the journal continues each of them; without, with a new tree for each log.
    Raises what `open_file_journal` does, and what `confirmed` in log/adopt.py does: then nothing was changed.
    """
    from indelible.journal.directory import check_there
    from indelible.journal.file import open_file_journal
    from indelible.log.recorder import Recorder

    check_there(settings.data)

    async def work(journal: FileJournal) -> Adopted:
        try:
            recorder = Recorder(journal)
            recorder.replay()
            return await _adopted(settings, journal, recorder, shown)
        finally:
            await journal.close()

    try:
        journal = open_file_journal(settings.data, file_size=settings.journal_file_size, reserve=settings.reserve)
        return asyncio.run(work(journal))
    except OSError as error:
        raise unusable(settings, error) from error


async def _adopted(settings: Settings, journal: FileJournal, recorder: Recorder, shown: Sequence[bytes]) -> Adopted:
    from indelible.journal.files import Files
    from indelible.log.adopt import beginning, confirmed, trees_of
    from indelible.log.proofs import Proofs
    from indelible.log.publisher import Publisher
    from indelible.signing.directory import SIGNING, halted, read_known, unmark, who_signs
    from indelible.signing.ledger import FileLedger, ReadLedger
    from indelible.signing.names import tree_in
    from indelible.signing.notes import Sealed

    identity = who_signs(settings.data, journal.end.position)
    if identity is None:
        raise Misconfigured(f"{settings.data} has signed nothing yet: there is nothing to adopt")
    files, directory = Files(), settings.data / SIGNING
    notes, problem = read_known(settings.data)
    signed = {name: tree_in(identity.origin, name) for name in notes.by_origin()}
    if foreign := [name for name, tree in signed.items() if tree is None]:  # whoever signed them, it was not this service
        notes, problem = notes.without(foreign), problem or "others signed it"
    logs = sorted({*settings.logs, *recorder.logs, *(tree[0] for tree in signed.values() if tree)})
    proofs = Proofs(recorder, journal.reader())
    if not problem and not halted(settings.data):
        try:
            Publisher(proofs, ReadLedger(directory, notes), identity, logs, time).start()
            return Adopted([], {})
        except Damaged:
            pass
    begun: dict[str, int] = {}
    taken = confirmed(proofs, identity, trees_of(recorder, identity, logs), shown) if shown else []
    for checkpoint, note in taken:
        notes.add(Sealed(checkpoint, note))
    if not shown:
        newest = {origin: known[-1] for origin, known in notes.by_origin().items()}
        for log in logs:
            await recorder.record(beginning(recorder, log, newest, identity, time_ns() // 1000, os.urandom))
            begun[log] = recorder.generations(log)[-1].number
    Publisher(proofs, ReadLedger(directory, notes), identity, logs, time).start()
    FileLedger(files, directory, notes).close()
    unmark(files, settings.data)
    return Adopted([f"{checkpoint.origin} {checkpoint.size}" for checkpoint, _ in taken], begun)


class Directory(NamedTuple):
    """A data directory to be checked: the journal, a recorder that has folded nothing of it yet, and what was signed."""

    whole: Whole
    recorder: Recorder
    identity: Identity | None  # None: nobody has signed here, and there is nothing to sign
    stored: AllStored

    def name(self, log: str, generation: int) -> str:
        """The origin of a tree."""
        from indelible.signing.keys import origin_of

        return origin_of(self.identity.origin if self.identity else "", log, generation)

    def audit(self, told: Mapping[str, Sequence[Told]]) -> Audit:
        """What folds the frames and compares; `told` is by origin."""
        from indelible.log.audit import Audit

        return Audit(self.recorder, self.whole.snapshot.reader(), self.name, self.whole.named, told)


def directory(data: Path) -> Directory:
    """What is in a data directory, which another process may go on using. Takes no lock and writes nothing.

    Raises Misconfigured for what is none or of another version, Damaged where keys or the last journal file do not hold, or are gone.
    """
    from indelible.journal.directory import JOURNAL, interrupted
    from indelible.journal.whole import open_whole
    from indelible.log.recorder import Recorder
    from indelible.signing.directory import SIGNING, no_journal, who_signs
    from indelible.signing.stored import AllStored, read_stored

    try:
        try:
            stored = read_stored(data / SIGNING)  # before the journal: what was signed of it is then there
        except FileNotFoundError:
            stored = None
        if not (data / JOURNAL).is_dir() and not interrupted(data) and (gone := no_journal(data)):
            raise gone
        whole = open_whole(data)
        identity = who_signs(data, whole.snapshot.end.position)
        stored = stored or AllStored([], ["the file is missing"] if identity else [])
    except OSError as error:
        raise Misconfigured(f"{data} cannot be read: {error.strerror} ({error.filename})") from error
    return Directory(whole, Recorder(whole.snapshot), identity, stored)


@contextmanager
def _locked(settings: Settings, *, make: bool = False) -> Iterator[None]:
    """The data directory, held by this process alone. Raises InUse, and Misconfigured for none, or one of another version."""
    from indelible.journal.directory import check_layout, check_there, take_lock

    try:
        if make:
            settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        else:
            check_there(settings.data)
        check_layout(settings.data)
        lock = take_lock(settings.data)
        try:
            yield
        finally:
            os.close(lock)
    except OSError as error:
        raise unusable(settings, error) from error
