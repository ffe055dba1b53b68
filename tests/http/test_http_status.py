"""What an operator asks: is it ready, how is it doing, what was refused; and what the process says by itself."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from http_fakes import Server, assert_problem, server

from indelible.errors import BadParameter, Busy, Fault, JournalFailed, JournalFull, NotJSON, ReadOnly
from indelible.http import log
from indelible.http.rate import DAY, LEAST, Rate
from indelible.http.refusals import NOBODY, OTHER, REASONS, SOURCES, Refusals
from indelible.http.watch import Watch
from indelible.journal.port import Usage
from indelible.model.durations import BUCKETS, RECENT, Durations

Captured = pytest.CaptureFixture[str]


def said(capsys: Captured) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def full(web: Server, free: int) -> None:
    """The last write found no room, and so much is free now."""
    web.service.metrics.full = True
    web.service.journal.used = Usage(1000, free, 1 << 20)  # type: ignore[attr-defined]


def test_ready_to_write_and_ready_to_read_are_two_questions() -> None:
    web = server()
    assert web.ask("/readyz?for=read").json["checks"] == {"replayed": "ok", "journal": "ok", "loader": "ok"}
    assert web.ask("/readyz?for=write").json["checks"] == {"replayed": "ok", "journal": "ok", "read_only": "ok", "disk": "ok"}
    assert web.ask("/readyz").json == web.ask("/readyz?for=read").json
    for wrong in ("for=both", "for=", "what=read", "for=read&for=write"):
        assert_problem(web.ask(f"/readyz?{wrong}"), BadParameter, "for=read or for=write")


@pytest.mark.parametrize("purpose", ["read", "write"])
def test_each_failing_check_is_named(purpose: str) -> None:
    web = server()
    web.recorder.ready = False
    assert_problem(web.ask(f"/readyz?for={purpose}"), Busy, "replayed: ")
    web.recorder.failed = True
    assert_problem(web.ask(f"/readyz?for={purpose}"), JournalFailed, "journal: ")


def test_a_full_disk_stops_writes_and_no_reads_until_there_is_room_or_a_write_succeeds() -> None:
    web = server()
    web.ingest.raises = JournalFull("no room")
    assert web.ask("/readyz?for=write").status == 200
    assert web.ask("/v1/events", "POST").status == 507
    web.service.journal.used = Usage(1000, 1 << 20, 1 << 20)  # type: ignore[attr-defined]
    assert_problem(web.ask("/readyz?for=write"), JournalFull, "disk: ")
    assert web.ask("/readyz?for=read").status == 200
    full(web, free=2 << 20)
    assert web.ask("/readyz?for=write").status == 200
    full(web, free=0)
    web.service.metrics.recorded(1, 0, 0, 0, 9, 0.1)
    assert web.ask("/readyz?for=write").status == 200


def test_where_nobody_knows_how_much_is_free_a_full_disk_is_full() -> None:
    web = server()
    full(web, free=0)
    web.service.journal.used = None  # type: ignore[attr-defined]
    assert_problem(web.ask("/readyz?for=write"), JournalFull, "disk: ")
    assert web.ask("/v1/status").json["disk"] is None
    assert "indelible_disk_free_bytes 0" not in web.ask("/metrics").body.decode()


def test_a_loader_in_trouble_stops_reads_and_each_look_tries_it_again() -> None:
    web = server()
    web.store.trouble = "killed"
    assert_problem(web.ask("/readyz"), Busy, "loader: ")
    assert web.ask("/readyz?for=write").status == 200
    assert web.store.retried == 1


def test_a_server_that_only_reads_takes_no_events() -> None:
    web = server(read_only=True)
    assert_problem(web.ask("/readyz?for=write"), ReadOnly, "read_only: ")
    assert web.ask("/readyz").status == 200


def test_the_status_answers_in_every_state() -> None:
    web = server()
    for ready, failed in ((False, False), (True, False), (True, True)):
        web.recorder.ready, web.recorder.failed = ready, failed
        status = web.ask("/v1/status").json
        assert (status["ready"]["read"] == "ok") == (ready and not failed)
        assert status["complete"] is ready
    assert_problem(web.ask("/v1/status?x=1"), BadParameter)


def test_the_status_has_what_was_noted() -> None:
    web = server()
    web.recorder.folded = 7
    web.recorder.heard.note("default", ["a"], 1_700_000_000_000_000, 3, {})
    web.service.syncs.add(0.004)
    web.service.refusals.request(NotJSON())
    web.service.rate.note(-7200.0, 0)
    status = web.ask("/v1/status").json
    assert status["position"] == 7
    moment = "2023-11-14T22:13:20.000000Z"
    assert status["sources"] == [{"log": "default", "source": "a", "time": moment, "index": 3}]
    assert status["fsync_p99"] == 0.004
    assert status["refused"] == [{"reason": "not-json", "source": NOBODY, "count": 1}]
    assert status["disk"]["journal"] == 1000 and status["disk"]["per_hour"] > 0 and status["disk"]["hours_left"] > 0
    [shown] = status["logs"]
    assert (shown["name"], shown["void"], [tree["generation"] for tree in shown["trees"]]) == ("default", [], [1])


def test_refused_requests_are_counted_by_their_problem_and_accepted_ones_cost_nothing() -> None:
    web = server()
    web.ask("/v1/events", "POST")
    assert not web.service.refusals.counts
    web.ingest.raises = NotJSON()
    web.ask("/v1/events", "POST")
    web.ask("/v1/events", "POST", {"origin": "http://evil.example"})
    assert web.service.refusals.counts == {("not-json", NOBODY): 1, ("cross-site", NOBODY): 1}


def test_refused_events_are_counted_by_place_and_source() -> None:
    refusals = Refusals()
    lines = [b'{"source":"a"}', b'{"source":"b"}', b"[1]", b'{"source":7}', b'{"source":"c"}']
    faults = [
        *(Fault("x", 0, "#/type"), Fault("again", 0, "#/id"), Fault("x", 1, "#/targets/3/id"), Fault("x", 2), Fault("x", 3, "#/source")),
        Fault("of the request"),
    ]
    refusals.events(faults, 7, lines)
    assert refusals.counts == {
        ("not-an-event #/type", "a"): 1,
        ("not-an-event #/targets/*/id", "b"): 1,
        ("not-an-event", NOBODY): 1,
        ("not-an-event #/source", NOBODY): 1,
        ("not-an-event", OTHER): 3,
    }


def test_no_sender_makes_the_counts_of_refusals_grow_without_bound() -> None:
    refusals = Refusals()
    for number in range(2000):
        refusals.events([Fault("x", 0, f"#/{number}{'y' * 200}")], 1, [b'{"source":"s%d%b"}' % (number, b"z" * 500)])
    assert len(refusals.counts) <= REASONS + 1
    assert len({source for _, source in refusals.counts}) <= SOURCES + 1
    assert sum(refusals.counts.values()) == 2000
    assert max(len(reason) + len(source) for reason, source in refusals.counts) < 200


def test_the_rate_is_that_of_the_process_or_of_its_last_day() -> None:
    rate = Rate()
    assert rate.per_hour(0, 5) is None
    rate.note(0, 100)
    assert rate.per_hour(LEAST - 1, 200) is None
    assert rate.per_hour(1800, 200) == 200
    assert rate.per_hour(1800, 50) == 0
    rate.note(3600, 3700)
    rate.note(DAY + 3600, 3700)
    assert rate.per_hour(DAY + 7200, 3700 + 25 * 40) == 40


def test_a_percentile_is_of_the_latest_and_the_histogram_of_all() -> None:
    durations = Durations()
    assert durations.percentile(0.99) is None
    for _ in range(RECENT):
        durations.add(9.0)
    for number in range(RECENT):
        durations.add(number / RECENT / 1000)
    assert durations.percentile(0.99) == int(0.99 * RECENT) / RECENT / 1000
    assert durations.percentile(1.0) == (RECENT - 1) / RECENT / 1000
    assert sum(durations.counts) == 2 * RECENT and durations.counts[-1] == RECENT
    for bound in BUCKETS:
        durations.add(bound)
    assert min(durations.counts) > 0


def test_the_metrics_show_syncs_and_room() -> None:
    web = server()
    web.service.syncs.add(0.004)
    lines = web.ask("/metrics").body.decode().splitlines()
    assert 'indelible_fsync_seconds_bucket{le="0.005"} 1' in lines
    assert "indelible_fsync_seconds_count 1" in lines
    assert f"indelible_disk_free_bytes {1 << 30}" in lines
    assert "indelible_journal_bytes 1000" in lines


def test_a_round_of_the_watch_tells_what_is_new_and_nothing_twice(capsys: Captured) -> None:
    web = server()
    watch = Watch(web.service)
    watch.look(0.0)
    assert said(capsys) == []
    web.service.refusals.request(NotJSON())
    web.service.refusals.events([Fault("x", 0, "#/type")], 1, [b'{"source":"secret"}'])
    full(web, free=0)
    watch.look(60.0)
    refused, disk = said(capsys)
    assert (refused["event"], refused["count"], refused["reasons"]) == ("refused", 2, {"not-json": 1, "not-an-event": 1})
    assert (disk["event"], disk["level"]) == ("disk-full", "error")
    watch.look(120.0)
    assert said(capsys) == []
    web.service.metrics.full = False
    watch.look(180.0)
    assert [line["event"] for line in said(capsys)] == ["disk-room"]
    web.service.journal.used = None  # type: ignore[attr-defined]
    watch.look(240.0)


def test_a_line_of_the_log_is_json_with_time_level_and_event(capsys: Captured) -> None:
    log.say("start", pid=1)
    [line] = said(capsys)
    assert list(line) == ["time", "level", "event", "pid"]
    assert line["time"].endswith("Z") and len(line["time"]) == 24
    assert (line["level"], line["event"]) == ("info", "start")


def test_a_failure_of_ours_is_a_line_without_what_was_sent(capsys: Captured) -> None:
    web = server()
    web.store.raises = ValueError("secret-value")
    assert web.ask("/v1/events?type=secret-type", headers={"x-secret": "secret-header"}).status == 500
    [line] = said(capsys)
    shown = {name: line[name] for name in ("event", "level", "method", "path", "error")}
    assert list(shown.values()) == ["failed", "error", "GET", "/v1/events", "ValueError"]
    assert "secret" not in json.dumps({name: value for name, value in line.items() if name != "trace"})
    assert any("http_fakes" in where for where in line["trace"])


def test_libraries_speak_through_the_same_lines_and_quote_nothing(capsys: Captured) -> None:
    before = logging.root.handlers[:], logging.root.level
    try:
        log.take_over()
        try:
            raise KeyError("secret-value")
        except KeyError:
            logging.getLogger("asyncio").exception("broke off\nsecret detail")
        logging.getLogger("uvicorn.error").warning("not told")
        logging.getLogger("other").warning("%s", "secret-argument")
    finally:
        logging.root.handlers[:], level = before
        logging.root.setLevel(level)
    first, second = said(capsys)
    assert (first["event"], first["level"], first["logger"], first["error"]) == ("library", "error", "asyncio", "KeyError")
    assert (second["logger"], second["level"]) == ("other", "warning")
    assert "secret" not in json.dumps([first, second])
