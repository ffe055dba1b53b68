"""A data directory looked at from every side, offline: journal, keys, checkpoints, tree and rows, each against the others."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, NamedTuple

from indelible.config import Progress
from indelible.errors import Damaged, IndelibleError, Misconfigured
from indelible.model.counting import counted

if TYPE_CHECKING:
    from indelible.journal.port import Placed
    from indelible.offline import Directory
    from indelible.tree.checkpoint import Told


class Wrong(NamedTuple):
    """What does not fit, and what helps, empty where the detail says it: commands stand in backquotes."""

    detail: str
    help: str


class Report(NamedTuple):
    """What was looked at, a line each, and all that is wrong."""

    looked: list[str]
    wrong: list[Wrong]


def fsck(data: Path, progress: Progress = lambda done, total: None) -> Report:
    """Look at all of it. Takes no lock and writes nothing; a server may go on using it, and what it adds meanwhile is not looked at.

    Raises Misconfigured for what is no data directory, or one of another version.
    """
    report = Report([], [])
    check = _Check(data, report)
    check.keys(check.journal(progress))
    held = check.held()
    if held:
        check.checkpoints(held)
        if check.tree(held):
            check.rows(held)
    return report


def disagreement(data: Path) -> str:
    """Why the start would not sign what is in a data directory whose journal is whole, as it says it; empty if it would.

    Reads all of the journal. Raises Misconfigured for what is no data directory, or one of another version.
    """
    from indelible import offline

    try:
        held = offline.directory(data)
        for _ in held.audit({}).run(placed for placed, _ in held.whole.frames()):
            pass
        _agree(held, data)
    except Damaged as error:
        return error.detail
    return ""


def _agree(held: Directory, data: Path) -> None:
    """Hold what was signed against all that was folded, as the start does. Raises Damaged."""
    from indelible.log.proofs import Proofs
    from indelible.log.publisher import Publisher
    from indelible.signing.directory import SIGNING
    from indelible.signing.ledger import NAME, ReadLedger, damaged
    from indelible.signing.notes import Notes, Sealed

    if held.identity is None:
        return
    notes, path = Notes(), data / SIGNING / NAME
    for problem in held.stored.problems:
        raise damaged(path, problem)
    for stored in held.stored.notes:
        try:
            notes.add(Sealed(stored.checkpoint, stored.note))
        except ValueError as error:
            raise damaged(path, f"line {stored.line}: {error}") from None
    proofs, ledger = Proofs(held.recorder, held.whole.snapshot.reader()), ReadLedger(path.parent, notes)
    Publisher(proofs, ledger, held.identity, held.recorder.logs, time).start()


class _Check:
    """One look; what it finds goes into the report."""

    def __init__(self, data: Path, report: Report) -> None:
        self._data = data
        self._report = report
        self._named = shlex.quote(str(data))

    def journal(self, progress: Progress) -> int:
        """Every frame of every file, whole or not, and whether its events are those that were hashed. How many events there are."""
        from indelible.journal.directory import JOURNAL, check_layout, interrupted
        from indelible.journal.files import Files
        from indelible.journal.survey import survey
        from indelible.log.rebuild import wrong
        from indelible.signing.directory import no_journal

        check_layout(self._data)
        if stopped := interrupted(self._data):
            self._wrong(stopped.detail)
            return 0
        directory = self._data / JOURNAL
        try:
            seen = survey(Files(), directory, wrong, progress)
        except OSError as error:
            if not directory.is_dir() and (gone := no_journal(self._data)):
                self._wrong(gone.detail)
                return 0
            raise Misconfigured(f"{directory} cannot be read ({error.strerror}): name a data directory with --data") from None
        self._looked(
            f"journal: {counted(seen.frames, 'frame')} with {counted(seen.events, 'event')} {'is' if seen.frames == 1 else 'are'} whole, "
            f"in logs {', '.join(sorted(seen.logs)) or 'none'}"
        )
        helps = f"`indelible repair --data {self._named}` shows what can be kept"
        for gap in seen.gaps:
            self._wrong(f"{directory / gap.file}, {gap.where}: {gap.reason}", helps)
        return seen.events

    def keys(self, events: int) -> None:
        """That they are there, a pair each, and nobody else's to read."""
        from indelible.signing.directory import KEYS, SIGNING, halted, who_signs

        path = self._data / SIGNING / KEYS
        try:
            identity = who_signs(self._data, events)
            mode = stat.S_IMODE(path.stat().st_mode) if identity else 0
        except IndelibleError as error:
            self._wrong(f"keys: {error.detail}")
            return
        except OSError as error:
            self._wrong(f"keys: {path} cannot be read: {error.strerror}", "let this process read it, and look again")
            return
        if identity is None:
            self._looked("keys: none yet, nobody has signed here")
            return
        self._looked(f"keys: {len(identity.keys)} of {identity.origin}, private and public halves belong together")
        if mode & 0o077:
            self._wrong(
                f"{path} can be read by others (mode {mode:04o}): whoever reads it can sign", f"`chmod 600 {shlex.quote(str(path))}`"
            )
        if stopped := halted(self._data):
            self._looked(f"keys: {stopped}")

    def held(self) -> Directory | None:
        """The directory as `verify` takes it; None where that is not possible, which the journal and the keys have said."""
        from indelible import offline

        try:
            return offline.directory(self._data)
        except IndelibleError as error:
            if not self._report.wrong:
                self._wrong(error.detail)
            self._looked("tree, checkpoints, rows: not compared, for the above")
            return None

    def checkpoints(self, held: Directory) -> None:
        """That each was signed by a key that is here."""
        from indelible.signing.directory import SIGNING
        from indelible.signing.ledger import NAME, adopting
        from indelible.tree.checkpoint import open_checkpoint

        path, helps = self._data / SIGNING / NAME, adopting(self._data)
        for problem in held.stored.problems:
            self._wrong(f"{path}: {problem}", helps)
        for stored in held.stored.notes if held.identity else ():
            origin = stored.checkpoint.origin
            try:
                open_checkpoint(stored.note, origin, held.identity.public(origin) if held.identity else ())
            except IndelibleError as error:
                self._wrong(f"{path}, line {stored.line}: {error.detail}", helps)
        origins = {stored.checkpoint.origin for stored in held.stored.notes}
        self._looked(f"checkpoints: {len(held.stored.notes):,} of {counted(len(origins), 'tree')}")

    def tree(self, held: Directory) -> bool:
        """Whether all could be folded; each tree against each checkpoint of it."""
        from indelible.signing.directory import SIGNING
        from indelible.signing.ledger import NAME, adopting

        path, helps = self._data / SIGNING / NAME, adopting(self._data)
        told: dict[str, list[Told]] = {}
        for stored in held.stored.notes:
            told.setdefault(stored.checkpoint.origin, []).append(stored.told(path))
        try:
            for finding in held.audit(told).run(placed for placed, _ in held.whole.frames()):
                if finding.declared:
                    self._looked(f"tree: {finding.detail}")
                else:
                    self._wrong(f"tree: {finding.detail}", f"put a backup back beside it that has them. If there is none, {helps}")
        except IndelibleError as error:
            self._looked(f"tree: compared up to position {held.recorder.folded:,}, where this begins: {error.detail.partition('. ')[0]}")
            return False
        sizes = ", ".join(f"{log} {counted(held.recorder.size(log), 'entry', 'entries')}" for log in held.recorder.logs)
        self._looked(f"tree: {sizes or 'no entries'}")
        if not self._report.wrong:  # else the start says no more than what stands there
            try:
                _agree(held, self._data)
            except Damaged as error:
                self._wrong(error.detail)
        return True

    def rows(self, held: Directory) -> None:
        """What was loaded for readers, if a server runs or was killed."""
        from indelible.store.local.compare import compared

        files = rows = 0
        for found in compared(self._data / "tail", _again(held), held.recorder):
            files, rows = files + 1, rows + found.rows
            if found.problem:
                name = self._data / "tail" / found.name
                helps = f"start the server again, `indelible serve --data {self._named}`: it loads them anew from the journal"
                self._wrong(f"rows: {name}: {found.problem}", helps)
        self._looked(f"rows: {rows:,} in {counted(files, 'file')}" if files else "rows: none are loaded")

    def _looked(self, line: str) -> None:
        self._report.looked.append(line)

    def _wrong(self, detail: str, help: str = "") -> None:
        self._report.wrong.append(Wrong(detail, help))


def _again(held: Directory) -> Iterator[Placed]:
    """Up to where the fold went: a process may have gone on since."""
    for placed, _ in held.whole.frames():
        if placed.place.position < held.recorder.folded:
            yield placed
