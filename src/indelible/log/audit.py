"""Folds a journal and holds its trees against what was signed of them, as each grows through the sizes that were signed."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from indelible.journal.port import Place, Placed, Reader
from indelible.log.generations import Generation
from indelible.log.proofs import Proofs
from indelible.log.recorder import Recorder
from indelible.log.runs import runs
from indelible.tree.checkpoint import Told

_LATER = re.compile("/g([1-9][0-9]{0,8})$")  # how the name of a log's later trees ends


class Finding(NamedTuple):
    """Something that is not as it was told. `declared`: the log itself says so, in an entry that a repair left."""

    detail: str
    declared: bool = False


class Audit:
    """The fold of a journal that nobody writes to here. `run` it once; then the recorder has folded all frames."""

    def __init__(
        self,
        recorder: Recorder,
        reader: Reader,
        name: Callable[[str, int], str],
        place: Callable[[Place], str],
        told: Mapping[str, Sequence[Told]],
    ) -> None:
        """`name` gives the origin of a log's generation, `place` says where a frame stands; `told` is by origin."""
        self._recorder = recorder
        self._proofs = Proofs(recorder, reader)
        self._name = name
        self._place = place
        self._due = {origin: deque(sorted(each)) for origin, each in told.items()}
        self._end: Place | None = None  # where the folded frames end
        self._fits: dict[str, int] = {}  # by origin, the largest size that was as it was told

    def run(self, frames: Iterable[Placed]) -> Iterator[Finding]:
        """Every difference, of each tree the first, in the order of the journal. Raises Damaged at a frame that is not as it was hashed."""
        for run in runs(frames):
            log = run[0].frame.log
            for part in ((placed,) for placed in run) if self._is_due(log, run) else (run,):
                self._recorder.fold(part)
                self._end = part[-1].next
                yield from self._compared(log)
        yield from self._missing()

    def _is_due(self, log: str, run: Sequence[Placed]) -> bool:
        """Whether a size may be reached within these frames."""
        generation = self._recorder.generations(log)[-1]
        due = self._due.get(self._name(log, generation.number))
        return bool(due) and due[0].size <= generation.tree.size + sum(placed.frame.count for placed in run)  # type: ignore[index]

    def _compared(self, log: str) -> Iterator[Finding]:
        generation = self._recorder.generations(log)[-1]
        origin = self._name(log, generation.number)
        due, size = self._due.get(origin, deque()), generation.tree.size
        while due and due[0].size <= size:
            told = due.popleft()
            root = generation.tree.root() if told.size == size else self._proofs.root(log, generation, told.size)
            if root == told.root:
                self._fits[origin] = told.size
                continue
            due.clear()
            first = generation.start + self._fits.get(origin, 0)
            (place, _), *_ = self._recorder.held(log, first, first + 1).runs
            last = generation.start + told.size - 1
            which = f"entry {first} of {origin} is not the one" if first == last else f"entries {first} to {last} of {origin} are not those"
            yield Finding(f"{which} under the root {told.where}; they begin in {self._place(place)}")

    def _missing(self) -> Iterator[Finding]:
        journal = f"the journal, which ends in {self._place(self._end)}," if self._end else "the journal"
        for origin, due in self._due.items():
            if not due:
                continue
            told, (size, later) = due[-1], self._left_of(origin)
            lost = f"{told.size} entries of {origin} stand under the root {told.where}, and {journal} has {size or 'none'} of them"
            yield Finding(f"{lost}: entry {later.start} says that the others are lost" if later else lost, later is not None)

    def _left_of(self, origin: str) -> tuple[int, Generation | None]:
        """How many entries of a tree there are, and the tree that was begun after it, if one was: its first entry says why."""
        named = _LATER.search(origin)
        number = int(named[1]) if named else 1
        for log in self._recorder.logs:
            if self._name(log, number) == origin:
                trees = self._recorder.generations(log)
                size = sum(each.tree.size for each in trees if each.number == number)
                return size, next((each for each in trees if each.number > number), None)
        return 0, None
