"""The benchmark tells the truth: what is sent is what it says, and a wrong answer ends the run instead of entering the table."""

from __future__ import annotations

import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bench import load, parts, report, rows
from bench.events import DIGITS, SIZE, Sheet, event
from bench.load import Failed
from bench.server import Server, discarding_server
from indelible.formats import split
from indelible.model import strict
from indelible.model.event import Limits

ROOT = Path(__file__).resolve().parents[2]
Answer = Callable[[bytes], bytes]


def created(body: bytes) -> bytes:
    """What Indelible answers, shortened."""
    if not body.endswith(b"\n"):
        return answered(201, b'{"id":"x","log":"default","index":0,"status":"stored","state":"sequenced"}')
    stored = body.count(b"\n")
    return answered(201, b'{"stored":%d,"duplicates":0,"conflicts":0,"refused":0,"receipts":[%s]}' % (stored, b'{"id":"x"},' * stored))


def answered(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d Some\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


@contextmanager
def stub(answer: Answer) -> Iterator[int]:
    """The port of a server in this process; its answers come in pieces, as those of a real one may."""

    class Handler(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            while (head := self.rfile.readline()) and head.startswith(b"POST /v1/events "):
                while (line := self.rfile.readline()) != b"\r\n":
                    if line.lower().startswith(b"content-length:"):
                        size = int(line.split(b":")[1])
                text = answer(self.rfile.read(size))
                if not text:
                    return
                for at in (slice(0, 25), slice(25, 60), slice(60, None)):
                    self.connection.sendall(text[at])

    class Threads(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            pass  # the generator hangs up in the middle of a wrong answer

    with Threads(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("number", [0, 7, 999, 1000, 123_456_789, 10**DIGITS - 1])
def test_every_event_has_the_size_that_is_told(number: int) -> None:
    assert len(event(number)) == SIZE


@pytest.mark.parametrize(("events", "lane"), [(1, 63), (10, 150), (100, 300), (1000, 0), (10_000, 0)])
def test_a_request_turned_into_another_is_the_events_of_its_numbers(events: int, lane: int) -> None:
    sheet = Sheet(events, lane, b"head")
    for block in (9, 12_345):
        sheet.turn(block)
        first = block * max(1000, events) + lane
        end = b"\n" if events > 1 else b""
        assert sheet.request == b"head" + b"".join(event(number) + end for number in range(first, first + events))


def test_what_is_sent_passes_the_strict_door() -> None:
    body = bytes(Sheet(1000, 0, b"").request)
    found = split(body, "application/x-ndjson", Limits())
    assert len({one.id for one in strict.decode(found.text, found.lines, Limits())}) == 1000


@pytest.mark.parametrize(
    ("batch", "connections", "events"), [(1000, 4, 20_000), (100, 4, 5_000), (10, 16, 2_000), (1, 64, 500), (10, 16, 50)]
)
def test_every_event_is_sent_once_and_counted(batch: int, connections: int, events: int) -> None:
    bodies: list[bytes] = []
    with stub(lambda body: bodies.append(body) or created(body)) as port:  # type: ignore[func-returns-value]
        result = load.run(port, batch, connections, events, timeout=10)
    assert (result.acknowledged, result.requests) == (events, events // batch)
    assert 0 < result.p50 <= result.p99 <= result.worst
    sent = [line for body in bodies for line in body.splitlines()]
    assert len(set(sent)) == len(sent) == events


WRONG = {
    "a status that is not 201": (1000, lambda body: answered(503, b"busy"), "(?s)answered HTTP/1.1 503 Some.*busy"),
    "a 200": (1, lambda body: answered(200, b'{"status":"stored"}'), "answered HTTP/1.1 200"),
    "fewer stored than sent": (1000, lambda body: created(body[SIZE + 1 :]), "1000 events sent, but not all acknowledged"),
    "a duplicate": (1, lambda body: answered(201, b'{"status":"duplicate"}'), "not all acknowledged"),
    "an end without an answer": (100, lambda body: b"", "closed the connection"),
    "more than its length": (100, lambda body: created(body) + b"x", "not all acknowledged"),
    "no end": (10, lambda body: created(body)[:-1], "the time is up after 0 of"),
}


@pytest.mark.parametrize(("batch", "answer", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_answer_ends_the_run(batch: int, answer: Answer, words: str) -> None:
    with stub(answer) as port, pytest.raises(Failed, match=words):
        load.run(port, batch, 4, 10 * batch, timeout=0.3)


def test_one_wrong_answer_among_right_ones_ends_the_run() -> None:
    numbers = count()
    with stub(lambda body: created(body) if next(numbers) != 20 else answered(503, b"")) as port, pytest.raises(Failed, match="503"):
        load.run(port, 10, 4, 1000, timeout=10)


def test_a_failed_generator_is_a_failed_row() -> None:
    class Gone:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]

    with pytest.raises(Failed, match="refused"):
        rows.send(Gone(), 1000, 4, 1000)  # type: ignore[arg-type]


def test_a_count_that_differs_from_what_was_acknowledged_is_a_failure(tmp_path: Path) -> None:
    with discarding_server(tmp_path) as server:
        result = rows.send(server, 1000, 4, 5000)
        assert rows.confirm(server, result.acknowledged) > 0
        with pytest.raises(Failed, match="5001 events were acknowledged, and /v1/count says"):
            rows.confirm(server, 5001)


def test_a_server_is_gone_when_its_block_ends_however_it_ends(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), discarding_server(tmp_path) as server:
        process = server.pid
        raise KeyboardInterrupt
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_server_that_does_not_start_is_told_with_its_words(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"No module named bench\.nothing"):
        Server(["bench.nothing"], tmp_path, "/readyz")


def test_the_run_ends_on_sigterm_and_leaves_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, "-m", "bench", "--only", "parts", "--data", str(data)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        process.stderr.readline()  # run 1 of 3: parts …
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
    assert not data.exists()


def test_a_row_is_judged_by_its_median_and_shows_its_spread() -> None:
    name = "batches of 1,000 × 4"
    runs: list[dict[str, float | None]] = [{name: value, report.HASHES: 400_000.0} for value in (90_000.0, 140_000.0, 160_000.0)]
    row = report.table(runs, full=True).splitlines()[1]
    assert row.split("  ")[0] == name
    for words in ("140,000", "90,000", "160,000", "≥ 130,000  met", "≥ 170,000  MISSED", "0.35 of decode + 3 SHA-256"):
        assert words in row


@pytest.mark.parametrize(
    ("value", "full", "words"), [(299.0, True, "met"), (300.0, True, "MISSED"), (300.0, False, "not judged"), (None, True, "–")]
)
def test_memory_is_judged_by_the_full_amount_alone(value: Any, full: bool, words: str) -> None:
    assert words in report.table([{"resident, nothing read yet": value}], full=full)


def test_every_measured_name_is_a_row(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = {row.name for row in report.ROWS}
    assert {row.limit for row in report.ROWS} - {""} <= names
    monkeypatch.setattr(rows, "send", lambda *_: load.Result(1, 1, 1, 1, 1, 1, 1, 1))
    monkeypatch.setattr(rows, "confirm", lambda *_: 1.0)
    monkeypatch.setattr(rows, "_warm", lambda *_: {})
    monkeypatch.setattr(rows, "indelible_server", Idle)
    monkeypatch.setattr(rows, "discarding_server", Idle)
    monkeypatch.setattr(parts, "syncing", lambda *_: {})
    for measure in rows.MEASUREMENTS.values():
        assert measure(tmp_path, 100).keys() <= names


class Idle:
    """In place of a server."""

    started = 1.0

    def __init__(self, folder: Path) -> None:
        pass

    def __enter__(self) -> Idle:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def cpu(self) -> None:
        return None

    def resident(self) -> None:
        return None
