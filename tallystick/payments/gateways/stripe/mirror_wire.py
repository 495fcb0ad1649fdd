"""Stripe's objects as the mirror reads them: only what is shown."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from tallystick.payments.gateways.stripe.wire import Expandable
from tallystick.payments.mirrored import MirrorKind


class Recurring(msgspec.Struct, frozen=True):
    """How often a price is paid."""

    interval: str
    interval_count: int = 1
    usage_type: str = "licensed"


class Price(msgspec.Struct, frozen=True):
    """One way of charging."""

    id: str
    currency: str
    unit_amount_decimal: Decimal | None = None
    unit_amount: int | None = None
    nickname: str | None = None
    lookup_key: str | None = None
    recurring: Recurring | None = None
    product: Expandable = None
    metadata: dict[str, str] = {}


class Item(msgspec.Struct, frozen=True):
    """A price on a subscription."""

    price: Price
    quantity: int | None = None
    current_period_start: int | None = None
    current_period_end: int | None = None


class Items(msgspec.Struct, frozen=True):
    """The items of a subscription."""

    data: list[Item]


class Subscription(msgspec.Struct, frozen=True):
    """A subscription; its period stands with the items since 2025-03-31."""

    id: str
    customer: Expandable
    status: str
    currency: str
    created: int
    items: Items
    cancel_at_period_end: bool = False
    trial_end: int | None = None
    ended_at: int | None = None
    current_period_start: int | None = None
    current_period_end: int | None = None
    metadata: dict[str, str] = {}


class Address(msgspec.Struct, frozen=True):
    """Where a customer is."""

    country: str | None = None


class Customer(msgspec.Struct, frozen=True):
    """A customer."""

    id: str
    created: int
    name: str | None = None
    email: str | None = None
    currency: str | None = None
    address: Address | None = None
    metadata: dict[str, str] = {}


class Transitions(msgspec.Struct, frozen=True):
    """When an invoice moved."""

    paid_at: int | None = None


class Invoice(msgspec.Struct, frozen=True):
    """An invoice."""

    id: str
    customer: Expandable
    currency: str
    created: int
    status: str | None = None
    number: str | None = None
    total: int = 0
    amount_due: int = 0
    amount_paid: int = 0
    due_date: int | None = None
    status_transitions: Transitions = Transitions()


class Charge(msgspec.Struct, frozen=True):
    """A charge."""

    id: str
    currency: str
    created: int
    amount: int
    status: str
    customer: Expandable = None
    amount_refunded: int = 0
    paid: bool = False
    description: str | None = None
    payment_intent: Expandable = None
    metadata: dict[str, str] = {}


KINDS: Final[Mapping[MirrorKind, type[msgspec.Struct]]] = {
    MirrorKind.CUSTOMER: Customer,
    MirrorKind.SUBSCRIPTION: Subscription,
    MirrorKind.INVOICE: Invoice,
    MirrorKind.CHARGE: Charge,
}
