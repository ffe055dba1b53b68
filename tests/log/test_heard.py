"""Who was heard of last: exact, bounded, and the same after a replay."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from log_support import Sent, opened, prepared, with_journal

from indelible.journal.file import FileJournal
from indelible.log.heard import Heard, Last

events = st.lists(
    st.builds(Sent, st.sampled_from("abcdefghijkl"), st.sampled_from([None, "x", "y"]), st.integers(0, 1)), min_size=1, max_size=30
)


@given(st.lists(events, min_size=1, max_size=6))
@settings(max_examples=30)
def test_each_source_has_its_newest_entry_newest_first_live_and_replayed(drawn: list[list[Sent]]) -> None:
    async def work(journal: FileJournal) -> None:
        recorder = opened(journal)
        expected: dict[tuple[str, str], Last] = {}
        for moment, batch in enumerate(drawn):
            await recorder.record(await prepared([one.line for one in batch], recorded=moment // 3))
            size = max([last.index for last in expected.values()], default=-1) + 1
            for one, (_, index, _, _) in zip(batch, recorder.told[-1], strict=True):
                if index == size:
                    expected[("default", one.source)] = Last(moment // 3, index)
                    size += 1
        assert recorder.heard.sources() == expected
        moments = [last.recorded for last in recorder.heard.sources().values()]
        assert moments == sorted(moments, reverse=True)
        assert opened(journal).heard.sources() == expected

    with tempfile.TemporaryDirectory() as directory:
        with_journal(Path(directory), work)


def test_the_source_that_was_silent_longest_makes_room() -> None:
    heard = Heard(most=2)
    for moment, source in enumerate("abac"):
        heard.note("default", [source], moment, moment, {})
    assert list(heard.sources().items()) == [(("default", "c"), Last(3, 3)), (("default", "a"), Last(2, 2))]
    heard.note("default", [str(number) for number in range(100)], 9, 50, {})
    assert set(heard.sources().values()) == {Last(9, 148), Last(9, 149)}
