"""`indelible verify` of what one holds in hand: receipts, events with proofs, proof files; asked of a real server and its directory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from served import Server, server
from verify_support import Verify

from indelible.cli.main import run
from indelible.errors import Malformed, Unproven
from indelible.model import strict
from indelible.model.entry import Origin, body_digests, headers
from indelible.model.header import hold
from indelible.tree.checkpoint import Checkpoint, sign_checkpoint
from indelible.tree.keys import SigningKey
from indelible.tree.merkle import Hash, leaf_hash
from indelible.tree.tlogproof import make_proof
from indelible.verify.fetch import Server as Server_

EVENT = b'{"id":"one","type":"customer.billed",\n "source":"billing","time":"2026-11-24T00:59:59.5+01:00"}'
BATCH = [b'{"type":"a","source":"s","data":%d}' % number for number in range(5)]
CONFLICT = b'{"id":"one","type":"customer.billed","source":"billing"}'


class Trail:
    """A server that holds a few events, the answers that it gave for them, and the files that a test makes of these."""

    def __init__(self, service: Server) -> None:
        self.service = service
        self.receipt = self._post(EVENT)
        self.duplicate = self._post(EVENT)
        self.batch = self._post(b"".join(line + b"\n" for line in BATCH), "application/x-ndjson")
        self.mixed = self._post(b"[%b,%b]" % (CONFLICT, b'{"id":"two","type":"b","source":"s"}'))
        self.vkey = service.read("/v1/logs/default/vkey")[1].decode().strip()

    def _post(self, body: bytes, kind: str = "application/json") -> Any:
        connection = HTTPConnection("127.0.0.1", self.service.port, timeout=30)
        try:
            connection.request("POST", "/v1/events?ack=proven", body, {"Content-Type": kind})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    @property
    def url(self) -> str:
        return self.service.url


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trail]:
    with server(tmp_path_factory.mktemp("receipts") / "trail") as service:
        yield Trail(service)


@pytest.fixture
def files(tmp_path: Path) -> Any:
    def write(name: str, content: Any) -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return str(path)

    return write


def test_a_receipt_holds_if_the_log_has_its_event_there(trail: Trail, files: Any, verify: Verify) -> None:
    event, receipt = files("event", EVENT), files("receipt", trail.receipt)
    assert trail.receipt["state"] == "proven"
    assert verify(receipt, "--server", trail.url, "--key", trail.vkey, "--event", event) == 0
    assert "one: entry 0 is customer.billed from billing, recorded 20" in verify.said
    assert verify(receipt, "--server", trail.url, "--key", trail.vkey) == 0
    assert verify(receipt, "--server", trail.url) == 3
    assert verify(files("duplicate", trail.duplicate), "--server", trail.url, "--key", trail.vkey, "--event", event) == 0
    climbed = trail.service.get("/v1/receipts/one")[1]
    assert verify(files("climbed", climbed), "--server", f"{trail.url}/v1/logs/default", "--key", trail.vkey, "--event", event) == 0
    assert verify(receipt, "--data", str(trail.service.data), "--key", trail.vkey, "--event", event) == 0


def test_a_receipt_needs_somebody_to_ask(trail: Trail, files: Any, verify: Verify) -> None:
    receipt = files("receipt", trail.receipt)
    assert verify(receipt) == 64
    assert "--server URL, or --data DIR" in verify.said
    assert verify(receipt, "--server", trail.url, "--data", str(trail.service.data)) == 64
    assert verify(files("none", {"receipts": []}), "--server", trail.url) == 64
    assert verify(files("other", {"a": 1}), "--server", trail.url) == 65


FALSE: dict[str, tuple[dict[str, Any], str]] = {
    "another id": ({"id": "two"}, "the entry has the id 'one'"),
    "another place": ({"index": 1}, "another entry stands there"),
    "another leaf": ({"leaf": "A" * 43 + "="}, "another entry stands there"),
    "another time": ({"recorded": "2026-11-24T00:00:00.000000Z"}, "the receipt says 2026-11-24"),
    "a conflict": ({"status": "conflict"}, "the receipt says conflict"),
    "beyond the log": ({"index": 5000}, "has no entry 5000"),
}


@pytest.mark.parametrize("what", FALSE)
@pytest.mark.parametrize("asked", ["server", "data"])
def test_a_false_receipt_is_found_out(what: str, asked: str, trail: Trail, files: Any, verify: Verify) -> None:
    change, said = FALSE[what]
    where = trail.url if asked == "server" else str(trail.service.data)
    assert verify(files("receipt", {**trail.receipt, **change}), f"--{asked}", where, "--key", trail.vkey) == 65
    assert said in verify.said


def test_other_bytes_than_the_events_are_found_out(trail: Trail, files: Any, verify: Verify) -> None:
    receipt = files("receipt", trail.receipt)
    for other in (EVENT.replace(b"billing", b"billinG"), EVENT.replace(b'"id"', b' "id"'), CONFLICT):
        assert verify(receipt, "--server", trail.url, "--key", trail.vkey, "--event", files("event", other)) == 65
        assert "the event's bytes are not those that were logged" in verify.said


def test_an_entry_that_says_something_else_than_the_event_is_told() -> None:
    salt, body = bytes(16), b'{"id":"one","type":"t","source":"s","outcome":{"result":"success"}}'
    (event,) = strict.outlined(body)
    (entry,) = headers([event], ["one"], body_digests([body], salt), Origin(0, "-", "native"))
    hold(entry, salt, body)
    for member, text, other in (
        ("type", b'"t"', b'"u"'),
        ("source", b'"s"', b'"z"'),
        ("id", b'"one"', b'"two"'),
        ("outcome", b"success", b"failure"),
    ):
        with pytest.raises(Unproven, match=f"another {member} than"):
            hold(entry.replace(text, other), salt, body)
    with pytest.raises(Unproven, match="another spelling"):
        hold(entry.replace(b'"v":1,', b'"v": 1,'), salt, body)
    with pytest.raises(Unproven, match="not those that were logged"):
        hold(entry, salt, body + b" ")
    for no_entry in (b"", b"{}", b"[]", b"\xff", entry[:-1]):
        with pytest.raises(Malformed):
            hold(no_entry, salt, body)


def test_the_receipts_of_a_batch_hold_together_with_its_lines(trail: Trail, files: Any, verify: Verify) -> None:
    batch, lines = files("batch", trail.batch), b"".join(line + b"\n" for line in BATCH)
    words = ("--server", trail.url, "--key", trail.vkey)
    assert verify(batch, *words, "--event", files("lines", lines)) == 0
    assert "… and 2 more receipts hold" in verify.said
    assert verify(batch, *words, "--event", files("lines", b"".join(line + b"\n" for line in BATCH[::-1]))) == 65
    assert verify(batch, *words, "--event", files("lines", lines[: len(BATCH[0]) + 1])) == 64


def test_a_conflicts_receipt_holds_if_the_attempt_was_kept(trail: Trail, files: Any, verify: Verify) -> None:
    mixed = files("mixed", trail.mixed)
    sent = b"[%b,%b]" % (CONFLICT, b'{"id":"two","type":"b","source":"s"}')
    assert verify(mixed, "--server", trail.url, "--key", trail.vkey, "--event", files("sent", sent)) == 0
    assert "is the record of a conflict" in verify.said
    assert verify(mixed, "--data", str(trail.service.data), "--key", trail.vkey) == 0
    other = files("other", sent.replace(b"customer", b"kunde"))
    assert verify(mixed, "--server", trail.url, "--key", trail.vkey, "--event", other) == 65
    assert "keeps other bytes" in verify.said


def test_an_event_with_its_proof_needs_nobody_else(trail: Trail, files: Any, verify: Verify) -> None:
    proven = trail.service.get("/v1/events/one?proof=1")[1]
    raw = trail.service.read("/v1/events/one?proof=1")[1]
    path = files("proven", raw)
    assert verify(path, "--key", trail.vkey) == 0
    assert verify(path, "--server", trail.url) == 3
    assert verify(path) == 64
    assert "whose signature would count?" in verify.said
    assert verify(files("proof", proven["proof"]), "--key", trail.vkey) == 0
    assert "the event's own bytes were not shown" in verify.said
    assert verify(files("proof", proven["proof"]), "--key", trail.vkey, "--event", files("event", EVENT)) == 0
    spoiled = {
        "event": raw.replace(b"customer.billed", b"customer.called", 1),
        "header": raw.replace(b"customer.billed", b"customer.called"),
        "salt": raw.replace(b'"salt":"', b'"salt":"AAAA'),
        "index": raw.replace(b'"index":0,"start"', b'"index":1,"start"'),
        "size": raw.replace(b'"size":', b'"size":1'),
        "checkpoint": raw.replace(b"\\n\\n", b"\\n\\nx", 1),
        "record": raw.replace(b'{"record":', b'{ "record":', 1),
    }
    for what, changed in spoiled.items():
        assert changed != raw, what
        assert verify(files("spoiled", changed), "--key", trail.vkey) == 65, what


def test_a_proof_is_of_the_log_and_the_place_that_its_tree_has(trail: Trail, files: Any, verify: Verify) -> None:
    proof = trail.service.get("/v1/proof/inclusion?index=0")[1]
    for change, said in (
        ({"index": 7, "start": 7}, "does not begin at index 7"),
        ({"index": -7, "start": -7}, "does not begin at index -7"),
        ({"log": "billing"}, "is no tree of a log 'billing'"),
        ({"log": "x/default"}, "is no tree of a log 'x/default'"),
    ):
        assert verify(files("moved", {**proof, **change}), "--key", trail.vkey) == 65
        assert said in verify.said


def moved(given: Any) -> Any:
    """What a server would answer whose log had an entry more before all others of the tree."""

    def get(self: Any, target: str, most: int, packed: bool = False) -> Any:
        asked = re.fullmatch("/(proof/inclusion[?]index=|entries/)([0-9]+)", target)
        if asked is None:
            return given(self, target, most, packed)
        answer = given(self, f"/{asked[1]}{int(asked[2]) - 1}", most, packed)
        if asked[1] == "entries/":
            return answer
        proof = json.loads(answer)
        return json.dumps({**proof, "index": proof["index"] + 1, "start": proof["start"] + 1}).encode()

    return get


def test_a_receipt_does_not_hold_where_a_server_moved_its_entry(
    tmp_path: Path, files: Any, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "two trees"
    with server(data) as service:
        first = Trail(service).receipt
        vkeys = [service.read("/v1/logs/default/vkey")[1].decode().strip()]
        service.stop()
        (data / "signing" / "restored").touch()
        assert run(["adopt", "--data", str(data), "--reserve", "0", "--new-generation"]) == 0
        service.start()
        second = Trail(service).batch["receipts"][0]
        vkeys.append(service.read("/v1/logs/default/vkey")[1].decode().strip())
        words = ("--server", service.url, "--key", vkeys[0], "--key", vkeys[1])
        assert [verify(files("held", each), *words) for each in (first, second)] == [0, 0]
        monkeypatch.setattr(Server_, "get", moved(Server_.get))
        assert verify(files("first", {**first, "index": first["index"] + 1}), *words) == 65
        assert "does not begin at index 1" in verify.said
        assert verify(files("second", {**second, "index": second["index"] + 1}), *words) == 65
        assert "as its first entry has it" in verify.said


def test_what_an_event_says_of_itself_is_shown_and_moves_no_terminal(tmp_path: Path, files: Any, verify: Verify) -> None:
    with server(tmp_path / "trail") as service:
        trail = Trail(service)
        event = b'{"id":"\\u001b]0;t\\u0007x\\nverified","type":"t","source":"s"}'
        receipt = trail._post(event)
        assert verify(files("receipt", receipt), "--server", service.url, "--key", trail.vkey) == 0
        assert verify.said.startswith(r"\x1b]0;t\x07x\nverified: entry ") and verify.said.count("\n") == 2


def test_a_proof_file_holds_with_its_entry_or_the_server_that_has_it(trail: Trail, files: Any, verify: Verify) -> None:
    proof = trail.service.read("/v1/proof/inclusion?index=0&format=tlog-proof")[1]
    header = trail.service.get("/v1/proof/inclusion?index=0")[1]["header"].encode()
    path, entry = files("a.tlog-proof", proof), files("entry", header + b"\n")
    assert verify(path, "--entry", entry, "--key", trail.vkey) == 0
    assert "one: customer.billed from billing, recorded 20" in verify.said
    assert verify(path, "--server", trail.url, "--key", trail.vkey) == 0
    assert verify(path, "--server", trail.url) == 3
    assert verify(path, "--key", trail.vkey) == 64
    assert verify(path, "--entry", entry) == 64
    assert verify(path, "--entry", files("other", header.replace(b"billing", b"billinG")), "--key", trail.vkey) == 65
    assert verify(files("b", proof.replace(b"index 0", b"index 1")), "--entry", entry, "--key", trail.vkey) == 65
    assert verify(files("c", proof[:-9]), "--entry", entry, "--key", trail.vkey) == 65


def _one_other_bit(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def test_an_evidence_file_holds_or_the_first_thing_that_does_not_is_named(trail: Trail, tmp_path: Path, verify: Verify) -> None:
    case = tmp_path / "case.zip"
    assert run(["evidence", "--url", trail.url, "--id", "one", "-o", str(case)]) == 0
    assert verify(str(case)) == 3
    assert "1 event of entries 0 to 7 of log default matches 'id=one' and is in the log; others may match" in verify.said
    assert verify(str(case), "--key", trail.vkey) == 0
    assert verify(str(case), "--key", SigningKey("elsewhere.example", bytes(32)).public.vkey) == 65
    with ZipFile(case) as zipped:
        members = {name: zipped.read(name) for name in zipped.namelist()}
    for name, content in members.items():
        with ZipFile(case, "w") as zipped:
            for each, kept in members.items():
                zipped.writestr(each, _one_other_bit(kept) if each == name else kept)
        assert verify(str(case), "--key", trail.vkey) == 65, (name, content)


def test_what_was_kept_from_before_is_no_rollback_and_another_root_of_its_size_is_a_fork(trail: Trail, files: Any, verify: Verify) -> None:
    old, entry = trail.service.get("/v1/proof/inclusion?index=0&size=1")[1], files("entry", b"{}")
    key = SigningKey(old["origin"], bytes(32))
    header = old["header"].encode()
    files("entry", header)
    note = sign_checkpoint(Checkpoint(old["origin"], 1, leaf_hash(header)), [key])
    proof = files("old.tlog-proof", make_proof(0, [], note))
    words = ("--key", trail.vkey, "--key", key.public.vkey)
    assert verify(trail.url, *words) == 0
    assert verify(proof, "--entry", entry, *words) == 0
    size = json.loads(verify.state.read_bytes())["logs"][old["origin"]][0]["note"].split("\n")[1]
    forked = sign_checkpoint(Checkpoint(old["origin"], int(size), Hash(bytes(32))), [key])
    before = files("before", forked)
    assert verify(files("b.tlog-proof", make_proof(0, [], forked)), "--entry", entry, *words) == 65
    assert "forked" in verify.said
    assert verify(trail.url, "--from", before, *words) == 65


def test_the_real_server_and_its_directory_hold(trail: Trail, verify: Verify) -> None:
    assert verify(trail.url, str(trail.service.data), "--key", trail.vkey, "--all") == 0
    assert verify.said.count("verified") == 2
