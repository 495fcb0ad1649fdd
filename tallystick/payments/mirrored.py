"""What lives at a gateway and is shown here beside our own: read, never written.

Amounts are minor units of `currency`; instants are UTC. References are the gateway's names.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec


class MirrorKind(StrEnum):
    """What is mirrored, in the order in which it is read: the first ones make the accounts."""

    CUSTOMER = "customer"
    SUBSCRIPTION = "subscription"
    INVOICE = "invoice"
    CHARGE = "charge"


class MirroredCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """A customer; `account_name` is what its metadata calls the account: our id, or their own."""

    reference: str
    created_at: datetime
    name: str | None = None
    email: str | None = None
    currency: str | None = None
    country: str | None = None
    account_name: str | None = None


class MirroredSubscription(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription; `amount_minor` is what a period costs before usage.

    `monthly_minor` is the same for a month, exact: what its prices of all intervals come to.
    """

    reference: str
    customer_token: str
    status: str
    tier: str
    currency: str
    amount_minor: int
    monthly_minor: Decimal
    interval: str | None
    interval_count: int | None
    period_start: datetime | None
    period_end: datetime | None
    trial_ends_at: datetime | None
    cancel_at_period_end: bool
    created_at: datetime
    ended_at: datetime | None


class MirroredInvoice(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice in the gateway's own name; `due_minor` is what it asks for."""

    reference: str
    customer_token: str
    number: str | None
    status: str
    currency: str
    total_minor: int
    due_minor: int
    paid_minor: int
    created_at: datetime
    due_at: datetime | None
    paid_at: datetime | None


class MirroredCharge(msgspec.Struct, frozen=True, kw_only=True):
    """A charge that was not made from here; refunds may call it `payment_reference`."""

    reference: str
    payment_reference: str | None
    customer_token: str
    status: str
    currency: str
    amount_minor: int
    refunded_minor: int
    description: str | None
    is_paid: bool
    created_at: datetime


Mirrored = MirroredCustomer | MirroredSubscription | MirroredInvoice | MirroredCharge


class MirrorPage(msgspec.Struct, frozen=True):
    """Some objects of one kind, newest first; `cursor` None: there are no more."""

    objects: tuple[Mirrored, ...]
    cursor: str | None
