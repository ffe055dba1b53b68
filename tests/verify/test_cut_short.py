"""A tree of which a repair lost signed entries: what is left is kept and read, and nothing claims a proof that nobody can show."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from served import Server, server
from trails import flip, mend, trail
from verify_support import life, sign

LOG = "/v1/logs/default"
LOST = "33 entries of trail.example/default were signed, and the journal holds 8 of them; entry 8 says what is lost"


@pytest.fixture(scope="module")
def repaired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("cut") / "trail"
    trail(data)
    sign(data)
    flip(data)
    mend(data)
    life(data, [([], True)])
    with server(data, INDELIBLE_ORIGIN="trail.example", INDELIBLE_LOGS="default,billing") as service:
        yield service


def refused(service: Server, target: str) -> str:
    status, problem = service.get(target)
    assert (status, problem["type"]) == (404, "/problems/not-found")
    return str(problem["detail"])


def test_no_receipt_claims_what_cannot_be_shown(repaired: Server) -> None:
    status, receipt = repaired.get("/v1/receipts/2")
    assert (status, receipt["index"], receipt["state"]) == (200, 1, "sequenced")
    [begun] = repaired.get("/v1/events?type=indelible.damage")[1]["events"]
    _, later = repaired.get(f"/v1/receipts/{begun['record']['id']}")
    assert (later["index"], later["state"]) == (8, "proven")


@pytest.mark.parametrize("target", ["/v1/events/2?proof=1", "/v1/proof/inclusion?index=0", "/v1/proof/inclusion?id=2&format=tlog-proof"])
def test_what_is_left_has_no_proof_and_the_answer_says_why(target: str, repaired: Server) -> None:
    said = refused(repaired, target)
    assert "is kept and cannot be proven" in said and LOST in said


def test_its_tiles_end_where_the_loss_begins_and_whoever_verifies_is_told(repaired: Server, tmp_path: Path) -> None:
    assert LOST in refused(repaired, f"{LOG}/g1/tile/0/000.p/33")
    assert repaired.read(f"{LOG}/g1/tile/0/000.p/8")[0] == 200
    command = [sys.executable, "-m", "indelible", "verify", f"{repaired.url}{LOG}/g1", "--state", str(tmp_path / "state")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (65, "")
    assert LOST in done.stderr


@pytest.mark.parametrize("target", ["/v1/proof/inclusion?index=200", f"{LOG}/entries/200"])
def test_beyond_the_end_the_receipts_that_are_void_are_named(target: str, repaired: Server) -> None:
    [void] = next(log for log in repaired.get("/v1/status")[1]["logs"] if log["name"] == "default")["void"]
    assert f"a receipt for it from before {void['before']} is void" in refused(repaired, target)


@pytest.mark.parametrize("where", ["--server", "--data"])
@pytest.mark.parametrize(("index", "said"), [(30, "went on as trail.example/default/g2"), (200, "is void, for entries were lost then")])
def test_whoever_verifies_a_void_receipt_is_told_of_the_loss(where: str, index: int, said: str, repaired: Server, tmp_path: Path) -> None:
    receipt = {**repaired.get("/v1/receipts/2")[1], "index": index, "leaf": "A" * 43 + "="}
    (tmp_path / "receipt").write_text(json.dumps(receipt))
    words = [str(tmp_path / "receipt"), where, repaired.url if where == "--server" else str(repaired.data), "--state", str(tmp_path / "s")]
    done = subprocess.run([sys.executable, "-m", "indelible", "verify", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 65
    assert said in done.stderr or (where == "--data" and "says that the others are lost" in done.stderr)
