"""Whatever is done to the files: a look, a repair and a reading server each end well, and nothing is shown that was not written."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trails import SIZE, Quick, Receipt, contents, files, mend, overwrite, root, started, trail

from indelible.errors import Damaged
from indelible.journal.snapshot import open_snapshot
from indelible.log.recorder import Recorder


class Blow(NamedTuple):
    file: int
    kind: str
    at: int
    length: int


blows = st.lists(
    st.builds(
        Blow,
        st.integers(0, 6),
        st.sampled_from(["zero", "noise", "cut", "remove", "copy", "move", "append"]),
        st.integers(0, SIZE),
        st.integers(1, 600),
    ),
    min_size=1,
    max_size=4,
)


class Given:
    """The trail that every example harms a copy of; small in a report."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.receipts = trail(data)

    def __repr__(self) -> str:
        return "a trail"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Given:
    return Given(tmp_path_factory.mktemp("trail"))


def strike(data: Path, blow: Blow) -> None:
    paths = [*files(data), data / "journal" / "journal.json"]
    path, other = paths[blow.file % len(paths)], paths[blow.at % len(paths)]
    match blow.kind:
        case "zero":
            overwrite(path, blow.at, bytes(blow.length))
        case "noise":
            overwrite(path, blow.at, (b'{"v":1,"log"\n\xff' * 50)[: blow.length])
        case "cut":
            with path.open("r+b") as opened:
                opened.truncate(min(blow.at, path.stat().st_size))
        case "remove":
            path.unlink()
        case "copy" if path.suffix == other.suffix:
            other.write_bytes(path.read_bytes())
        case "move" if path != other:
            shutil.move(path, other)
        case "append":
            with path.open("ab") as opened:
                opened.write(b"x" * blow.length)


@given(blows)
@settings(max_examples=60)
def test_whatever_is_done_to_the_files_nothing_is_shown_that_was_not_written(whole: Given, drawn: list[Blow]) -> None:
    receipts = whole.receipts
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        shutil.copytree(whole.data, data)
        for blow in drawn:
            with suppress(FileNotFoundError):
                strike(data, blow)
        before = contents(data)
        read = Recorder(open_snapshot(data, files=Quick()))
        read.replay()
        for log in ("billing", "default"):
            leaves = [each.leaf for each in receipts if each.log == log]
            assert read.head(log).root == root(leaves[: read.size(log)])
        look = mend(data, write=False)
        assert contents(data) == before
        shutil.copytree(data, data.with_name("copy"))
        try:
            assert_prefix(started(data.with_name("copy")).lines, receipts)
        except Damaged:
            assert look.gaps
        if not look.gaps:
            return
        done = mend(data)
        assert done.aside
        now = started(data)
        assert mend(data).gaps == []
        written = {each.line for each in receipts}
        assert {line for _, line in now.lines if b'"indelible.damage"' not in line} <= written
        assert len(now.lines) >= look.events


def assert_prefix(lines: list[tuple[str, bytes]], receipts: list[Receipt]) -> None:
    assert lines == [(each.log, each.line) for each in receipts][: len(lines)]
