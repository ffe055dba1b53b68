"""What signing costs those who write, and what a proof costs those who ask: over a million entries, and over a thousand logs."""

from __future__ import annotations

import http.client
import re
from base64 import b64decode
from pathlib import Path
from random import Random
from time import monotonic, sleep

from bench.client import Failed
from bench.events import log_name
from bench.generator import confirm, send
from bench.rows import Rows
from bench.server import HOST, PATIENCE, Server, indelible_server
from bench.writing import scratch
from indelible.tree.checkpoint import parse_checkpoint
from indelible.tree.note import parse_note
from indelible.tree.proofs import verify_inclusion

PROOFS = 1000
ROUNDS = 8
_WARM = 200
_PATIENCE = 30.0  # s for the last checkpoint


def proofs(data: Path, scale: int) -> Rows:
    """The same events to a server that signs and to one that may not, then inclusion proofs of any of them."""
    events = 1_000_000 // scale
    with scratch(data) as folder:
        (folder / "trail" / "signing").mkdir(parents=True)
        (folder / "trail" / "signing" / "restored").touch()  # a backup: it takes events and signs nothing
        with indelible_server(folder) as server:
            unsigned = send(server, 1000, 4, events)
            confirm(server, unsigned.acknowledged)
    with scratch(data) as folder, indelible_server(folder) as server:
        signed = send(server, 1000, 4, events)
        await_published(server, events)
        rows = _inclusion(server, events)
        confirm(server, signed.acknowledged)
    return {
        "batches of 1,000 × 4, nothing signed": unsigned.rate,
        "batches of 1,000 × 4, signed": signed.rate,
        "… lost to signing": max(0.0, 100 - 100 * signed.rate / unsigned.rate),
        **rows,
    }


def many(data: Path, scale: int) -> Rows:
    """1,000 logs that grow at once, each about once a second: how many checkpoints come under one sync."""
    logs = 1000 // scale
    with scratch(data) as folder:
        config = folder / "logs.toml"
        config.write_text(f"logs = {[log_name(number) for number in range(logs)]}\n")
        with indelible_server(folder, "--config", str(config)) as server:
            for turn in range(ROUNDS):
                _grow(server, logs, turn)
            signed, syncs = (_counter(server, f"indelible_{name}_total") for name in ("checkpoints", "checkpoint_syncs"))
            for number in range(logs):
                confirm(server, ROUNDS, log_name(number))
    return {"1,000 logs growing at once, checkpoints under one sync": signed / max(1, syncs)}


def _grow(server: Server, logs: int, turn: int) -> None:
    """One event for each log, over one connection. Raises Failed."""
    connection = http.client.HTTPConnection(HOST, server.port, timeout=PATIENCE)
    try:
        for number in range(logs):
            body = b'{"id":"%d","type":"bench.sent","source":"bench"}' % turn
            connection.request("POST", f"/v1/logs/{log_name(number)}/events", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            if answer.read() and answer.status != 201:
                raise Failed(f"an event for {log_name(number)} was answered with {answer.status}")
    finally:
        connection.close()


def _inclusion(server: Server, events: int) -> Rows:
    """Milliseconds from a question to a proof, of entries all over the log; each proof is checked."""
    random = Random(1)
    taken = []
    for _ in range(_WARM + PROOFS):
        index = random.randrange(events)
        answer, seconds = server.ask(f"/v1/proof/inclusion?index={index}")
        checkpoint = parse_checkpoint(parse_note(answer["checkpoint"].encode()).text)
        hashes = [b64decode(hash) for hash in answer["hashes"]]
        verify_inclusion(b64decode(answer["leaf"]), index, events, hashes, checkpoint.root)
        taken.append(1000 * seconds)
    taken = sorted(taken[_WARM:])
    return {"inclusion proof, warm, p50": taken[PROOFS // 2], "inclusion proof, warm, p99": taken[int(0.99 * (PROOFS - 1))]}


def await_published(server: Server, events: int) -> None:
    """Return once a checkpoint has all events. Raises Failed."""
    deadline = monotonic() + _PATIENCE
    while _counter(server, 'indelible_log_published{log="default"}') < events:
        if monotonic() > deadline:
            raise Failed(f"no checkpoint has all {events} events after {_PATIENCE:.0f} s")
        sleep(0.1)


def _counter(server: Server, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (.*)$", server.read("/metrics")[0].decode(), re.MULTILINE)
    if found is None:
        raise Failed(f"/metrics has no {name}")
    return float(found[1])
