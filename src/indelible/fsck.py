"""A data directory looked at from every side, offline: journal, keys, checkpoints, tree and rows, each against the others."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from indelible.config import Progress
from indelible.errors import IndelibleError, Misconfigured

if TYPE_CHECKING:
    from indelible.journal.port import Placed
    from indelible.offline import Directory
    from indelible.tree.checkpoint import Told


class Wrong(NamedTuple):
    """What does not fit, and what helps: commands stand in backquotes."""

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
    check.journal(progress)
    check.keys()
    held = check.held()
    if held:
        check.checkpoints(held)
        if check.tree(held):
            check.rows(held)
    return report


class _Check:
    """One look; what it finds goes into the report."""

    def __init__(self, data: Path, report: Report) -> None:
        self._data = data
        self._report = report
        self._named = shlex.quote(str(data))

    def journal(self, progress: Progress) -> None:
        """Every frame of every file, whole or not, and whether its events are those that were hashed."""
        from indelible.journal.directory import JOURNAL, check_layout, interrupted
        from indelible.journal.files import Files
        from indelible.journal.survey import survey
        from indelible.log.rebuild import wrong

        check_layout(self._data)
        if stopped := interrupted(self._data):
            self._wrong(stopped.detail, f"`indelible repair --data {self._named} --yes`")
            return
        directory = self._data / JOURNAL
        try:
            seen = survey(Files(), directory, wrong, progress)
        except OSError as error:
            raise Misconfigured(f"{directory} cannot be read ({error.strerror}): name a data directory with --data") from None
        self._looked(
            f"journal: {seen.frames:,} frames with {seen.events:,} events are whole, in logs {', '.join(sorted(seen.logs)) or 'none'}"
        )
        helps = f"`indelible repair --data {self._named}` shows what can be kept"
        for gap in seen.gaps:
            self._wrong(f"{directory / gap.file}, {gap.where}: {gap.reason}", helps)

    def keys(self) -> None:
        """That they are a pair each, and nobody else's to read."""
        from indelible.signing.directory import KEYS, RESTORED, SIGNING, read_identity

        path = self._data / SIGNING / KEYS
        try:
            identity = read_identity(self._data)
            mode = stat.S_IMODE(path.stat().st_mode) if identity else 0
        except (IndelibleError, OSError) as error:
            self._wrong(f"keys: {error}", "put the file back from a backup")
            return
        if identity is None:
            self._looked("keys: none yet, nobody has signed here")
            return
        self._looked(f"keys: {len(identity.keys)} of {identity.origin}, private and public halves belong together")
        if mode & 0o077:
            self._wrong(
                f"{path} can be read by others (mode {mode:04o}): whoever reads it can sign", f"`chmod 600 {shlex.quote(str(path))}`"
            )
        if (path.parent / RESTORED).exists():
            self._looked("keys: a backup was put back here, and nothing is signed until `indelible adopt` says how to go on")

    def held(self) -> Directory | None:
        """The directory as `verify` takes it; None where that is not possible, which the journal and the keys have said."""
        from indelible import offline

        try:
            return offline.directory(self._data)
        except IndelibleError as error:
            if not self._report.wrong:
                self._wrong(error.detail, f"`indelible repair --data {self._named}` shows what can be kept")
            self._looked("tree, checkpoints, rows: not compared, for the above")
            return None

    def checkpoints(self, held: Directory) -> None:
        """That each was signed by a key that is here."""
        from indelible.signing.directory import SIGNING
        from indelible.signing.ledger import NAME
        from indelible.tree.checkpoint import open_checkpoint

        path, helps = self._data / SIGNING / NAME, f"`indelible adopt --data {self._named}` goes on from the newest that others have"
        for problem in held.stored.problems:
            self._wrong(f"{path}: {problem}", helps)
        for stored in held.stored.notes if held.identity else ():
            origin = stored.checkpoint.origin
            try:
                open_checkpoint(stored.note, origin, held.identity.public(origin) if held.identity else ())
            except IndelibleError as error:
                self._wrong(f"{path}, line {stored.line}: {error.detail}", helps)
        origins = {stored.checkpoint.origin for stored in held.stored.notes}
        self._looked(f"checkpoints: {len(held.stored.notes):,} of {len(origins)} trees")

    def tree(self, held: Directory) -> bool:
        """Whether all could be folded; each tree against each checkpoint of it."""
        from indelible.signing.directory import SIGNING
        from indelible.signing.ledger import NAME

        path = self._data / SIGNING / NAME
        told: dict[str, list[Told]] = {}
        for stored in held.stored.notes:
            told.setdefault(stored.checkpoint.origin, []).append(stored.told(path))
        try:
            for finding in held.audit(told).run(placed for placed, _ in held.whole.frames()):
                if finding.declared:
                    self._looked(f"tree: {finding.detail}")
                else:
                    self._wrong(f"tree: {finding.detail}", "keep the directory as it is and put a backup back beside it")
        except IndelibleError as error:
            self._looked(f"tree: compared up to position {held.recorder.folded:,}, where this begins: {error.detail.partition('. ')[0]}")
            return False
        sizes = ", ".join(f"{log} {held.recorder.size(log):,} entries" for log in held.recorder.logs)
        self._looked(f"tree: {sizes or 'no entries'}")
        return True

    def rows(self, held: Directory) -> None:
        """What was loaded for readers, if a server runs or was killed."""
        from indelible.store.local.compare import compared

        files = rows = 0
        for found in compared(self._data / "tail", _again(held), held.recorder):
            files, rows = files + 1, rows + found.rows
            if found.problem:
                name = self._data / "tail" / found.name
                self._wrong(f"rows: {name}: {found.problem}", "start the server again: it loads them anew from the journal")
        self._looked(f"rows: {rows:,} in {files} files" if files else "rows: none are loaded")

    def _looked(self, line: str) -> None:
        self._report.looked.append(line)

    def _wrong(self, detail: str, help: str) -> None:
        self._report.wrong.append(Wrong(detail, help))


def _again(held: Directory) -> Iterator[Placed]:
    """Up to where the fold went: a process may have gone on since."""
    for placed, _ in held.whole.frames():
        if placed.place.position < held.recorder.folded:
            yield placed
