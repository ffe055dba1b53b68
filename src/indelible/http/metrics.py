"""What the service counts, as plain integers on the write path and as Prometheus text when someone asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from indelible.journal.port import Usage
from indelible.log.witnessing.standing import Report
from indelible.model.durations import Durations

RESULTS = ("stored", "duplicate", "conflict", "refused")
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counters of one process since its start. Labels come from fixed lists and the configuration, never from events.

    A type, an id or a source as a label would let a producer fill the memory of whatever scrapes them.
    """

    def __init__(self) -> None:
        self.answers = [0] * 6  # by the status' first digit
        self.events = dict.fromkeys(RESULTS, 0)
        self.octets = 0
        self.turned_away = 0
        self.waits = Durations()
        self.full = False  # whether the last write found no room

    def answered(self, status: int) -> None:
        """An answer of this status was sent."""
        self.answers[status // 100] += 1

    def no_room(self) -> None:
        """A request was refused because too many bytes of others are in memory."""
        self.turned_away += 1

    def recorded(self, stored: int, duplicates: int, conflicts: int, refused: int, octets: int, seconds: float) -> None:
        """One request's events were settled: what became of them, the bytes of their bodies, and the wait for their receipts."""
        events = self.events
        events["stored"] += stored
        events["duplicate"] += duplicates
        events["conflict"] += conflicts
        events["refused"] += refused
        self.octets += octets
        self.waits.add(seconds)
        self.full = False

    def refused(self, events: int) -> None:
        """These events were refused at the door, and nothing of their request was journaled."""
        self.events["refused"] += events

    def text(
        self,
        position: int,
        ready: bool,
        sizes: Mapping[str, int],
        syncs: Durations,
        usage: Usage | None,
        witnesses: Sequence[Report] = (),
    ) -> str:
        """The Prometheus text format, 0.0.4. `position` is the journal's, `sizes` are entries by the name of a configured log."""
        disk = usage and [("", usage.free)]
        lines = [
            *_family("answers_total", "counter", "HTTP answers by class of status.", _answers(self.answers)),
            *_family("events_total", "counter", "Events by what became of them.", _labelled("result", self.events)),
            *_family("event_bytes_total", "counter", "Bytes of event bodies that were journaled.", [("", self.octets)]),
            *_family("turned_away_total", "counter", "Requests refused because others took all the room.", [("", self.turned_away)]),
            *_family("receipt_seconds", "histogram", "From a prepared request to its receipt, the sync included.", _histogram(self.waits)),
            *_family("fsync_seconds", "histogram", "The journal's syncs, each of which a group of receipts waits for.", _histogram(syncs)),
            *_family("disk_free_bytes", "gauge", "Room that the file system of the data directory has left.", disk or ()),
            *_family("journal_bytes", "gauge", "Bytes of the journal, without padding.", [("", usage.held)] if usage else ()),
            *_family("journal_position", "gauge", "Events journaled and folded, duplicates included.", [("", position)]),
            *_family("ready", "gauge", "1 once the journal was replayed.", [("", int(ready))]),
            *_family("log_entries", "gauge", "Entries in a log.", _labelled("log", sizes)),
            *(_witnesses(witnesses) if witnesses else ()),
        ]
        return "\n".join(lines) + "\n"


def checkpoints_text(signed: int, syncs: int, sizes: Mapping[str, int], halted: bool) -> str:
    """The same of what is signed: checkpoints, the syncs that they took, the entries under the newest by the name of a log, and whether
    nothing is signed for now.
    """
    lines = [
        *_family("checkpoints_total", "counter", "Checkpoints that were signed.", [("", signed)]),
        *_family("checkpoint_syncs_total", "counter", "Syncs that they took: one for all logs.", [("", syncs)]),
        *_family("log_published", "gauge", "Entries under a log's newest checkpoint.", _labelled("log", sizes)),
        *_family("signing_halted", "gauge", "1 while no checkpoint is signed: the status says why.", [("", int(halted))]),
    ]
    return "\n".join(lines) + "\n"


def fsck_text(position: int, errors: int, finished: int) -> str:
    """The same of the slow look at the journal; `finished` is in seconds since 1970, of the start before a round was through."""
    lines = [
        *_family("fsck_position", "gauge", "Events that the slow look at the journal has come to in its round.", [("", position)]),
        *_family("fsck_errors", "gauge", "Places where it or a request found another thing than was written.", [("", errors)]),
        *_family("fsck_finished_seconds", "gauge", "When its last round ended, or the server began: s since 1970.", [("", finished)]),
    ]
    return "\n".join(lines) + "\n"


def _histogram(durations: Durations) -> Iterable[tuple[str, float]]:
    sums = list(accumulate(durations.counts))
    for bound, below in zip((*map(str, durations.buckets), "+Inf"), sums, strict=True):
        yield f'_bucket{{le="{bound}"}}', below
    yield "_sum", round(durations.total, 6)
    yield "_count", sums[-1]


def _family(name: str, kind: str, about: str, samples: Iterable[tuple[str, float]]) -> Iterable[str]:
    yield f"# HELP indelible_{name} {about}"
    yield f"# TYPE indelible_{name} {kind}"
    for suffix, value in samples:
        yield f"indelible_{name}{suffix} {value}"


def _witnesses(reports: Sequence[Report]) -> Iterable[str]:
    names = [report.name.replace("\\", r"\\").replace('"', r"\"") for report in reports]  # a policy's are any words
    of_each = list(zip(names, reports, strict=True))
    alarms = [(f'{{witness="{name}"}}', len(report.alarms)) for name, report in of_each]
    lags = [(f'{{witness="{name}"}}', round(report.lag, 3)) for name, report in of_each]
    behind = [(f'{{witness="{name}"}}', report.behind) for name, report in of_each]
    counts = [(f'{{witness="{name}",outcome="{outcome}"}}', count) for name, report in of_each for outcome, count in report.counts.items()]
    yield from _family("witness_alarm", "gauge", "Logs of which a witness has seen another history, or more than there is.", alarms)
    yield from _family("witness_lag_seconds", "gauge", "Since the first checkpoint that a witness has yet to cosign.", lags)
    yield from _family("witness_behind", "gauge", "Logs whose newest checkpoint a witness has yet to cosign.", behind)
    yield from _family("witness_questions_total", "counter", "Checkpoints shown to a witness, by what became of it.", counts)


def _answers(counts: Iterable[int]) -> Iterable[tuple[str, float]]:
    return ((f'{{class="{digit}xx"}}', count) for digit, count in enumerate(counts) if digit > 1)


def _labelled(label: str, values: Mapping[str, int]) -> Iterable[tuple[str, float]]:
    """Names from RESULTS or the configuration: nothing in them needs an escape."""
    return ((f'{{{label}="{name}"}}', value) for name, value in values.items())
