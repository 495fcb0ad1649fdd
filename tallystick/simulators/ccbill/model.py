"""What the simulator remembers: tokens, subscriptions, money moved, events and deliveries.

Amounts are Decimal in major units, as CCBill writes them; instants are aware and UTC.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

MoveKind = Literal["NEW", "REBILL", "REFUND", "CHARGEBACK", "VOID", "RETURN"]
ClientKind = Literal["frontend", "backend"]
# rebills 99 means: until cancelled.
UNTIL_CANCELLED = 99
# What CCBill says for "no limit" in timeToLive and validNumberOfUse.
UNLIMITED = 2147483647


class Meta(msgspec.Struct, frozen=True):
    """Where the ids are, and how far the simulated clock is ahead."""

    seed: int
    serial: int = 0
    ahead_s: float = 0.0


class Bearer(msgspec.Struct, frozen=True):
    """An OAuth access token."""

    client: ClientKind
    expires_at: datetime


class Customer(msgspec.Struct, frozen=True):
    """The consumer, as a token or a form names them."""

    first_name: str
    last_name: str
    email: str
    country: str
    zipcode: str
    address1: str = ""
    city: str = ""
    state: str = ""
    phone_number: str = ""
    ip_address: str = ""
    username: str = ""
    password: str = ""


class StoredCard(msgspec.Struct, frozen=True):
    """What is kept of a card; `name` says which test card it was, `account` is a hash."""

    name: str
    bin: str
    last4: str
    brand: str
    exp_month: int
    exp_year: int
    account: str
    unique_id: str


class Check(msgspec.Struct, frozen=True):
    """How the bank's check of a payer went."""

    passed: bool


class PaymentToken(msgspec.Struct, frozen=True):
    """A token: a card and its holder, for so many hours and so many charges.

    `authenticated` says that the bank's check was passed when it was made.
    """

    id: str
    accnum: int
    subacc: int
    customer: Customer
    card: StoredCard
    created_at: datetime
    time_to_live: int = UNLIMITED
    uses_max: int = UNLIMITED
    uses: int = 0
    subscription_id: str = "0"
    original_id: str | None = None
    authenticated: bool = False


class Terms(msgspec.Struct, frozen=True):
    """What is sold: prices in `currency` (alphabetic), periods in days."""

    initial_price: Decimal
    initial_period: int
    currency: str = "USD"
    recurring_price: Decimal | None = None
    recurring_period: int = 0
    rebills: int = 0
    lifetime: bool = False


class Subscription(msgspec.Struct, frozen=True):
    """A sale, recurring or not. `renews_at` and `ends_at` are what the clock waits for."""

    id: str
    accnum: int
    subacc: int
    customer: Customer
    card: StoredCard
    terms: Terms
    created_at: datetime
    source: str
    token_id: str | None = None
    original_id: str | None = None
    original_accnum: int | None = None
    original_subacc: int | None = None
    extras: Mapping[str, str] = {}
    authenticated: bool = False
    form_name: str = ""
    flex_id: str = ""
    renews_at: datetime | None = None
    ends_at: datetime | None = None
    chargeback_at: datetime | None = None
    failures: int = 0
    rebills_done: int = 0
    cancelled_at: datetime | None = None
    expired_at: datetime | None = None
    batched_failure: bool = False

    @property
    def due_at(self) -> datetime | None:
        """When something happens to it next, or None."""
        times = (self.chargeback_at, self.renews_at, self.ends_at)
        return min((at for at in times if at is not None), default=None)


class Move(msgspec.Struct, frozen=True):
    """Money moved. `of` names the sale or rebill that a reversal takes back."""

    id: str
    kind: MoveKind
    subscription_id: str
    accnum: int
    subacc: int
    amount: Decimal
    currency: str
    at: datetime
    of: str | None = None


class Event(msgspec.Struct, frozen=True):
    """Something that webhooks tell; `fields` are the body, all text."""

    n: int
    kind: str
    accnum: int
    subacc: int
    subscription_id: str | None
    fields: Mapping[str, str]
    at: datetime


class Attempt(msgspec.Struct, frozen=True):
    """One try to deliver; no status when nobody answered."""

    at: datetime
    status_code: int | None
    error: str | None


class Delivery(msgspec.Struct, frozen=True):
    """One event on its way to one URL; deliveries that are due go out by `place`.

    `strayed` says that a fault has met it: no other one will.
    """

    n: int
    event: int
    kind: str
    subscription_id: str | None
    url: str
    place: int
    due_at: datetime
    status: Literal["pending", "held", "delivered", "given_up", "lost"] = "pending"
    waits_for: Literal["", "release", "next", "rebill"] = ""
    strayed: bool = False
    attempts: tuple[Attempt, ...] = ()


class Failures(msgspec.Struct, frozen=True):
    """When logins of a DataLink user failed, within the last hour."""

    at: tuple[datetime, ...] = ()


class Asked(msgspec.Struct, frozen=True):
    """When a report was fetched last."""

    at: datetime


FAMILIES: Mapping[str, type] = {
    "meta": Meta,
    "bearers": Bearer,
    "checks": Check,
    "tokens": PaymentToken,
    "subscriptions": Subscription,
    "moves": Move,
    "events": Event,
    "deliveries": Delivery,
    "logins": Failures,
    "reports": Asked,
}
