"""The client against servers that answer, refuse, break off, or are none: what it tries again, what it raises, what it hands on."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from scripted_server import LOST, Says, Script, batch, problem, receipt, says, scripted, stored

from indelible.client import Client
from indelible.client.patience import seconds
from indelible.errors import (
    BadParameter,
    Conflict,
    Damaged,
    IndelibleError,
    Misconfigured,
    NotAnEvent,
    NotFound,
    NotYet,
    Refused,
    TooLarge,
    Unauthorized,
    Unreachable,
)

LINES = [b'{"id":"e0","type":"a","source":"s","data":1e400}', b'{"id":"e1","type":"b","source":"s"}']
BUSY = problem("busy", 503, "too much is in flight")


class Clock:
    """Time that passes only where the client pauses."""

    def __init__(self) -> None:
        self.time = 0.0
        self.pauses: list[tuple[float, str]] = []

    def now(self) -> float:
        return self.time

    def pause(self, seconds: float, why: str) -> None:
        self.pauses.append((seconds, why))
        self.time += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INDELIBLE_KEY", raising=False)


def client_of(script: Script, clock: Clock, **settings: Any) -> Client:
    return Client(script.url, pause=clock.pause, now=clock.now, **settings)


def pages(*numbers: Iterable[int], complete: bool = True) -> Iterator[Says]:
    for place, some in enumerate(numbers):
        after = f"c{place}" if place < len(numbers) - 1 else None
        yield says({"events": [{"n": n} for n in some], "next": after, "complete": complete or place > 0})


def test_lines_are_posted_as_ndjson_to_the_byte_and_their_receipts_come_back(clock: Clock) -> None:
    with scripted(stored(1, 1)) as script, client_of(script, clock) as client:
        answer = client.send(LINES)

    (asked,) = script.asked
    assert (asked.method, asked.target, asked.body) == ("POST", "/v1/events", b"".join(line + b"\n" for line in LINES))
    assert asked.headers["content-type"] == "application/x-ndjson"
    assert (answer.stored, answer.duplicates) == (1, 1)
    assert [one.index for one in answer.receipts] == [0, 1]


def test_nothing_to_send_asks_nothing(clock: Clock) -> None:
    with scripted(stored(1)) as script, client_of(script, clock) as client:
        assert client.send([]).stored == 0
    assert script.asked == []


def test_requests_share_one_connection(clock: Clock) -> None:
    with scripted(stored(2)) as script, client_of(script, clock) as client:
        for _ in range(5):
            client.send(LINES)
    assert (len(script.asked), script.connections) == (5, 1)


AGAIN = {
    "408": Says(408, b"", "text/plain"),
    "429": problem("busy", 429),
    "500": problem("internal", 500),
    "500 over damage": problem("damaged", 500),
    "502 of a proxy": Says(502, b"<html>", "text/html"),
    "503": BUSY,
    "507": problem("disk-full", 507),
    "an answer that is lost": LOST,
    "an answer that breaks off": Says(201, stored(2).body, cut=10),
    "JSON that breaks off": Says(201, stored(2).body[:-10]),
}


@pytest.mark.parametrize("name", AGAIN)
def test_the_same_bytes_are_sent_again_after(name: str, clock: Clock) -> None:
    with scripted(AGAIN[name], AGAIN[name], stored(2)) as script, client_of(script, clock) as client:
        assert client.send(LINES).stored == 2

    first, second, third = script.asked
    assert first.body == second.body == third.body == b"".join(line + b"\n" for line in LINES)
    assert len(clock.pauses) == 2


def test_tries_of_one_request_carry_one_idempotency_key_and_another_request_another(clock: Clock) -> None:
    with scripted(LOST, BUSY, stored(2)) as script, client_of(script, clock) as client:
        client.send(LINES)
        client.send(LINES)

    keys = [asked.headers["idempotency-key"] for asked in script.asked]
    assert keys[0] == keys[1] == keys[2] != keys[3]


def test_a_connection_that_the_server_has_closed_meanwhile_costs_no_pause_and_no_patience(clock: Clock) -> None:
    answer = stored(2)
    answer.closes = True
    with scripted(answer) as script, client_of(script, clock, patience=0) as client:
        for _ in range(3):
            client.send(LINES)
    assert clock.pauses == []
    assert len(script.asked) == 3


def test_questions_are_asked_again_too(clock: Clock) -> None:
    with scripted(LOST, BUSY, says({"count": 7})) as script, client_of(script, clock) as client:
        assert client.count() == 7


def test_pauses_grow_up_to_five_seconds_and_end_with_patience(clock: Clock) -> None:
    with scripted(BUSY) as script, client_of(script, clock, patience=60) as client, pytest.raises(Unreachable) as raised:
        client.send(LINES)

    waited = [pause for pause, _ in clock.pauses]
    assert all(0.05 * 2**n <= waited[n] <= 0.1 * 2**n for n in range(6))
    assert max(waited) <= 5
    assert clock.time == pytest.approx(60)
    assert len(script.asked) == len(waited) + 1
    assert script.url in raised.value.detail
    assert f"503 Service Unavailable: too much is in flight ({len(script.asked)} tries in 60 s)" in raised.value.detail
    assert clock.pauses[0][1] == "503 Service Unavailable: too much is in flight"


def test_it_does_not_come_back_before_retry_after(clock: Clock) -> None:
    with scripted(says({}, 503, Retry_After="7"), stored(2)) as script, client_of(script, clock) as client:
        client.send(LINES)
    assert [pause for pause, _ in clock.pauses] == [7.0]


def test_a_retry_after_beyond_its_patience_ends_it_at_once(clock: Clock) -> None:
    with scripted(says({}, 503, Retry_After="70")) as script, client_of(script, clock) as client, pytest.raises(Unreachable, match="70 s"):
        client.send(LINES)
    assert clock.pauses == []


def test_retry_after_is_seconds_or_a_date_and_else_nothing() -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    assert seconds("0") == 0
    assert seconds("120") == 120
    assert 3590 < seconds(format_datetime(later, usegmt=True)) <= 3600
    assert seconds(format_datetime(later - timedelta(days=1), usegmt=True)) == 0
    assert [seconds(text) for text in ("", "soon", "-1", "1.5", "²", "Fri, 31 Dec 9999 99:99:99 GMT")] == [0] * 6


def test_without_patience_there_is_one_try(clock: Clock) -> None:
    with scripted(BUSY) as script, client_of(script, clock, patience=0) as client, pytest.raises(Unreachable, match="tried once"):
        client.count()
    assert len(script.asked) == 1


def test_no_server_is_unreachable_and_says_so(clock: Clock) -> None:
    with pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:1: connection refused"):
        Client("http://127.0.0.1:1", pause=clock.pause, now=clock.now, patience=1).count()
    assert len(clock.pauses) > 1


REFUSALS = {
    "not-an-event": (422, NotAnEvent),
    "too-large": (413, TooLarge),
    "not-found": (404, NotFound),
    "not-yet": (404, NotYet),
    "bad-parameter": (400, BadParameter),
    "a-later-invention": (418, Refused),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_raised_at_once_as_what_it_is_with_its_faults(name: str, clock: Clock) -> None:
    status, kind = REFUSALS[name]
    faults = [{"detail": "say it so", "index": 1, "pointer": "#/source"}]
    with scripted(problem(name, status, "this\x1b[2J is wrong", faults, total=3)) as script:
        client = client_of(script, clock)
        with pytest.raises(IndelibleError) as raised, client:
            client.send(LINES)

    assert type(raised.value) is kind
    assert raised.value.detail == r"this\x1b[2J is wrong"
    assert [(fault.detail, fault.index, fault.pointer) for fault in raised.value.faults] == [("say it so", 1, "#/source")]
    assert raised.value.total == 3
    assert len(script.asked) == 1


def test_a_key_that_is_missing_or_wrong_is_said_as_the_setting_that_mends_it(clock: Clock) -> None:
    with scripted(problem("unauthorized", 401, "send the key, once: `Authorization: Bearer KEY`")) as script:
        with (
            client_of(script, clock) as client,
            pytest.raises(Unauthorized, match="the key is missing or not the server's: set INDELIBLE_KEY"),
        ):
            client.count()
        assert len(script.asked) == 1


def test_a_question_that_damage_keeps_from_being_answered_is_not_asked_again(clock: Clock) -> None:
    with scripted(problem("damaged", 500, "the server's log says more")) as script, client_of(script, clock) as client:
        with pytest.raises(Damaged, match="the server's log says more"):
            client.count()
        assert (len(script.asked), clock.pauses) == (1, [])


def test_a_refusal_that_comes_before_the_body_was_read_is_heard(clock: Clock) -> None:
    refusal = problem("too-large", 413)
    refusal.unread = True
    with scripted(refusal) as script, client_of(script, clock) as client, pytest.raises(TooLarge):
        client.send([b'{"data":"' + b"x" * (8 << 20) + b'"}'])


def test_a_conflict_in_a_batch_is_raised_once_the_others_are_stored(clock: Clock) -> None:
    mixed = says(batch([receipt(0), receipt(1, "conflict")], stored=1, conflicts=1))
    with scripted(mixed) as script, client_of(script, clock) as client:
        with pytest.raises(Conflict, match="1 of 2 events: the id 'e1' is taken by other bytes") as raised:
            client.send(LINES)
        answer = client.post(LINES)

    assert [fault.index for fault in raised.value.faults] == [1]
    assert (answer.stored, answer.conflicts, [fault.index for fault in answer.errors]) == (1, 1, [1])


def test_where_every_event_conflicts_they_are_counted_too(clock: Clock) -> None:
    faults = [{"detail": "taken", "index": 0}, {"detail": "taken", "index": 1}]
    with scripted(problem("conflict", 409, "taken", faults, index=9)) as script, client_of(script, clock) as client:
        assert client.post(LINES).conflicts == 2
        with pytest.raises(Conflict, match="2 of 2"):
            client.send(LINES)
    assert len(script.asked) == 2


def test_skipping_stores_the_good_and_reports_the_bad(clock: Clock) -> None:
    fault = {"detail": "bad", "index": 0, "pointer": "#"}
    some = says(batch([receipt(5, "conflict", at=1)], [fault], conflicts=1, refused=1))
    with scripted(some, problem("not-an-event", 422, "bad", [fault])) as script, client_of(script, clock) as client:
        answer = client.post(LINES, skip=True)
        nothing = client.post(LINES, skip=True)

    assert [asked.target for asked in script.asked] == ["/v1/events?on_error=skip"] * 2
    assert [(error.detail[:3], error.index) for error in answer.errors] == [("bad", 0), ("the", 1)]
    assert (nothing.refused, [error.detail for error in nothing.errors]) == (2, ["bad"])


def test_filters_reach_the_server_as_they_are_written(clock: Clock) -> None:
    with scripted(says({"count": 1})) as script, client_of(script, clock) as client:
        client.count([("type", "pay.*"), ("actor.id", "a b&c=é+%"), ("type", "x")])
    assert script.asked[0].target == "/v1/count?type=pay.*&actor.id=a%20b%26c%3D%C3%A9%2B%25&type=x"


def test_text_that_no_url_can_carry_is_refused_here(clock: Clock) -> None:
    with pytest.raises(BadParameter):
        Client("http://127.0.0.1:1").count([("type", "\udcff")])


def test_events_keep_their_bytes(clock: Clock) -> None:
    body = b'{"record":{"index":1},"data":{"a":1e400,"a":-0.0,"b":"\\u00e9\\/"} , "n":18446744073709551616}'
    with scripted(Says(200, b'{"events":[%b,\n %b],"next":null,"complete":true}' % (body, body))) as script:
        assert list(client_of(script, clock).events()) == [body, body]


def test_cursors_are_followed_only_as_far_as_events_are_taken(clock: Clock) -> None:
    with scripted(*pages([9, 8], [7, 6], [5])) as script, client_of(script, clock) as client:
        events = client.events([("type", "a"), ("limit", "2")])
        assert [json.loads(next(events))["n"] for _ in range(2)] == [9, 8]
        assert len(script.asked) == 1
        assert [json.loads(event)["n"] for event in events] == [7, 6, 5]

    targets = ["/v1/events?type=a&limit=2" + after for after in ("", "&cursor=c0", "&cursor=c1")]
    assert [asked.target for asked in script.asked] == targets


def test_pages_may_begin_at_a_cursor(clock: Clock) -> None:
    with scripted(*pages([7, 6], [5])) as script, client_of(script, clock) as client:
        assert [len(page.events) for page in client.pages([("cursor", "given"), ("type", "a")])] == [2, 1]
    assert [asked.target for asked in script.asked] == ["/v1/events?cursor=given&type=a", "/v1/events?type=a&cursor=c0"]


def test_an_incomplete_page_shows_and_an_incomplete_answer_warns_at_its_end(clock: Clock) -> None:
    with scripted(*pages([9], [8], complete=False)) as script:
        assert [page.complete for page in client_of(script, clock).pages()] == [False, True]
    with scripted(*pages([9], [8], complete=False)) as script, pytest.warns(RuntimeWarning, match="could not be read"):
        assert len(list(client_of(script, clock).events())) == 2
    with scripted(*pages([9], [8])) as script, client_of(script, clock) as client, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(client.events())) == 2


FOREIGN = {
    "a page": (Says(200, b"<html>hello", "text/html"), "answered 200 OK with text/html"),
    "a page that is not there": (Says(404, b"<html>", "text/html; charset=utf-8"), "answered 404 Not Found with text/html"),
    "JSON of another service": (says({"number": 1}), "answered 200 OK in a form of its own"),
    "another service's refusal": (says({"detail": "Not Found"}, 404), "answered 404 Not Found in a form of its own"),
    "a problem of another service": (Says(400, b"[]", "application/problem+json"), "answered 400"),
    "a redirect": (
        Says(301, b"", "text/html", {"Location": "https://other/\x1b"}),
        r"sends on to https://other/\x1b, which is not followed",
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_indelible_server_is_named_at_once(name: str, clock: Clock) -> None:
    answer, words = FOREIGN[name]
    with scripted(answer) as script, client_of(script, clock) as client, pytest.raises(Unreachable) as raised:
        client.count()
    assert words in raised.value.detail
    assert len(script.asked) == 1


def test_the_key_is_sent_from_the_environment_or_as_given_and_none_without(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(says({"count": 0})) as script:
        client_of(script, clock).count()
        client_of(script, clock, key="given").count()
        monkeypatch.setenv("INDELIBLE_KEY", "from-the-environment")
        client_of(script, clock).count()
        client_of(script, clock, key="").count()
    assert [asked.headers.get("authorization") for asked in script.asked] == [None, "Bearer given", "Bearer from-the-environment", None]


def test_a_log_and_a_path_in_front_are_kept(clock: Clock) -> None:
    with scripted(says({"count": 0})) as script:
        Client(script.url + "/trail/", log="a/b").count()
        Client(script.url + "/a b").count()
    assert [asked.target for asked in script.asked] == ["/trail/v1/logs/a%2Fb/count", "/a%20b/v1/count"]


def test_proxies_of_the_environment_are_not_used(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with scripted(says({"count": 3})) as script:
        assert client_of(script, clock, patience=0).count() == 3


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost:8080", "127.0.0.1:8080", "ftp://h", "http://", "http://h:port", "http://h:99999", "http://[::1", "http://h?a=1"),
        *("http://h/#top", "http://u:hush@h", "http://u:hush@h:x", "http://a b", "http://" + "a" * 64),
    ],
)
def test_an_address_that_cannot_work_is_refused_with_the_right_form(url: str) -> None:
    with pytest.raises(Misconfigured, match="write it as http://") as raised:
        Client(url)
    assert "hush" not in raised.value.detail


@pytest.mark.parametrize("key", ["a\nb", "a b", "é", "\x00"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        Client("http://127.0.0.1:1", key=key)
    assert key not in raised.value.detail


def test_a_certificate_that_cannot_be_trusted_is_not_tried_again(clock: Clock) -> None:
    import ssl

    def untrusted(*_: object) -> None:
        error = ssl.SSLCertVerificationError(1, "certificate verify failed")
        error.verify_message = "self-signed certificate"
        raise error

    client = Client("https://127.0.0.1:1", pause=clock.pause, now=clock.now)
    client._connection._http.connect = untrusted  # type: ignore[method-assign]
    with pytest.raises(Unreachable, match="cannot be trusted: self-signed certificate"):
        client.count()
    assert clock.pauses == []
