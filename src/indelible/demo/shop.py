"""What the shop has and who comes to it: products, currencies, people and browsers, as tables."""

from __future__ import annotations

from typing import NamedTuple

NANOS = 1_000_000_000  # money is counted in billionths of a unit, as the shop's own services do


class Product(NamedTuple):
    """`price` in nanos of a US dollar."""

    id: str
    name: str
    price: int
    category: str


PRODUCTS = tuple(
    Product(id, name, cents * (NANOS // 100), category)
    for id, name, cents, category in (
        ("OLJCESPC7Z", "Sunglasses", 1999, "accessories"),
        ("66VCHSJNUP", "Tank Top", 1899, "clothing"),
        ("1YMWWN1N4O", "Watch", 10999, "accessories"),
        ("L9ECAV7KIM", "Loafers", 8999, "footwear"),
        ("2ZYFJ3GM2N", "Hairdryer", 2499, "hair"),
        ("0PUK6V6EV0", "Candle Holder", 1899, "decor"),
        ("LS4PSXUNUM", "Salt & Pepper Shakers", 1849, "kitchen"),
        ("9SIQT8TOJO", "Bamboo Glass Jar", 549, "kitchen"),
        ("6E92ZMYYFZ", "Mug", 899, "kitchen"),
    )
)

RATES = {"EUR": 921_000, "USD": 1_000_000, "JPY": 151_320_000, "GBP": 788_400, "CAD": 1_362_700, "TRY": 32_140_000}
"""Millionths of the currency's unit for one US dollar."""

CURRENCIES = tuple(RATES)
WORDS = ("mug", "gift", "watch", "kitchen", "summer", "candle", "shoes", "hair")
QUESTIONS = ("what goes with a blue sofa?", "a present under 20 dollars?", "is the jar safe for food?", "do the loafers run small?")
BRANDS = ("visa", "mastercard", "amex")
CARRIERS = ("ups", "dhl", "fedex")
CITIES = ("Mountain View", "Köln", "Osaka", "London", "Toronto", "İzmir", "São Paulo", "Kraków")
REGIONS = ("europe-west4", "us-central1")
BROWSERS = ("Mozilla/5.0 (X11; Linux x86_64) Firefox/144.0", "Mozilla/5.0 (Windows NT 10.0) Chrome/142.0", "ShopApp/7.2 (iOS 18.6)")
FIRST_NAMES = ("Ada", "Zoë", "Luís", "Mei", "Noor", "Sven", "Ewa", "Kofi", "Ines", "Jürgen", "Aiko", "Omar", "Rosa", "Piotr")
LAST_NAMES = ("Okafor", "Müller", "Tanaka", "Silva", "Kowalska", "Haddad", "Jensen", "Novák", "Moreau", "Singh", "Rossi", "Smith")


def converted(nanos: int, currency: str) -> int:
    """US dollars in another currency, both in nanos; cut, never rounded."""
    return nanos * RATES[currency] // 1_000_000
