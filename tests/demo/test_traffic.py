"""The traffic: a function of its seed, causes before effects, failures where they were planted."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import pytest
from trail_server import asked

from indelible.demo.questions import QUESTIONS, answered
from indelible.demo.services import SOURCES, lines, share, whole
from indelible.demo.traffic import FEWEST, GAP, Traffic, journeys_for, planted, steps, tally
from indelible.model import strict, times
from indelible.model.event import Limits

TRAFFIC = Traffic(seed=7, journeys=100, run="a-run")
LINES = list(whole(TRAFFIC))
EVENTS: list[Any] = list(map(json.loads, LINES))
BY_ID = {event["id"]: event for event in EVENTS}
KINDS = {
    "session": ["started", "ended"],
    "currency": ["changed", "converted"],
    "checkout": ["requested", "failed"],
    "cart": ["item_added", "viewed", "emptied"],
    "product": ["viewed"],
    "catalog": ["searched"],
    "order": ["placed", "failed"],
    "payment": ["charged", "declined"],
    "shipping": ["quoted"],
    "shipment": ["created", "failed"],
    "notification": ["sent", "failed"],
    "recommendation": ["served"],
    "ad": ["served"],
    "ai": ["query_answered"],
    "customer": ["created", "linked", "billed", "deactivated"],
}


def cause(event: Any) -> Any:
    return BY_ID[event["trace"]["causation_id"]]


def order(event: Any) -> str | None:
    return next((target["id"] for target in event.get("targets", ()) if target["type"] == "order"), None)


def of_type(type_: str) -> list[Any]:
    return [event for event in EVENTS if event["type"] == type_]


def test_the_same_seed_makes_the_same_bytes_and_another_makes_others() -> None:
    assert list(whole(TRAFFIC)) == LINES
    assert list(lines(3, 500)) == list(lines(3, 2000))[:500]
    assert list(whole(TRAFFIC._replace(seed=8)))[:100] != LINES[:100]


def test_another_run_has_other_ids_and_the_same_counts() -> None:
    other = list(map(json.loads, whole(TRAFFIC._replace(run="another"))))

    assert not BY_ID.keys() & {event["id"] for event in other}
    assert [event["type"] for event in other] == [event["type"] for event in EVENTS]


def test_the_shares_of_the_processes_add_up_to_the_whole() -> None:
    shares = sorted(sent for source in SOURCES for sent in share(TRAFFIC, source))

    assert [place for place, _, _ in shares] == list(range(len(LINES)))
    assert [line for _, _, line in shares] == LINES
    assert Counter((event["source"], event["type"]) for event in EVENTS) == tally(TRAFFIC)


def test_every_event_passes_the_strict_decoder() -> None:
    assert len(strict.decode(b"".join(line + b"\n" for line in LINES), LINES, Limits(batch_events=len(LINES)))) == len(LINES)


def test_each_type_of_the_shop_appears_and_no_other() -> None:
    assert {event["type"] for event in EVENTS} == {f"{kind}.{verb}" for kind, verbs in KINDS.items() for verb in verbs}
    assert {event["source"] for event in EVENTS} == set(SOURCES)
    assert len(SOURCES) == 12


def test_the_steps_are_in_time_order_and_visits_overlap() -> None:
    happened = list(steps(TRAFFIC))

    assert happened == sorted(happened)
    assert any(before.journey > after.journey for before, after in pairwise(happened))


def test_a_process_numbers_its_events_and_marks_the_last() -> None:
    for source in SOURCES:
        producers = [event["producer"] for event in EVENTS if event["source"] == source]
        assert len({producer["id"] for producer in producers}) == 1
        assert [producer["sequence"] for producer in producers] == list(range(1, len(producers) + 1))
        assert [producer.get("last", False) for producer in producers] == [False] * (len(producers) - 1) + [True]


def test_each_event_comes_after_its_cause_in_the_same_trace() -> None:
    for event in EVENTS:
        if event["type"] == "session.started":
            assert "causation_id" not in event["trace"]
            continue
        assert cause(event)["time"] < event["time"]
        assert cause(event)["trace"]["traceparent"][:35] == event["trace"]["traceparent"][:35]
        assert cause(event)["trace"]["correlation_id"] == event["trace"]["correlation_id"]
    spans = [event["trace"]["traceparent"] for event in EVENTS]
    assert len(set(spans)) == len(spans)
    assert all(re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", span) for span in spans)


def test_a_checkout_is_one_causation_tree() -> None:
    effects = defaultdict(list)
    for event in EVENTS:
        if event["type"] != "session.started":
            effects[event["trace"]["causation_id"]].append(event)

    def caused(event: Any) -> list[str]:
        return sorted(effect["type"] for effect in effects[event["id"]])

    placed = of_type("order.placed")
    assert len(placed) > 10
    for end in placed:
        shipped = cause(end)
        charged = cause(shipped)
        quoted = cause(charged if cause(charged)["type"] != "payment.declined" else cause(charged))
        viewed = cause(cause(quoted))
        assert cause(viewed)["type"] == "checkout.requested"
        assert cause(cause(viewed))["type"] == "cart.item_added"
        items = len(viewed["data"]["items"])
        assert caused(viewed) == ["currency.converted"] + ["product.viewed"] * items
        seen = [effect for effect in effects[viewed["id"]] if effect["type"] == "product.viewed"]
        assert all(caused(product) == ["currency.converted"] for product in seen)
        assert caused(shipped) == ["cart.emptied", "order.placed"]
        emptied = next(effect for effect in effects[shipped["id"]] if effect["type"] == "cart.emptied")
        assert caused(emptied) in (["notification.sent"], ["notification.failed"])
        assert caused(end) == ["customer.billed"]
        assert {order(event) for event in (end, shipped, charged, quoted, emptied)} == {order(end)}


@pytest.mark.parametrize("seed", range(8))
def test_the_smallest_traffic_holds_each_failure_once(seed: int) -> None:
    assert [len(orders) for orders in planted(Traffic(seed, FEWEST, "x")).values()] == [1, 1, 1, 1]


@pytest.mark.parametrize("seed", range(4))
def test_the_printed_questions_find_what_was_planted_and_nothing_else(seed: int) -> None:
    traffic = Traffic(seed, 200, "a-run")
    events = list(map(json.loads, whole(traffic))) + list(map(json.loads, whole(traffic._replace(run="an-earlier-one"))))

    found = {failure.name: set(answered(failure, "a-run", lambda filters: asked(events, filters)).orders) for failure in QUESTIONS}

    assert found == planted(traffic)
    assert all(orders for orders in found.values())


def test_a_customers_whole_life_is_there() -> None:
    for gone in of_type("customer.deactivated"):
        (customer,) = [target["id"] for target in gone["targets"]]
        life = [event["type"] for event in EVENTS if event["source"] == "customers" and event["actor"]["id"] == customer]
        assert life[:2] == ["customer.created", "customer.linked"]
        assert life[-2:] == ["customer.billed", "customer.deactivated"]
        assert gone["targets"][0]["changes"] == [{"path": "status", "old": "active", "new": "closed"}]


def test_the_assistant_is_an_agent_that_acts_for_someone() -> None:
    answered_ = of_type("ai.query_answered")

    assert answered_
    assert all(event["actor"]["type"] == "agent" and event["actor"]["on_behalf_of"].startswith("c-") for event in answered_)


def test_no_card_number_and_no_security_code_ever_appears() -> None:
    for line, event in zip(LINES, EVENTS, strict=True):
        assert not re.search(rb'cvv|cvc|card_number|"pan"', line, re.IGNORECASE)
        said = json.dumps([event["data"], event.get("targets"), event.get("actor"), event.get("outcome")])
        assert not re.search(r"(?<![0-9a-f-])(\d[ -]?){13,19}(?![0-9a-f])", said)
    cards = [event["data"]["card"] for event in EVENTS if event["source"] == "paymentservice"]
    assert all(card.keys() == {"brand", "last_four", "expiry_year"} and len(card["last_four"]) == 4 for card in cards)


def test_amounts_are_whole_numbers_with_a_currency() -> None:
    for event in of_type("currency.converted") + of_type("payment.charged"):
        amounts = [event["data"][name] for name in ("from", "to", "amount") if name in event["data"]]
        assert amounts
        assert all(set(map(type, amount.values())) == {int, str} and 0 <= amount["nanos"] < 10**9 for amount in amounts)


def test_a_run_named_after_a_moment_ends_before_it() -> None:
    happened = list(steps(TRAFFIC._replace(run="20261123T093000Z-0a1b")))

    assert "2026-11-23T09:17" < times.text(happened[0].at) < times.text(happened[-1].at) < "2026-11-23T09:30:00"
    assert happened[-1].at - happened[0].at > 99 * GAP - GAP


@pytest.mark.parametrize("wanted", [1, 2_000, 5_000])
def test_enough_journeys_are_made_for_the_events_that_were_asked_for(wanted: int) -> None:
    journeys = journeys_for(7, wanted)

    assert tally(Traffic(7, journeys, "x")).total() >= wanted
    assert journeys == FEWEST or tally(Traffic(7, journeys - 1, "x")).total() < wanted
