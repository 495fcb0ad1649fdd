"""Payment methods as they stand on a page. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from tallystick.kernel import ids
from tallystick.payments.model import PaymentMethod
from tallystick.payments.requests import Card

_BRANDS: Final[Mapping[str, str]] = {
    "amex": "American Express",
    "diners": "Diners Club",
    "jcb": "JCB",
    "unionpay": "UnionPay",
}
_GATEWAYS: Final[Mapping[str, str]] = {"ccbill": "CCBill", "paypal": "PayPal"}


class MethodView(msgspec.Struct, frozen=True, kw_only=True):
    """A saved method; `is_expired` is about the account's present."""

    id: str
    name: str
    note: str
    is_default: bool
    is_expired: bool


def method_view(method: PaymentMethod, now: datetime) -> MethodView:
    """Return a method in words; never more of a number than its last four digits."""
    gateway = _GATEWAYS.get(method.gateway, method.gateway.capitalize())
    notes = [f"Expires {_month(method.card)}"] if method.card else []
    return MethodView(
        id=ids.show("payment_method", method.payment_method_id),
        name=method_name(method),
        note=" \u00b7 ".join([*notes, f"through {gateway}"]),
        is_default=method.is_default,
        is_expired=method.card is not None and is_expired(method.card, now),
    )


def is_expired(card: Card, now: datetime) -> bool:
    """Tell whether the card's last month is over: 11/2026 is good until November ends."""
    return (card.exp_year, card.exp_month) < (now.year, now.month)


def method_name(method: PaymentMethod) -> str:
    """Return what a method is called: "Visa ending in 4242"."""
    if method.card:
        brand = _BRANDS.get(method.card.brand, method.card.brand.capitalize())
        return f"{brand} ending in {method.card.last4}"
    if method.bank:
        return f"{method.bank.name or 'Bank account'} ending in {method.bank.last4}"
    return method.type.replace("_", " ").capitalize()


def _month(card: Card) -> str:
    return f"{card.exp_month:02}/{card.exp_year}"
