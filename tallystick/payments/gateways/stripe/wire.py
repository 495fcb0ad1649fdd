"""Stripe's objects, as far as we read them. Its enumerations are open, so they are plain text.

Fields that Stripe may leave out or expand have a default or a second type: payloads come in the
API version of the webhook endpoint, not of the SDK.
"""

from typing import Any
from uuid import UUID

import msgspec

Expandable = str | dict[str, Any] | None


def id_of(value: Expandable) -> str | None:
    """Return the id of an object that came as such or expanded."""
    return value.get("id") if isinstance(value, dict) else value


class Named(msgspec.Struct, frozen=True):
    """An object of which only the id matters."""

    id: str


class LastError(msgspec.Struct, frozen=True):
    """Why the last try of an intent failed; an API error's members have the same names."""

    code: str | None = None
    decline_code: str | None = None
    advice_code: str | None = None
    type: str | None = None
    payment_intent: dict[str, Any] | None = None


class PaymentIntent(msgspec.Struct, frozen=True):
    """A charge under way or done; only `succeeded` is money, and `amount_received` of it."""

    id: str
    status: str
    currency: str
    amount: int
    amount_received: int = 0
    customer: Expandable = None
    metadata: dict[str, str] = {}
    last_payment_error: LastError | None = None
    client_secret: str | None = None


class Page(msgspec.Struct, frozen=True):
    """One page of a list of payment intents."""

    data: list[PaymentIntent]
    has_more: bool


class SetupIntent(msgspec.Struct, frozen=True):
    """The saving of a card."""

    id: str
    status: str
    customer: Expandable = None
    payment_method: Expandable = None
    client_secret: str | None = None


class CardDetails(msgspec.Struct, frozen=True):
    """A card as Stripe shows it."""

    brand: str
    last4: str
    exp_month: int
    exp_year: int


class BankDetails(msgspec.Struct, frozen=True):
    """A US bank account as Stripe shows it."""

    last4: str
    bank_name: str | None = None


class PaymentMethod(msgspec.Struct, frozen=True):
    """A saved method."""

    id: str
    type: str
    customer: Expandable = None
    card: CardDetails | None = None
    us_bank_account: BankDetails | None = None


class Refund(msgspec.Struct, frozen=True):
    """Money on its way back."""

    id: str
    status: str
    amount: int
    currency: str
    payment_intent: str | dict[str, Any] | None = None
    charge: str | dict[str, Any] | None = None
    metadata: dict[str, str] = {}
    failure_reason: str | None = None


class Dispute(msgspec.Struct, frozen=True):
    """A charge that the payer's bank takes back."""

    id: str
    status: str
    amount: int
    currency: str
    reason: str | None = None
    payment_intent: str | dict[str, Any] | None = None
    charge: str | dict[str, Any] | None = None


class EventData(msgspec.Struct, frozen=True):
    """What an event is about, and what changed members were before."""

    object: msgspec.Raw
    previous_attributes: dict[str, Any] | None = None


class Head(msgspec.Struct, frozen=True):
    """What every event has, of either kind (`event`, or the thin `v2.core.event`)."""

    id: str
    type: str
    object: str = "event"


class Event(msgspec.Struct, frozen=True):
    """A snapshot event."""

    id: str
    type: str
    created: int
    livemode: bool
    data: EventData
    account: str | None = None


class OurIds(msgspec.Struct, frozen=True):
    """Our ids, as they went with a charge as metadata."""

    tallystick_account: UUID
    tallystick_payment: UUID
    tallystick_attempt: UUID
