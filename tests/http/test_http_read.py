"""Questions over HTTP: bytes come back as they came, paths and parameters are decoded once, pages go on where they ended."""

from __future__ import annotations

import json

import pytest
from http_fakes import assert_problem, row, server
from msgspec.json import decode

from indelible.errors import Ambiguous, BadParameter, Busy, NotFound
from indelible.http import answers
from indelible.model.query import FIELDS

ODD = '{"source":"s", "type":"t" ,"data":{"a":1e5,"b":-0.0,"c":18446744073709551616,"d":0.1000,"e":"\\u00e9\\/","a":1e400,"z":"\\u0000"}}'


def test_an_event_is_its_own_bytes_with_the_record_in_front() -> None:
    web = server([row(0, ODD, id="x", assigned=("time",))])
    record = (
        '{"record":{"log":"default","index":0,"id":"x","time":"2023-11-14T22:13:20.000000Z","recorded":"2023-11-14T22:13:20.000000Z",'
        '"writer":"-","assigned":["time"]},'
    )
    expected = (record + ODD[1:]).encode()
    assert web.ask("/v1/events/x").body == expected
    assert web.ask("/v1/logs/default/entries/0").body == expected
    assert web.ask("/v1/events").body == b'{"events":[%b],"next":null,"complete":true}' % expected


def test_answers_have_the_shapes_that_the_interface_names() -> None:
    web = server([row(0), row(1)])
    page = decode(web.ask("/v1/events").body, type=answers.Events, strict=True)
    assert [event.record.index for event in page.events] == [1, 0]
    assert decode(web.ask("/v1/events/id-0").body, type=answers.Kept).record.id == "id-0"
    assert web.ask("/v1/count").json == {"count": 2, "complete": True}
    assert web.ask("/v1/logs").json == {"logs": [{"name": "default", "size": 2}], "complete": True}


def test_following_next_gives_each_event_once_while_others_arrive() -> None:
    web = server([row(index) for index in range(7)])
    seen, cursor = [], ""
    while True:
        page = web.ask(f"/v1/events?limit=2{cursor}").json
        seen += [event["record"]["index"] for event in page["events"]]
        web.store.rows.append(row(len(web.store.rows)))
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == [6, 5, 4, 3, 2, 1, 0]


def test_a_cursor_goes_with_the_filters_it_came_with() -> None:
    web = server([row(index) for index in range(3)])
    after = web.ask("/v1/events?limit=1").json["next"]
    assert_problem(web.ask(f"/v1/events?limit=1&source=s&cursor={after}"), BadParameter, "other filters")
    assert_problem(web.ask("/v1/events?cursor=xyz"), BadParameter)


def test_a_limit_above_a_thousand_means_a_thousand_and_a_hundred_is_usual() -> None:
    web = server([row(index) for index in range(1100)])
    assert len(web.ask("/v1/events").json["events"]) == 100
    assert len(web.ask("/v1/events?limit=100000").json["events"]) == 1000
    assert_problem(web.ask("/v1/events?limit=0"), BadParameter)


def test_an_answer_ends_at_eight_mebibytes_with_a_cursor_and_always_holds_one_event() -> None:
    large = '{"type":"t","source":"s","data":"%s"}' % ("x" * (1 << 20))
    web = server([row(index, large) for index in range(20)])
    seen, cursor = [], ""
    while cursor is not None:
        answer = web.ask(f"/v1/events?limit=1000{cursor}")
        assert len(answer.body) < (8 << 20) + 1000
        seen += [event["record"]["index"] for event in answer.json["events"]]
        cursor = answer.json["next"] and f"&cursor={answer.json['next']}"
    assert seen == list(range(19, -1, -1))
    huge = '{"type":"t","source":"s","data":"%s"}' % ("x" * (9 << 20))
    assert len(server([row(0, huge)]).ask("/v1/events").json["events"]) == 1


def test_records_count_towards_the_size_of_an_answer() -> None:
    tight = '{"type":"t","source":"s","data":"%s"}' % ("x" * ((1 << 20) - 60))  # eight fit without their records
    web = server([row(index, tight) for index in range(9)])
    first = web.ask("/v1/events").json
    rest = web.ask(f"/v1/events?cursor={first['next']}").json
    assert [[event["record"]["index"] for event in page["events"]] for page in (first, rest)] == [[8, 7, 6, 5, 4, 3, 2], [1, 0]]


def test_an_answer_that_is_no_full_look_says_so() -> None:
    assert server([row(0)], complete=False).ask("/v1/events").json["complete"] is False


@pytest.mark.parametrize(
    ("raw", "id"),
    [
        ("a%2Fb", "a/b"),
        ("a/b", "a/b"),
        ("with%20space", "with space"),
        ("a+b", "a+b"),
        ("what%3Fnow", "what?now"),
        ("%2E%2E", ".."),
        ("..", ".."),
        ("Zo%C3%AB%20%E2%9C%93", "Zoë ✓"),
        ("Zoë", "Zoë"),
        ("50%2525", "50%25"),
        ("count", "count"),
        ("a%2Fevents%2Fb", "a/events/b"),
        ("a%0Ab", "a\nb"),
        ("x/", "x/"),
    ],
)
@pytest.mark.parametrize("start", ["/v1/events/", "/v1/logs/default/events/"])
def test_an_id_is_the_raw_path_percent_decoded_once(start: str, raw: str, id: str) -> None:
    web = server([row(0, id=id), row(1, id="other")])
    answer = web.ask(start + raw)
    assert answer.status == 200, answer.body
    assert answer.json["record"]["id"] == id


