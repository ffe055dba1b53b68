"""Who is let in, where a request goes, and that every error has the one shape."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
from http_fakes import Answer, Server, assert_problem, row, server

from indelible import errors
from indelible.errors import BadParameter, CrossSite, Fault, IndelibleError, NotAllowed, NotFound, Refused, Unauthorized, WrongHost
from indelible.http.auth import is_loopback

KEY = "k" * 32
BROKEN = "/var/data: broken at 77"
CLASSES = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, IndelibleError)]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8080", "127.8.9.10:1", "localhost", "LocalHost:8080", "[::1]", "[::1]:8080", "[0:0:0:0:0:0:0:1]:80"]
)
def test_without_a_key_a_loopback_host_is_answered(host: str) -> None:
    assert server().ask("/healthz", headers={"host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *(
            "example.org",
            "localhost.example.org",
            "127.0.0.1.example.org:8080",
            "0.0.0.0",
            "10.0.0.1",
            "[::]",
            "[::ffff:127.0.0.1]",
            "::1",
            "",
        ),
        *("localhost:80:80", "localhost:x", "user@localhost", "127.1", "2130706433", "localhost,example.org", "[::1", "[::1]x"),
        *("\xff", "foo.localhost"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_a_key_any_other_host_is_refused(host: str, method: str) -> None:
    web = server()
    assert_problem(web.ask("/v1/events", method, {"host": host}), WrongHost, "INDELIBLE_KEY")
    assert not web.ingest.scopes


def test_a_host_is_sent_exactly_once() -> None:
    for web in (server(), server(key=KEY)):
        assert_problem(web.ask("/healthz", headers=[]), Refused, "missing")
        assert_problem(web.ask("/healthz", headers=[("host", "localhost"), ("host", "localhost")]), Refused, "once")
    assert server(key=KEY).ask("/healthz", headers=[], version="1.0").status == 200
    assert_problem(server().ask("/healthz", headers=[], version="1.0"), Refused)


def test_hosts_are_looked_at_once() -> None:
    is_loopback.cache_clear()
    web = server()
    for _ in range(3):
        web.ask("/healthz")
    assert is_loopback.cache_info().misses == 1


ASKED = ("/v1/events", "/v1/events/x", "/v1/count", "/v1/logs", "/v1/logs/default/entries/0", "/metrics")
CLOSED = (*ASKED, "/nothing", "/docs/", "/problems")


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize(
    "given", [[], ["Bearer wrong"], ["Basic " + KEY], [KEY], ["Bearer"], ["Bearer " + KEY + "x"], ["Bearer " + KEY] * 2, ["Bearer \xff"]]
)
def test_with_a_key_every_route_needs_it(path: str, given: list[str]) -> None:
    web = server([row(0, id="x")], key=KEY)
    for method in ("GET", "POST", "OPTIONS"):
        answer = web.ask(path, method, [("host", "example.org"), *(("authorization", each) for each in given)])
        assert_problem(answer, Unauthorized)
        assert answer.header("www-authenticate") == 'Bearer realm="indelible"'
        assert KEY not in answer.body.decode()
    assert not web.ingest.scopes


def test_with_the_key_any_host_passes() -> None:
    web = server([row(0, id="x")], key=KEY)
    for path in ASKED:
        for scheme in ("Bearer", "bearer"):
            assert web.ask(path, headers={"host": "trail.example.org", "authorization": f"{scheme} {KEY}"}).status == 200
    assert web.ask("/v1/events", "POST", {"host": "trail.example.org", "authorization": f"Bearer {KEY}"}).status == 201


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs", "/openapi.json", "/", "/problems/conflict"])
def test_some_routes_are_open_and_show_no_event(path: str) -> None:
    web = server([row(0, '{"type":"secret.kept","source":"s"}')], key=KEY)
    answer = web.ask(path, headers={"host": "example.org"})
    assert answer.status == 200
    assert b"secret.kept" not in answer.body
    assert not web.store.asked


@pytest.mark.parametrize(
    "origin", ["https://example.org", "null", "http://127.0.0.1:9999", "http://localhost:8080", "", "http://127.0.0.1:8080/x"]
)
def test_a_page_of_another_site_writes_nothing(origin: str) -> None:
    web = server()
    for path in ("/v1/events", "/v1/logs/default/events"):
        assert_problem(web.ask(path, "POST", {"origin": origin}), CrossSite)
    assert not web.ingest.scopes
    assert web.ask("/v1/events", "POST", {"origin": "http://127.0.0.1:8080"}).status == 201


def test_no_answer_opens_itself_to_other_sites() -> None:
    web = server([row(0)])
    for path, method in (("/v1/events", "GET"), ("/", "GET"), ("/v1/events", "OPTIONS"), ("/nothing", "GET")):
        answer = web.ask(path, method, {"origin": "https://example.org", "access-control-request-method": "POST"})
        assert not [name for name, _ in answer.headers if name.startswith("access-control")]
        assert answer.header("cross-origin-resource-policy") == "same-origin"
        assert answer.header("x-content-type-options") == "nosniff"


def test_posts_go_straight_to_the_write_path_with_their_log() -> None:
    web = server(logs=("default", "billing"))
    assert web.ask("/v1/events?on_error=skip", "POST").json == "default"
    assert web.ask("/v1/logs/default/events", "POST").json == "default"
    assert web.ask("/v1/logs/billing/events", "POST").json == "billing"
    assert_problem(web.ask("/v1/logs/shipping/events", "POST"), NotFound, "default, billing")
    assert_problem(web.ask("/v1/logs/%62illing/events", "POST"), NotFound, "/v1/logs/billing/events")
    assert len(web.ingest.scopes) == 3


def test_without_a_default_log_the_short_paths_mean_nothing() -> None:
    web = server(logs=("billing",))
    for method in ("GET", "POST"):
        assert_problem(web.ask("/v1/events", method), NotFound, "'default'", "billing")
    assert web.ask("/").status == 200


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("/v1/event", "/v1/events"),
        ("/v1/events/", "/v1/events"),
        ("/v1/logs/default/events/", "/v1/logs/default/events"),
        ("/v1/count/", "/v1/count"),
        ("/events", "/v1/events"),
        ("/V1/logs", "/v1/logs"),
        ("/docs/", "/docs"),
        ("/health", "/healthz"),
        ("/zzzzzzzzzzzzzzz", "/docs lists"),
        ("//", "/"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_path_that_is_not_there_names_the_nearest(path: str, near: str, method: str) -> None:
    assert_problem(server().ask(path, method), NotFound, near)


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/v1/events", "GET, HEAD, OPTIONS, POST"),
        ("/v1/logs/default/events", "GET, HEAD, OPTIONS, POST"),
        ("/v1/events/x", "GET, HEAD, OPTIONS"),
        ("/", "GET, HEAD, OPTIONS"),
        ("/healthz", "GET, HEAD, OPTIONS"),
    ],
)
def test_methods_that_a_path_does_not_take_are_answered_with_those_it_takes(path: str, allow: str) -> None:
    web = server([row(0, id="x")])
    for method in ("DELETE", "PUT", "PATCH", "TRACE", "FOO"):
        answer = web.ask(path, method)
        assert_problem(answer, NotAllowed, method)
        assert answer.header("allow") == allow
    answer = web.ask(path, "OPTIONS")
    assert (answer.status, answer.body, answer.header("allow")) == (204, b"", allow)


@pytest.mark.parametrize("path", ["/v1/events", "/", "/docs", "/nothing", "/metrics"])
def test_head_is_get_without_the_body(path: str) -> None:
    web = server([row(0)])
    got, head = web.ask(path), web.ask(path, "HEAD")
    assert head.body == b""
    assert head.status == got.status
    length = [value for name, value in head.headers if name == "content-length"]
    assert path == "/metrics" or length == [str(len(got.body))]


@pytest.mark.parametrize("error", [each for each in CLASSES if each.status != 500])
def test_every_error_with_a_status_has_the_one_shape_on_both_ways(error: type[IndelibleError]) -> None:
    web = server()
    web.ingest.raises = web.store.raises = error("what was wrong", (Fault("this", index=3, pointer="#/id"),))
    for answer in (web.ask("/v1/events", "POST"), web.ask("/v1/events")):
        made = assert_problem(answer, error, "what was wrong")
        assert made["errors"] == [{"detail": "this", "index": 3, "pointer": "#/id"}]
        assert "total" not in made
        assert (answer.header("retry-after") is not None) == (error.status in (503, 507))


@pytest.mark.parametrize("error", [*(each(BROKEN) for each in CLASSES if each.status == 500), ValueError(BROKEN)])
def test_what_is_our_fault_is_logged_and_never_shown(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    web = server()
    web.ingest.raises = web.store.raises = error
    for answer in (web.ask("/v1/events", "POST"), web.ask("/v1/events?source=confidential")):
        made = assert_problem(answer, type(error) if isinstance(error, IndelibleError) else IndelibleError)
        assert made["errors"] == []
        assert "/var" not in answer.body.decode() and "Error" not in answer.body.decode()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    for line in map(json.loads, lines):
        assert line["path"] == "/v1/events" and line["error"] == type(error).__name__ and line["trace"]
        assert ("/var/data" in line["detail"]) == isinstance(error, IndelibleError), "a foreign message may quote a body"
        assert "confidential" not in json.dumps(line)


def test_errors_are_cut_at_a_hundred_and_counted() -> None:
    web = server()
    web.ingest.raises = BadParameter("many", tuple(Fault(f"{index}") for index in range(101)))
    made = assert_problem(web.ask("/v1/events", "POST"), BadParameter)
    assert (len(made["errors"]), made["total"]) == (100, 101)
    web.ingest.raises = BadParameter("many", tuple(Fault(f"{index}") for index in range(100)), total=5000)
    assert assert_problem(web.ask("/v1/events", "POST"), BadParameter)["total"] == 5000


def test_a_conflict_carries_the_entry_that_records_it() -> None:
    web = server()
    error = errors.Conflict("taken")
    error.index = 12  # type: ignore[attr-defined]
    web.ingest.raises = error
    assert assert_problem(web.ask("/v1/events", "POST"), errors.Conflict)["index"] == 12


def test_an_answer_that_breaks_off_is_not_ended_as_if_it_were_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    web = server()

    async def half(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError

    monkeypatch.setattr(web.door._inner, "router", half)
    answer = web.ask("/v1/events")
    assert (answer.status, answer.body) == (200, b"")


def counted(web: Server, *paths: tuple[str, str]) -> list[Answer]:
    return [web.ask(path, method) for path, method in paths]


def test_answers_are_counted_by_class() -> None:
    web = server()
    web.ingest.raises = errors.Busy()
    counted(web, ("/v1/count", "GET"), ("/v1/count", "OPTIONS"), ("/nothing", "GET"), ("/v1/events", "POST"), ("/v1/count", "DELETE"))
    assert web.service.metrics.answers == [0, 0, 2, 0, 2, 1]
