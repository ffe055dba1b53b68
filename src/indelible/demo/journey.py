"""One customer's visit to the shop, step by step: what the customer does, and what the services behind the shop make of it."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from random import Random
from typing import Any, NamedTuple, TypeVar

from indelible.demo import shop
from indelible.demo.shop import PRODUCTS, Product, converted

T = TypeVar("T")
REGULARS = 5_000  # customers who were there before; those who sign up are never met again
_TASKS = ("browse",) * 10 + ("view_cart",) * 3 + ("set_currency",) * 2 + ("add_to_cart",) * 2 + ("home", "checkout")
_SECOND = 1_000_000


class Step(NamedTuple):
    """One thing that happens, worth an event; sorts by time. `cause` is the number of an earlier step of the same visit."""

    at: int  # µs since 1970
    journey: int
    number: int  # from 0 within its visit
    visit: Visit
    source: str
    type: str
    cause: int | None
    result: str
    about: Any  # what its type says in services.py


class Order(NamedTuple):
    """What was ordered. Amounts in nanos of `currency`; of the card only what may be kept."""

    id: str
    items: tuple[tuple[Product, int], ...]
    currency: str
    shipping: int
    total: int
    brand: str
    last_four: str
    expiry_year: int
    carrier: str
    tracking: str
    city: str


class Visit:
    """A journey from the first page to the last. What happens depends on (seed, journey, plot), ids and times on the run too."""

    def __init__(self, run: str, seed: int, journey: int, opens: int, plot: str) -> None:
        self.journey = journey
        self.plot = plot
        self.key = sha256(f"{run}/{seed}/{opens}/{journey}".encode()).digest()
        self.session = self.key.hex()[44:56]
        self.draw = Random(int.from_bytes(sha256(f"{seed}/{journey}".encode()).digest()[:8], "big")).random
        self.started = self.clock = opens + int(self.draw() * 5 * _SECOND)
        self.steps: list[Step] = []
        self.orders: list[Order] = []
        self.cart: list[tuple[Product, int]] = []
        self.currency = self.first_currency = self.one_of(shop.CURRENCIES)
        self.new = plot == "left again" or self.draw() < 0.08
        number = REGULARS + journey if self.new else int(self.draw() * REGULARS)
        self.customer_id = f"c-{number}"
        self.name = f"{shop.FIRST_NAMES[number % len(shop.FIRST_NAMES)]} {shop.LAST_NAMES[number // 3 % len(shop.LAST_NAMES)]}"
        self.root = self.happens("frontend", "session.started")
        self._take_place()

    def happens(self, source: str, type: str, cause: int | None = None, about: Any = None, result: str = "success") -> int:
        """Add a step a few milliseconds after the last one; its number."""
        number = len(self.steps)
        self.clock += 1_000 + int(self.draw() * 9_000)
        self.steps.append(Step(self.clock, self.journey, number, self, source, type, cause, result, about))
        return number

    def one_of(self, some: Sequence[T]) -> T:
        return some[int(self.draw() * len(some))]

    def _take_place(self) -> None:
        if self.new:
            created = self.happens("customers", "customer.created", self.root)
            self.happens("customers", "customer.linked", created)
        self._home()
        for _ in range(2 + int(self.draw() * 8)):
            self.clock += _SECOND + int(self.draw() * 9 * _SECOND)
            getattr(self, "_" + self.one_of(_TASKS))()
        if self.plot:
            self._checkout(self.plot)
        if self.plot == "left again":
            self.happens("customers", "customer.deactivated", self.root)
        self.happens("frontend", "session.ended", self.root, len(self.steps))

    def _home(self) -> None:
        if self.draw() < 0.3:
            word = self.one_of(shop.WORDS)
            self.happens("productcatalogservice", "catalog.searched", self.root, (word, int(self.draw() * 5)))
        for product in PRODUCTS:
            self._convert(product.price, self.root)
        self.happens("adservice", "ad.served", self.root, self.one_of(PRODUCTS))

    def _browse(self) -> None:
        product = self.one_of(PRODUCTS)
        seen = self.happens("productcatalogservice", "product.viewed", self.root, product)
        self._convert(product.price, seen)
        self.happens("recommendationservice", "recommendation.served", seen, self._recommended())
        self.happens("adservice", "ad.served", seen, self.one_of(PRODUCTS))
        if self.draw() < 0.05:
            self.happens("shoppingassistantservice", "ai.query_answered", seen, (self.one_of(shop.QUESTIONS), self.one_of(PRODUCTS)))

    def _view_cart(self) -> None:
        viewed = self._cart_and_prices(self.root)
        self.happens("shippingservice", "shipping.quoted", viewed, (len(self.cart), self._shipping(), self.currency, ""))
        self.happens("recommendationservice", "recommendation.served", viewed, self._recommended())

    def _set_currency(self) -> None:
        before, self.currency = self.currency, self.one_of(shop.CURRENCIES)
        self.happens("frontend", "currency.changed", self.root, (before, self.currency))

    def _add_to_cart(self) -> int:
        product, quantity = self.one_of(PRODUCTS), self.one_of((1, 1, 1, 2, 3, 5))
        seen = self.happens("productcatalogservice", "product.viewed", self.root, product)
        self.cart = [item for item in self.cart if item[0] is not product] + [(product, quantity)]
        return self.happens("cartservice", "cart.item_added", seen, (product, quantity))

    def _checkout(self, plot: str = "") -> None:
        """One causation tree: cart, prices, quote, payment, shipment, then the cart is emptied and the customer told."""
        added = self._add_to_cart()
        order = self._ordered()
        self.orders.append(order)
        asked = self.happens("frontend", "checkout.requested", added, order)
        viewed = self._cart_and_prices(asked)
        rate = self._convert(self._usual_shipping(), viewed)
        quoted = self.happens("shippingservice", "shipping.quoted", rate, (len(order.items), order.shipping, order.currency, order.id))
        charged = self._pay(order, quoted, plot)
        if charged is None:
            return
        if plot == "not shipped":
            self._fail(order, self.happens("shippingservice", "shipment.failed", charged, order, "failure"))
            return
        shipped = self.happens("shippingservice", "shipment.created", charged, order)
        placed = self.happens("checkoutservice", "order.placed", shipped, order)
        emptied = self.happens("cartservice", "cart.emptied", shipped, order, "failure" if plot == "not emptied" else "success")
        self.cart = self.cart if plot == "not emptied" else []
        told, result = ("notification.failed", "failure") if plot == "not mailed" else ("notification.sent", "success")
        self.happens("emailservice", told, emptied, order, result)
        self.happens("customers", "customer.billed", placed, order)

    def _pay(self, order: Order, quoted: int, plot: str) -> int | None:
        """The number of the charge, None if there is none."""
        if plot not in ("tried again", "given up"):
            return self.happens("paymentservice", "payment.charged", quoted, (order, 1))
        declined = self.happens("paymentservice", "payment.declined", quoted, (order, 1), "denied")
        if plot == "given up":
            self._fail(order, declined)
            return None
        self.clock += 5 * _SECOND
        return self.happens("paymentservice", "payment.charged", declined, (order, 2))

    def _fail(self, order: Order, cause: int) -> None:
        failed = self.happens("checkoutservice", "order.failed", cause, order, "failure")
        self.happens("frontend", "checkout.failed", failed, order, "failure")

    def _cart_and_prices(self, cause: int) -> int:
        viewed = self.happens("cartservice", "cart.viewed", cause, tuple(self.cart))
        for product, _ in self.cart:
            self._convert(product.price, self.happens("productcatalogservice", "product.viewed", viewed, product))
        return viewed

    def _convert(self, nanos: int, cause: int) -> int:
        return self.happens("currencyservice", "currency.converted", cause, (nanos, self.currency))

    def _recommended(self) -> tuple[Product, ...]:
        first = int(self.draw() * len(PRODUCTS))
        return tuple(PRODUCTS[(first + step) % len(PRODUCTS)] for step in (0, 2, 5, 7))

    def _usual_shipping(self) -> int:
        return 8_990_000_000 if self.cart else 0

    def _shipping(self) -> int:
        return converted(self._usual_shipping(), self.currency)

    def _ordered(self) -> Order:
        subtotal = sum(converted(product.price, self.currency) * quantity for product, quantity in self.cart)
        digest = sha256(self.key + b"order %d" % len(self.orders)).hexdigest()
        return Order(
            id=f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}",
            items=tuple(self.cart),
            currency=self.currency,
            shipping=self._shipping(),
            total=subtotal + self._shipping(),
            brand=self.one_of(shop.BRANDS),
            last_four=f"{int(self.draw() * 10_000):04}",
            expiry_year=2027 + int(self.draw() * 5),
            carrier=self.one_of(shop.CARRIERS),
            tracking=f"{digest[32:34]}-{digest[34:39]}-{digest[40:49]}".upper(),
            city=self.one_of(shop.CITIES),
        )
