"""What each type of event says of its own: its targets and its data. One function a type, one line a type in the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from indelible.demo.journey import Order, Visit
from indelible.demo.shop import NANOS, Product, converted

Said = tuple[list[dict[str, Any]], dict[str, Any]]  # targets, data


def money(nanos: int, currency: str) -> dict[str, Any]:
    """An amount as the shop's own services write it; integers, so nothing rounds."""
    return {"units": nanos // NANOS, "nanos": nanos % NANOS, "currency_code": currency}


def _of_product(product: Product) -> dict[str, Any]:
    return {"type": "product", "id": product.id, "name": product.name}


def _of_cart(visit: Visit) -> dict[str, Any]:
    return {"type": "cart", "id": f"cart-{visit.customer_id}"}


def _of_order(order: Order) -> dict[str, Any]:
    return {"type": "order", "id": order.id}


def _of_customer(visit: Visit, **more: Any) -> dict[str, Any]:
    return {"type": "customer", "id": visit.customer_id, **more}


def _of_session(visit: Visit) -> dict[str, Any]:
    return {"type": "session", "id": visit.session}


def _items(items: tuple[tuple[Product, int], ...]) -> list[dict[str, Any]]:
    return [{"product_id": product.id, "quantity": quantity} for product, quantity in items]


def _session_started(visit: Visit, _: None) -> Said:
    return [_of_session(visit)], {"landing": "/", "currency_code": visit.first_currency}


def _session_ended(visit: Visit, steps: int) -> Said:
    return [_of_session(visit)], {"seconds": (visit.clock - visit.started) // 1_000_000, "calls": steps}


def _currency_changed(visit: Visit, about: tuple[str, str]) -> Said:
    old, new = about
    change = {"path": "currency_code", "old": old, "new": new}
    return [_of_session(visit) | {"changes": [change]}], {"currency_code": new}


def _checkout(visit: Visit, order: Order) -> Said:
    return [_of_order(order), _of_cart(visit)], {"items": len(order.items), "total": money(order.total, order.currency)}


def _item_added(visit: Visit, about: tuple[Product, int]) -> Said:
    product, quantity = about
    return [_of_cart(visit), _of_product(product)], {"product_id": product.id, "quantity": quantity}


def _cart_viewed(visit: Visit, items: tuple[tuple[Product, int], ...]) -> Said:
    return [_of_cart(visit)], {"items": _items(items)}


def _cart_emptied(visit: Visit, order: Order) -> Said:
    return [_of_cart(visit), _of_order(order)], {"items": len(order.items)}


def _product_viewed(_: Visit, product: Product) -> Said:
    return [_of_product(product)], {"price": money(product.price, "USD"), "categories": [product.category]}


def _searched(_: Visit, about: tuple[str, int]) -> Said:
    words, hits = about
    return [], {"query": words, "hits": hits}


def _currency_converted(_: Visit, about: tuple[int, str]) -> Said:
    nanos, currency = about
    return [], {"from": money(nanos, "USD"), "to": money(converted(nanos, currency), currency)}


def _order(_: Visit, order: Order) -> Said:
    said = {"items": _items(order.items), "shipping": money(order.shipping, order.currency), "total": money(order.total, order.currency)}
    return [_of_order(order)], said


def _payment(_: Visit, about: tuple[Order, int]) -> Said:
    order, attempt = about
    card = {"brand": order.brand, "last_four": order.last_four, "expiry_year": order.expiry_year}
    return [_of_order(order)], {"amount": money(order.total, order.currency), "card": card, "attempt": attempt}


def _quoted(_: Visit, about: tuple[int, int, str, str]) -> Said:
    items, cost, currency, order = about
    return [{"type": "order", "id": order}] if order else [], {"items": items, "cost": money(cost, currency)}


def _shipment(_: Visit, order: Order) -> Said:
    shipment = {"type": "shipment", "id": order.tracking}
    return [_of_order(order), shipment], {"tracking_id": order.tracking, "carrier": order.carrier, "city": order.city}


def _no_shipment(_: Visit, order: Order) -> Said:
    return [_of_order(order)], {"carrier": order.carrier, "city": order.city, "attempts": 3}


def _notification(visit: Visit, order: Order) -> Said:
    to = f"{visit.customer_id}@customers.example"
    return [_of_order(order), _of_customer(visit)], {"channel": "email", "template": "order_confirmation", "to": to}


def _recommended(_: Visit, products: tuple[Product, ...]) -> Said:
    return [], {"product_ids": [product.id for product in products]}


def _ad(_: Visit, product: Product) -> Said:
    return [{"type": "product", "id": product.id}], {"category": product.category, "text": f"{product.name} for sale, 20% off"}


def _answered(visit: Visit, about: tuple[str, Product]) -> Said:
    question, product = about
    return [_of_product(product), _of_customer(visit)], {"model": "assistant-2", "question": question, "suggested": [product.id]}


def _customer_created(visit: Visit, _: None) -> Said:
    return [_of_customer(visit, name=visit.name)], {"channel": "web", "currency_code": visit.first_currency, "plan": "basic"}


def _customer_linked(visit: Visit, _: None) -> Said:
    identity = f"crm-{visit.key[:5].hex()}"
    return [_of_customer(visit), {"type": "identity", "id": identity}], {"system": "crm", "external_id": identity, "matched_by": "email"}


def _customer_billed(visit: Visit, order: Order) -> Said:
    invoice = f"inv-{order.id[:8]}"
    return [_of_customer(visit), _of_order(order)], {"amount": money(order.total, order.currency), "invoice": invoice}


def _customer_deactivated(visit: Visit, _: None) -> Said:
    change = {"path": "status", "old": "active", "new": "closed"}
    return [_of_customer(visit, changes=[change])], {"requested_by": "customer"}


DETAILS: dict[str, Callable[[Visit, Any], Said]] = {
    "session.started": _session_started,
    "session.ended": _session_ended,
    "currency.changed": _currency_changed,
    "checkout.requested": _checkout,
    "checkout.failed": _checkout,
    "cart.item_added": _item_added,
    "cart.viewed": _cart_viewed,
    "cart.emptied": _cart_emptied,
    "product.viewed": _product_viewed,
    "catalog.searched": _searched,
    "currency.converted": _currency_converted,
    "order.placed": _order,
    "order.failed": _order,
    "payment.charged": _payment,
    "payment.declined": _payment,
    "shipping.quoted": _quoted,
    "shipment.created": _shipment,
    "shipment.failed": _no_shipment,
    "notification.sent": _notification,
    "notification.failed": _notification,
    "recommendation.served": _recommended,
    "ad.served": _ad,
    "ai.query_answered": _answered,
    "customer.created": _customer_created,
    "customer.linked": _customer_linked,
    "customer.billed": _customer_billed,
    "customer.deactivated": _customer_deactivated,
}