def test_an_id_that_is_not_utf8_is_refused() -> None:
    assert_problem(server([row(0)]).ask("/v1/events/%FF"), BadParameter, "UTF-8")


def test_an_id_of_two_sources_is_ambiguous_until_one_is_named() -> None:
    web = server([row(0, '{"type":"t","source":"a"}', id="x"), row(1, '{"type":"t","source":"b&c"}', id="x")])
    made = assert_problem(web.ask("/v1/events/x"), Ambiguous, "2 sources")
    assert [fault["detail"] for fault in made["errors"]] == ["?source=a", "?source=b%26c"]
    assert web.ask("/v1/events/x?source=b%26c").json["record"]["index"] == 1
    assert_problem(web.ask("/v1/events/x?source=d"), NotFound, "'d' sent no event", "a, b&c")


def test_only_one_source_may_stand_beside_an_id() -> None:
    web = server([row(0, id="x")])
    assert_problem(web.ask("/v1/events/x?limit=3"), BadParameter, "limit")
    assert_problem(web.ask("/v1/events/x?source=s&source=s"), BadParameter, "twice")


def test_what_is_not_there_is_a_404_that_says_what_is() -> None:
    web = server([row(0)], logs=("default", "billing"))
    assert_problem(web.ask("/v1/events/nope"), NotFound, "'nope'")
    assert_problem(web.ask("/v1/logs/default/entries/7"), NotFound, "it has 1")
    assert_problem(web.ask("/v1/logs/default/entries/" + "9" * 30), NotFound)
    for path in ("/events", "/events/x", "/count", "/entries/0"):
        assert_problem(web.ask(f"/v1/logs/shipping{path}"), NotFound, "'shipping'", "default, billing")
    assert_problem(web.ask("/v1/logs/default/entries/-1"), BadParameter, "index")


def test_each_log_answers_for_itself() -> None:
    web = server([row(0), row(0, log="billing", id="b")], logs=("default", "billing"))
    assert [event["record"]["id"] for event in web.ask("/v1/logs/billing/events").json["events"]] == ["b"]
    assert web.ask("/v1/logs/billing/count").json == {"count": 1, "complete": True}
    assert_problem(web.ask("/v1/events/b"), NotFound)
    assert web.ask("/v1/logs/billing/events/b").status == 200


def test_the_query_string_is_decoded_once() -> None:
    web = server([row(0)])
    web.ask("/v1/count?actor.name=Zo%C3%AB+%2B+50%2525&actor.id=&source=Zoë")
    assert web.store.asked[-1].filters == (("actor.id", ("",)), ("actor.name", ("Zoë + 50%25",)), ("source", ("Zoë",)))
    assert_problem(web.ask("/v1/count?source=%FF"), BadParameter, "UTF-8")
    assert_problem(web.ask("/v1/count?" + "&".join(["sorce=1"] * 201)), BadParameter, "201")


@pytest.mark.parametrize("name", ["q", "data.amount.units", "timestamp", "labels.", "page", "limit"])
def test_a_parameter_that_means_nothing_here_is_refused(name: str) -> None:
    made = assert_problem(server().ask(f"/v1/count?{name}=1"), BadParameter, name)
    assert made["errors"][0]["parameter"] == name


def test_a_likely_twin_of_an_unknown_parameter_is_named() -> None:
    assert_problem(server().ask("/v1/events?actor=42"), BadParameter, "did you mean actor.")


@pytest.mark.parametrize("path", [f"/v1/events?{field}=success" for field in FIELDS] + ["/v1/events?labels.team=a%20b"])
def test_every_member_of_what_when_where_and_who_can_be_asked_for(path: str) -> None:
    assert server().ask(path).status == 200


@pytest.mark.parametrize("path", ["/v1/logs?x=1", "/v1/logs/default/entries/0?x=1"])
def test_routes_without_parameters_take_none(path: str) -> None:
    assert_problem(server([row(0)]).ask(path), BadParameter, "'x'")


def test_until_the_journal_is_replayed_no_answer_is_given() -> None:
    web = server([row(0)])
    web.recorder.ready = False
    for path in ("/v1/events", "/v1/events/id-0", "/v1/count", "/v1/logs", "/v1/logs/default/entries/0"):
        answer = web.ask(path)
        assert_problem(answer, Busy, "replayed")
        assert answer.header("retry-after") == "1"


def test_answers_are_kept_by_no_cache() -> None:
    web = server([row(0)])
    for path in ("/v1/events", "/v1/events/id-0", "/v1/count", "/", "/v1/nothing"):
        assert web.ask(path).header("cache-control") == "no-store"
    assert json.loads(web.ask("/v1/events").body)
