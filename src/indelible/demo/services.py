"""What each service of the shop forwards: a step of the traffic as an event with all that its source knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from typing import Any

from msgspec import Raw
from msgspec.json import encode

from indelible.demo.details import DETAILS
from indelible.demo.journey import Step, Visit
from indelible.demo.shop import BROWSERS, CITIES, REGIONS
from indelible.demo.traffic import Traffic, steps, tally
from indelible.model import times

TEAMS = {
    **dict.fromkeys(("frontend", "adservice", "recommendationservice", "shoppingassistantservice"), "storefront"),
    **dict.fromkeys(("cartservice", "productcatalogservice", "currencyservice"), "catalog"),
    **dict.fromkeys(("checkoutservice", "paymentservice", "shippingservice", "emailservice", "customers"), "orders"),
}
SOURCES = tuple(TEAMS)
_SEE_PEOPLE = frozenset(("frontend", "customers", "shoppingassistantservice"))  # the others see a session
_WITH_SCHEMA = frozenset(("checkoutservice", "paymentservice", "customers"))
_CALLED_OFTEN = frozenset(("currencyservice", "adservice", "productcatalogservice", "recommendationservice"))
_BLIND = frozenset(("currencyservice", "adservice"))  # their calls do not say for whom they are
_WHY = {  # the code and reason of what does not succeed
    "cart.emptied": ("unavailable", "redis-cart: connection refused"),
    "shipment.failed": ("carrier_unavailable", "the carrier took no shipment after 3 attempts"),
    "order.failed": ("aborted", "the order could not be completed"),
    "checkout.failed": ("http_500", "failed to complete the order"),
    "notification.failed": ("smtp_451", "mailbox temporarily unavailable"),
    "payment.declined": ("insufficient_funds", "declined by the issuer"),
}


def share(traffic: Traffic, source: str) -> Iterator[tuple[int, str, bytes]]:
    """One source's events: (place in the whole traffic, type, compact JSON). The last says that it is the last."""
    service = Service(traffic.run, source, _per_source(traffic)[source])
    for place, step in enumerate(steps(traffic)):
        if step.source == source:
            yield place, step.type, encode(service.event(step))


def whole(traffic: Traffic) -> Iterator[bytes]:
    """All events in time order, compact JSON without line ends."""
    return _forwarded(traffic, _per_source(traffic))


def lines(seed: int, count: int) -> Iterator[bytes]:
    """`count` events, the same for a seed every time; a longer list begins like a shorter one."""
    return islice(_forwarded(Traffic(seed, 1 << 40, f"demo-{seed}"), {}), count)


def _forwarded(traffic: Traffic, own: Mapping[str, int]) -> Iterator[bytes]:
    services = {source: Service(traffic.run, source, own.get(source, 0)) for source in SOURCES}
    return (encode(services[step.source].event(step)) for step in steps(traffic))


def _per_source(traffic: Traffic) -> Counter[str]:
    own: Counter[str] = Counter()
    for (source, _), number in tally(traffic).items():
        own[source] += number
    return own


class Service:
    """One running service, which numbers what it forwards; number `last` is its last."""

    def __init__(self, run: str, source: str, last: int = 0) -> None:
        digest = sha256(f"{run}/{source}".encode()).hexdigest()
        self.source = source
        self.producer = digest[:8]
        self.sent = 0
        self.last = last
        self.where = Raw(encode(_where(source, digest)))
        self.labels = Raw(encode({"run": run, "team": TEAMS[source]} if TEAMS[source] == "orders" else {"run": run}))
        self.unsaid = _unsaid(source)

    def event(self, step: Step) -> dict[str, Any]:
        """The event of `step`, members in the order of the event model. To be called once a step, in order."""
        self.sent += 1
        targets, data = DETAILS[step.type](step.visit, step.about)
        name, span = _named(step.visit, step.number)
        producer: dict[str, Any] = {"id": self.producer, "sequence": self.sent}
        if self.sent == self.last:
            producer["last"] = True
        event: dict[str, Any] = {
            "type": step.type,
            "source": self.source,
            "id": name,
            "time": times.text(step.at),
            "outcome": _outcome(step.type, step.result),
            "targets": targets,
            "where": self.where,
            "actor": _actor(step.visit, self.source),
            "context": _context(step.visit, self.source),
            "trace": _trace(step.visit, span, step.cause),
            "producer": producer,
            "schema": f"https://shop.example/{step.type}/1",
            "labels": self.labels,
            "data": data,
        }
        for member in self.unsaid if targets else (*self.unsaid, "targets"):
            del event[member]
        return event


def _unsaid(source: str) -> tuple[str, ...]:
    """The members that a source leaves out: a service says what it knows, and no more than is worth its bytes."""
    unsaid: tuple[str, ...] = () if source in _WITH_SCHEMA else ("schema",)
    if source in _CALLED_OFTEN:
        unsaid += ("outcome", "context")
    return (*unsaid, "actor") if source in _BLIND else unsaid


def _where(source: str, digest: str) -> dict[str, str]:
    where = {"region": REGIONS[int(digest[0], 16) % len(REGIONS)], "instance": f"{source[:4]}-{digest[5:10]}"}
    if source in _CALLED_OFTEN:
        return where
    where = {"environment": "demo", **where, "version": f"0.10.{int(digest[0], 16)}"}
    return where | {"host": f"gke-shop-{digest[1:5]}"} if TEAMS[source] == "orders" else where


def _named(visit: Visit, number: int) -> tuple[str, str]:
    """The step's event id (UUIDv8 of run, journey and step: known to every process) and its span id."""
    digest = sha256(visit.key + number.to_bytes(4, "big")).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}", digest[32:48]


def _outcome(type_: str, result: str) -> dict[str, str]:
    if result == "success":
        return {"result": result}
    code, reason = _WHY[type_]
    return {"result": result, "code": code, "reason": reason}


def _trace(visit: Visit, span: str, cause: int | None) -> dict[str, str]:
    key = visit.key.hex()
    trace = {"traceparent": f"00-{key[:32]}-{span}-01", "correlation_id": f"visit-{key[32:44]}"}
    if cause is not None:
        trace["causation_id"] = _named(visit, cause)[0]
    return trace


@lru_cache(maxsize=1024)
def _actor(visit: Visit, source: str) -> Raw:
    if source == "shoppingassistantservice":
        agent = {"type": "agent", "id": "shopping-assistant", "name": "Shopping assistant"}
        return Raw(encode(agent | {"on_behalf_of": visit.customer_id}))
    customer = {"type": "customer", "id": visit.customer_id}
    return Raw(encode(customer | {"name": visit.name} if source in _SEE_PEOPLE else customer))


@lru_cache(maxsize=1024)
def _context(visit: Visit, source: str) -> Raw:
    key = visit.key.hex()
    context = {"session_id": visit.session, "request_id": key[56:]}
    if source in _SEE_PEOPLE:
        place = visit.key[31]
        near = {"ip": f"203.0.113.{visit.key[30]}", "user_agent": BROWSERS[place % len(BROWSERS)], "location": CITIES[place % len(CITIES)]}
        context = near | context
    return Raw(encode(context))
