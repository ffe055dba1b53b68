"""The command: twelve real processes against a server over a list, the counts at the end, the questions, the ways it fails."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import subprocess
import sys
from collections import Counter
from urllib.parse import parse_qsl, urlsplit

import pytest
from click.testing import CliRunner, Result
from trail_server import asked, trail_server

from indelible.cli.demo import counts_table
from indelible.cli.main import indelible
from indelible.cli.progress import Progress
from indelible.demo.processes import MOST, batches
from indelible.demo.questions import Row
from indelible.demo.services import SOURCES, whole
from indelible.demo.traffic import FEWEST, Traffic, planted, tally
from indelible.errors import IndelibleError, Unreachable

SMALL = ["--journeys", str(FEWEST), "--seed", "5", "--rate", "0"]


def demo(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(indelible, ["demo", "--url", url, *SMALL, *arguments])


def test_it_sends_every_event_once_counts_them_back_and_finds_the_failures() -> None:
    with trail_server() as (url, trail):
        result = demo(url, "--run", "first")
        again = demo(url, "--run", "second")

    assert result.exit_code == 0, result.output
    assert sorted(line for line in trail.lines.values() if b'"first"' in line) == sorted(whole(Traffic(5, FEWEST, "first")))
    total = tally(Traffic(5, FEWEST, "first")).total()
    assert f"All {total:,} events are there, and the four failures were found." in result.stdout
    assert again.exit_code == 0, again.output
    assert len(trail.lines) == 2 * total


def test_the_questions_it_prints_find_what_it_says_they_find() -> None:
    with trail_server() as (url, trail):
        result = demo(url, "--run", "O'Neill & sons")
        curls = [shell_words(line[4:]) for line in result.stdout.splitlines() if line.startswith("  $ curl")]
        commands = [shell_words(line[4:]) for line in result.stdout.splitlines() if line.startswith("  $ indelible")]

        assert result.exit_code == 0, result.output
        orders = set().union(*planted(Traffic(5, FEWEST, "O'Neill & sons")).values())
        assert len(curls) == len(commands) == 6
        for curl, words in zip(curls, commands, strict=True):
            filters = parse_qsl(urlsplit(curl[-1]).query)
            assert curl[:2] == ["curl", "-s"]
            assert words[:4] == ["indelible", "events", "--url", url]
            assert [tuple(word.split("=", 1)) for word in words[4:]] == filters
            assert asked(map(json.loads, trail.lines.values()), filters)
        assert all(f"found: order {order}" in result.stdout for order in orders)


def shell_words(line: str) -> list[str]:
    """As a shell splits it: an & or ; that no quotes protect would stand alone."""
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    words.commenters = ""
    return list(words)


def test_an_answer_that_is_lost_makes_it_send_the_same_bytes_again() -> None:
    with trail_server() as (url, trail):
        trail.lose = 5
        result = demo(url)

    assert result.exit_code == 0, result.output
    assert len(trail.lines) == tally(Traffic(5, FEWEST, "any")).total()


def test_a_missing_event_is_marked_in_the_table_and_ends_with_status_1() -> None:
    with trail_server() as (url, trail):
        trail.drops = {"shipping.quoted"}
        result = demo(url)

    (line,) = [line for line in result.stdout.splitlines() if "DIFFERS" in line and "shipping.quoted" in line]
    assert line.endswith("-1  DIFFERS")
    assert result.exit_code == 1


def test_a_failure_that_is_not_found_ends_with_status_1() -> None:
    with trail_server() as (url, trail):
        trail.drops = {"shipment.failed"}
        result = demo(url)

    assert "MISSING: order " in result.stdout
    assert result.exit_code == 1


def test_without_a_server_it_says_how_to_start_one() -> None:
    result = demo("http://127.0.0.1:1", "--patience", "0")

    assert isinstance(result.exception, Unreachable)
    assert "make run" in str(result.exception)


def test_a_process_that_gives_up_is_named_and_ends_the_others() -> None:
    with trail_server() as (url, trail):
        trail.lose = 1 << 30
        result = demo(url, "--patience", "0.2")

    assert isinstance(result.exception, IndelibleError)
    assert "gave up" in str(result.exception)
    assert any(source in str(result.exception) for source in SOURCES)


def test_a_process_that_is_killed_is_named() -> None:
    with trail_server() as (url, _):
        demo_ = started(url, "--rate", "20")
        wait_for_progress(demo_)
        os.kill(children_of(demo_.pid)[0], signal.SIGKILL)
        _, told = demo_.communicate(timeout=30)

    assert demo_.returncode == 1
    assert b"the process of frontend died with status -9" in told


def test_ctrl_c_ends_all_processes() -> None:
    with trail_server() as (url, _):
        demo_ = started(url, "--rate", "20")
        wait_for_progress(demo_)
        children = children_of(demo_.pid)
        demo_.send_signal(signal.SIGINT)
        demo_.communicate(timeout=30)

    assert len(children) == 12
    assert not any(os.path.exists(f"/proc/{child}") for child in children)


def started(url: str, *arguments: str) -> subprocess.Popen[bytes]:
    script = "from indelible.cli.demo import command; command()"
    words = [sys.executable, "-c", script, "--url", url, *SMALL, *arguments]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for_progress(demo_: subprocess.Popen[bytes]) -> None:
    assert demo_.stderr is not None
    while b"events acknowledged" not in (line := demo_.stderr.readline()):
        assert line, "it ended before it had sent anything"


def children_of(pid: int) -> list[int]:
    """In the order of their start."""
    path = f"/proc/{pid}/task/{pid}/children"
    if not os.path.exists(path):
        pytest.skip("this system does not list a process' children under /proc")
    with open(path) as children:
        return list(map(int, children.read().split()))


def test_written_events_are_the_whole_traffic_and_nothing_is_sent() -> None:
    result = CliRunner().invoke(indelible, ["demo", *SMALL, "--write", "-"])

    assert result.exit_code == 0
    assert result.stdout_bytes.splitlines() == list(whole(Traffic(5, FEWEST, "demo-5")))


def test_no_event_is_sent_before_it_is_due_and_none_is_held_back_for_long() -> None:
    clock = [100.0]
    sent: list[tuple[float, int]] = []

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    events = [(place, "a.type", b"{}") for place in range(0, 100, 3)]
    for batch in batches(events, rate=10, begun=100.0, now=lambda: clock[0], sleep=sleep):
        sent += [(clock[0], place) for place, _, _ in batch]

    assert [place for _, place in sent] == list(range(0, 100, 3))
    assert all(-1e-9 < at - (100 + place / 10) < 0.5 for at, place in sent)


def test_as_fast_as_it_goes_batches_are_full() -> None:
    events = [(place, "a.type", b"{}") for place in range(2 * MOST + 1)]

    assert list(map(len, batches(events, rate=0, begun=0.0))) == [MOST, MOST, 1]


def test_progress_is_a_line_a_second_where_there_is_no_terminal() -> None:
    to, clock = io.StringIO(), [0.0]
    progress = Progress(to, now=lambda: clock[0])
    for tick in range(50):
        clock[0] = tick / 10
        progress.show(tick)

    assert to.getvalue().count("\n") == 4


def test_the_table_marks_differences_and_nothing_else() -> None:
    table = counts_table([Row("a", "b", 2, 2), Row("a", "c", 2, 3), Row("all", "", 4, 5)])

    assert ["DIFFERS" in line for line in table.strip().splitlines()] == [False, False, True, True]
    assert "+1  DIFFERS" in table
    assert Counter(table)["\n"] == 4
