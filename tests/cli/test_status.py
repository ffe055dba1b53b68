"""`indelible status`: what the server says, aligned for people or as it is for programs, and an exit code for scripts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from scripted_server import says, scripted
from served import Server, server
from trails import flip, mend, trail

from indelible.cli.main import run
from indelible.cli.status import lines

Captured = pytest.CaptureFixture[str]
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def status(**changed: Any) -> dict[str, Any]:
    return {
        "version": "0.1.0",
        "started": "2026-11-24T00:00:00.000000Z",
        "ready": {"read": "ok", "write": "ok"},
        "read_only": False,
        "complete": True,
        "damage": None,
        "position": 1234567,
        "disk": {"journal": 3 << 29, "free": 1 << 40, "per_hour": 1 << 30, "hours_left": 1024.0},
        "fsync_p99": 0.0042,
        "refused": [{"reason": "not-an-event #/type", "source": "billing", "count": 12}],
        "sources": [{"log": "default", "source": "bil\x1bling", "time": "2026-11-24T11:58:30.000000Z", "index": 41}],
        "logs": [
            {
                "name": "default",
                "size": 42,
                "trees": [
                    {"generation": 1, "start": 0, "size": 12, "root": "r", "since": None},
                    {"generation": 2, "start": 12, "size": 30, "root": "r", "since": "2026-11-20T00:00:00.000000Z"},
                ],
                "void": [{"from": 12, "before": "2026-11-20T00:00:00.000000Z"}],
            }
        ],
        **changed,
    }


def test_people_get_what_they_ask_first_in_columns() -> None:
    assert list(lines(status(), NOW)) == [
        "  version         0.1.0, started 2026-11-24T00:00:00.000000Z",
        "  ready to read   ok",
        "  ready to write  ok",
        "  folded          1,234,567 events",
        "  journal         1.5 GiB",
        "  disk            1.0 TiB free, 1,024 hours at 1.0 GiB an hour",
        "  fsync p99       4.2 ms",
        "log default: 42 entries",
        "  generation 1  from index 0",
        "  generation 2  from index 12  2026-11-20T00:00:00.000000Z",
        "  receipts from before 2026-11-20T00:00:00.000000Z for index 12 or higher no longer hold",
        "refused since the start",
        "  12  billing  not-an-event #/type",
        "last event of each source",
        "  bil\\x1bling  default  index 41  90 s ago",
    ]


WITNESS = {"name": "w1", "url": "u", "last_ok": None, "last_outcome": None, "last_detail": "", "behind": 0, "lag": 0.0, "alarms": {}}


def test_people_see_how_each_witness_stands_and_its_alarms() -> None:
    idle = WITNESS
    busy = {**idle, "name": "w2", "last_outcome": "busy", "last_detail": "503", "behind": 2, "lag": 61.5}
    alarmed = {**idle, "name": "w\x1b3", "last_ok": "2026-11-24T11:58:30Z", "alarms": {"default": "it has seen 9\n"}}
    shown = [line for line in lines(status(witnesses=[idle, busy, alarmed]), NOW) if "witness" in line or "ALARM" in line]
    assert shown == [
        "witness w1: has cosigned nothing since the start",
        "witness w2: has cosigned nothing since the start, 2 logs behind for 62 s; busy: 503",
        "witness w\\x1b3: cosigned 90 s ago",
        "  ALARM log default: it has seen 9\\n",
    ]


def test_what_the_disk_lost_stands_out_and_is_no_success() -> None:
    fsck = {"position": 7, "findings": ["a.journal is damaged at byte 9"], "finished": "2026-11-24T00:00:00.000000Z"}
    shown = list(lines(status(fsck=fsck), NOW))
    assert any(line.split() == ["WRONG", *fsck["findings"][0].split()] for line in shown)
    assert any("7 events in this round, last through at 2026-11-24T00:00:00.000000Z, 1 finding" in line for line in shown)


def test_that_nothing_is_signed_stands_out_with_the_command_that_helps() -> None:
    [shown] = [
        line for line in lines(status(signing="a backup was put back. `indelible adopt --data d --new-generation`"), NOW) if "adopt" in line
    ]
    assert shown.split()[:2] == ["NOT", "SIGNED"]
    assert not any("SIGNED" in line for said in ("ok", None) for line in lines(status(signing=said), NOW))


def test_one_of_a_thing_is_said_as_one() -> None:
    fsck = {"position": 1, "findings": [], "finished": None}
    [log] = status()["logs"]
    shown = "\n".join(lines(status(position=1, fsck=fsck, logs=[{**log, "size": 1}], witnesses=[{**WITNESS, "behind": 1}]), NOW))
    assert "folded              1 event\n" in shown and "log default: 1 entry\n" in shown and "1 log behind" in shown
    assert "1 event in this round, not through yet, 0 findings" in shown


def test_what_is_not_known_yet_is_said_as_such() -> None:
    disk = {"journal": 0, "free": 10, "per_hour": None, "hours_left": None}
    shown = "\n".join(lines(status(disk=disk, fsync_p99=None, read_only=True, complete=False, damage="file is damaged"), NOW))
    for words in ("known after a minute", "none yet", "read-only", "there is more that was not read", "file is damaged"):
        assert words in shown
    shown = "\n".join(lines(status(disk={**disk, "per_hour": 0}), NOW))
    assert "nothing is added" in shown
    assert "disk" not in "\n".join(lines(status(disk=None), NOW))


def test_long_lists_end_and_say_so() -> None:
    sources = [{"log": "default", "source": f"s{at}", "time": "2026-11-22T11:00:00Z", "index": at} for at in range(50)]
    shown = list(lines(status(sources=sources), NOW))
    assert shown[-1] == "  and 30 more: --format json has them"
    assert "2 d ago" in shown[-2]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, 0),
        ({"fsck": {"position": 1, "findings": ["gone"], "finished": None}}, 1),
        ({"signing": "ok", "witnesses": [{**WITNESS, "last_outcome": "unanswered"}]}, 0),
        ({"witnesses": [WITNESS, {**WITNESS, "alarms": {"default": "it has seen 9"}}]}, 1),
        ({"signing": "a backup was put back: nothing is signed"}, 1),
        ({"signing": None, "ready": {"read": "ok", "write": "read_only: so"}, "read_only": True}, 0),
        ({"ready": {"read": "ok", "write": "disk: full"}}, 1),
        ({"ready": {"read": "replayed: not yet", "write": "ok"}}, 1),
        ({"ready": {"read": "ok", "write": "read_only: so"}, "read_only": True}, 0),
        ({"read_only": True, "complete": False}, 1),
    ],
)
def test_its_exit_code_says_whether_all_is_well(changed: dict[str, Any], code: int, capsys: Captured) -> None:
    said = status(**changed)
    with scripted(says(said)) as script:
        assert run(["status", "--url", script.url, "--format", "json"]) == code
        assert json.loads(capsys.readouterr().out) == said
        assert [asked.target for asked in script.asked] == ["/v1/status"]


def test_after_a_repair_the_real_server_names_the_receipts_that_no_longer_hold(tmp_path: Path, capsys: Captured) -> None:
    receipts = trail(tmp_path)
    gone = flip(tmp_path)
    mend(tmp_path)
    first = min(each.index for each in receipts if each.line in gone and each.log == "billing")
    with server(tmp_path, INDELIBLE_LOGS="default,billing") as service:
        service.post([b'{"type":"t","source":"now"}', b'{"type":"","source":"bad"}'])
        service.post([b'{"type":"t","source":"now"}'])
        assert run(["status", "--url", service.url, "--format", "text"]) == 0
        shown = capsys.readouterr().out
        raw = said_by(service)
    assert f"for index {first} or higher no longer hold" in shown
    assert "not-an-event #/type" in shown and "bad" in shown
    billing = next(log for log in raw["logs"] if log["name"] == "billing")
    assert [tree["generation"] for tree in billing["trees"]] == [1, 2]
    assert billing["void"] == [{"from": first, "before": billing["trees"][1]["since"]}]
    assert raw["sources"][0]["source"] == "now"
    assert raw["fsync_p99"] > 0 and raw["disk"]["journal"] > 0


def said_by(service: Server) -> Any:
    code, status = service.get("/v1/status")
    assert code == 200
    return status
