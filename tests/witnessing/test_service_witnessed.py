"""The whole service and a witness on loopback: from the policy file to a receipt that says witnessed, and to what an operator sees."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from served import Server, server
from witness_fakes import Honest, honestly, serving, signing

from indelible.config import compose, load
from indelible.errors import Misconfigured
from indelible.http.metrics import Metrics
from indelible.log.witnessing.standing import Report
from indelible.model.durations import Durations
from indelible.tree.cosignature import Witness
from indelible.tree.note import Key
from indelible.tree.policy import evaluate, parse_policy
from indelible.tree.vkeys import parse_vkey

ORIGIN = "trail.example/v1/logs"
VKEY = Witness(signing("w1"), 0).public.vkey


def test_an_event_is_witnessed_and_what_was_cosigned_outlasts_a_restart(tmp_path: Path) -> None:
    known: dict[str, Key] = {}
    honest = Honest("w1", known.get)

    def trust(running: Server) -> None:
        vkey = parse_vkey(running.read("/v1/logs/default/vkey")[1].decode().strip())
        known[vkey.name] = vkey

    def first(variables: dict[str, str]) -> bytes:
        with server(tmp_path / "data", **variables) as running:
            running.post([b'{"type":"a","source":"s"}'])
            trust(running)
            status, answer = running.get("/v1/status")
            assert (status, [each["name"] for each in answer["witnesses"]]) == (200, ["w1"])
            _, answer = running.ask("POST", "/v1/events?ack=witnessed", b'{"type":"b","source":"s"}', {"Content-Type": "application/json"})
            assert b'"state":"witnessed"' in answer
            checkpoint = running.read("/v1/logs/default/checkpoint")[1]
            assert b'indelible_witness_alarm{witness="w1"} 0\n' in running.read("/metrics")[1]
            running.stop()
            return checkpoint

    def second(variables: dict[str, str]) -> bytes:
        with server(tmp_path / "data", **variables) as running:
            checkpoint = running.read("/v1/logs/default/checkpoint")[1]
            running.stop()
            return checkpoint

    async def run() -> None:
        async with serving(honestly(honest)) as url:
            policy = f"witness w1 {VKEY} {url}\nquorum w1\n"
            (tmp_path / "policy").write_text(policy)
            variables = {"INDELIBLE_POLICY": str(tmp_path / "policy"), "INDELIBLE_ORIGIN": ORIGIN, "INDELIBLE_ACK_TIMEOUT": "60"}
            checkpoint = await asyncio.to_thread(first, variables)
            logs = "".join(f"log {key.vkey}\n" for key in known.values())  # type: ignore[attr-defined]
            assert evaluate(parse_policy((policy + logs).encode()), checkpoint).checkpoint.size == 2
            assert await asyncio.to_thread(second, variables) == checkpoint
            assert len([size for _, _, size in honest.asked if size == 2]) == 1  # its line was kept

    asyncio.run(run())


BROKEN = {
    "no policy": ("witnes w1 {key}\n", "line 1 of the policy: 'witnes' is no log, witness, group or quorum"),
    "no quorum": ("witness w1 {key} https://w1.example\n", "the policy has no quorum line"),
    "a URL that is none": ("witness w1 {key} w1.example\nquorum w1\n", "'w1.example' is not where a witness is"),
    "nobody to ask": ("witness w1 {key}\nquorum w1\n", "do not make up its quorum"),
    "no file": (None, "cannot be read"),
}


@pytest.mark.parametrize("why", BROKEN)
def test_a_broken_policy_stops_the_start_with_one_line(why: str, tmp_path: Path) -> None:
    text, said = BROKEN[why]
    path = tmp_path / "policy"
    if text is not None:
        path.write_text(text.format(key=VKEY))
    settings = load({"config": "/dev/null", "data": str(tmp_path / "data"), "policy": str(path)}, {})
    with pytest.raises(Misconfigured) as caught:
        compose(settings, lambda done, total: None)
    assert caught.value.detail.startswith(f"policy is {path} (flag --policy)") and said in caught.value.detail
    assert "\n" not in caught.value.detail
    assert not (tmp_path / "data").exists()


def test_metrics_name_witnesses_as_the_policy_does_whatever_bytes_that_are() -> None:
    def text(*names: str) -> str:
        reports = [Report(name, "", None, None, "", 3, 1.5, {"a": "fork"}, {"cosigned": 7}) for name in names]
        return Metrics().text(0, True, {}, Durations(), None, reports)

    lines = text('a"b\\c').splitlines()
    assert r'indelible_witness_alarm{witness="a\"b\\c"} 1' in lines
    assert r'indelible_witness_lag_seconds{witness="a\"b\\c"} 1.5' in lines
    assert r'indelible_witness_behind{witness="a\"b\\c"} 3' in lines
    assert r'indelible_witness_questions_total{witness="a\"b\\c",outcome="cosigned"} 7' in lines
    assert "witness" not in text()
