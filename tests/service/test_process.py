"""The process itself: killed in the middle it loses nothing, told to end it finishes, and it says what keeps it from starting."""

from __future__ import annotations

import socket
import threading
import time
from http.client import HTTPException
from pathlib import Path
from random import Random
from typing import Any

import pytest
from served import Server, server

SENDERS = 3
BATCH = 20


class Sender(threading.Thread):
    """Sends batches as fast as it gets receipts, and sends again whatever it got none for. Remembers each receipt."""

    def __init__(self, to: Server, name: str) -> None:
        super().__init__(daemon=True)
        self.to = to
        self.source = name
        self.receipts: dict[str, Any] = {}
        self.ended = threading.Event()
        self.sent = 0

    def run(self) -> None:
        while not self.ended.is_set():
            lines = [self.line(self.sent + at) for at in range(BATCH)]
            answer = self.acknowledged(lines)
            if answer is None:
                return
            for receipt in answer["receipts"]:
                self.receipts[receipt["id"]] = {name: receipt[name] for name in ("index", "leaf", "recorded")}
            self.sent += BATCH

    def line(self, id: int) -> bytes:
        return b'{"id":"%d","type":"t","source":"%b","data":%d}' % (id, self.source.encode(), id % 7)

    def acknowledged(self, lines: list[bytes]) -> Any:
        """The answer, however often it takes; None once ended."""
        while not self.ended.is_set():
            try:
                status, answer = self.to.post(lines)
            except (OSError, HTTPException):
                time.sleep(0.01)
                continue
            if status in (200, 201):
                return answer
            assert status == 503, answer
        return None


def test_what_was_acknowledged_is_there_once_and_unchanged_after_each_of_several_kills(tmp_path: Path) -> None:
    random = Random(7)
    with server(tmp_path) as service:
        senders = [Sender(service, f"s{place}") for place in range(SENDERS)]
        for sender in senders:
            sender.start()
        for _ in range(4):
            time.sleep(random.uniform(0.1, 0.4))  # not to wait for anything: the moment of the kill
            service.kill()
            service.start()
        for sender in senders:
            sender.ended.set()
        for sender in senders:
            sender.join()
        assert sum(len(sender.receipts) for sender in senders) > 0
        found = entries(service)
        for sender in senders:
            assert_kept(sender, found, service)
        names = [(event["source"], event["id"]) for event in found]
        assert len(names) == len(set(names))


def assert_kept(sender: Sender, found: list[Any], service: Server) -> None:
    """Each receipt of the sender holds: the event is there, and sent again it gets the same one."""
    for id, receipt in sender.receipts.items():
        event = found[receipt["index"]]
        assert (event["source"], event["id"]) == (sender.source, id)
        assert event["record"]["recorded"] == receipt["recorded"]
    lines = [sender.line(int(id)) for id in sender.receipts]
    for start in range(0, len(lines), 1000):
        status, answer = service.post(lines[start : start + 1000])
        assert status == 200
        for again in answer["receipts"]:
            assert {name: again[name] for name in sender.receipts[again["id"]]} == sender.receipts[again["id"]]


def entries(service: Server) -> list[Any]:
    """Every event in the log, by index."""
    found: list[Any] = []
    after = ""
    while True:
        status, page = service.get(f"/v1/events?limit=1000{after}")
        assert status == 200 and page["complete"]
        found += page["events"]
        if page["next"] is None:
            assert [event["record"]["index"] for event in reversed(found)] == list(range(len(found)))
            return found[::-1]
        after = f"&cursor={page['next']}"


def test_told_to_end_it_finishes_what_is_in_flight_and_ends_with_zero(tmp_path: Path) -> None:
    with server(tmp_path) as service:
        line = b'{"id":"1","type":"t","source":"s"}\n'
        half = socket.create_connection(("127.0.0.1", service.port))
        head = b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n"
        half.sendall(head % len(line) + line[:10])
        idle = socket.create_connection(("127.0.0.1", service.port))
        assert service.get("/healthz")[0] == 200  # by now the half request is being read
        assert service.process
        service.process.terminate()
        while not refuses(service):
            pass
        half.sendall(line[10:])
        half.settimeout(10)
        answer = b""
        while chunk := half.recv(65536):
            answer += chunk
        assert answer.startswith(b"HTTP/1.1 201 ")
        assert idle.recv(1) == b""
        assert service.reap()[0] == 0
        service.start()
        assert service.get("/v1/count")[1] == {"count": 1, "complete": True}
        assert service.stop()[0] == 0


def refuses(service: Server) -> bool:
    """False as long as the server still takes connections; one that waits while it closes its door is reset."""
    try:
        socket.create_connection(("127.0.0.1", service.port)).close()
    except ConnectionResetError:
        return False
    except ConnectionRefusedError:
        return True
    return False


def test_a_second_server_on_the_same_data_or_port_is_told_why(tmp_path: Path) -> None:
    with server(tmp_path / "a") as service:
        other = Server(tmp_path / "a")
        process = other.spawn()
        said = process.communicate(timeout=30)[1]
        assert process.returncode == 75
        assert said.count("\n") == 1 and str(tmp_path / "a") in said and "Traceback" not in said
        other = Server(tmp_path / "b")
        other.port = service.port
        process = other.spawn()
        said = process.communicate(timeout=30)[1]
        assert process.returncode == 78
        assert said.count("\n") == 1 and "--port" in said and str(service.port) in said


def test_a_damaged_journal_stops_the_start_with_file_and_offset(tmp_path: Path) -> None:
    with server(tmp_path) as service:
        for place in range(5):
            service.post([b'{"type":"t%d","source":"s"}' % place])
        service.stop()
        service.start()  # the start rewrites the tail: what it read is durable now
        for place in range(5):
            service.post([b'{"type":"u%d","source":"s"}' % place])
        service.stop()
        first = sorted((tmp_path / "journal").glob("*.journal"))[0]
        text = first.read_bytes()
        first.write_bytes(text.replace(b'"type":"t2"', b'"type":"t9"'))
        process = service.spawn()
        said = process.communicate(timeout=30)[1]
        assert process.returncode == 65
        assert first.name in said and "Traceback" not in said


FAILING = """
import errno, os, sys
from indelible.cli.main import main

sync, left = os.fdatasync, [int(sys.argv.pop(1))]

def fdatasync(fd):
    left[0] -= 1
    if left[0] < 0:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return sync(fd)

os.fdatasync = fdatasync
main()
"""


@pytest.mark.parametrize("syncs", [3, 10])
def test_a_sync_that_fails_ends_the_process_with_74_and_one_line(tmp_path: Path, syncs: int) -> None:
    with server(tmp_path, command=("-c", FAILING, str(syncs))) as service:
        acknowledged = 0
        for place in range(20):
            try:
                status, answer = service.post([b'{"type":"t","source":"s","id":"%d"}' % place])
            except OSError:
                break
            if status != 201:
                assert (status, answer["type"]) == (503, "/problems/journal-failed")
                break
            acknowledged += 1
        assert service.process
        said = service.process.communicate(timeout=30)[1]
        assert service.process.returncode == 74
        assert "Input/output error" in said.splitlines()[-1]
        assert "Traceback" not in said
        service.command = ("-m", "indelible")
        service.start()
        count = service.get("/v1/count")[1]["count"]
        assert acknowledged <= count <= acknowledged + 1  # of the one that failed nobody knows
