"""Stripe's objects, as far as we read them. Its enumerations are open, so they are plain text.

Fields that Stripe may leave out or expand have a default or a second type: payloads come in the
API version of the webhook endpoint, not of the SDK.
"""

from datetime import datetime
from typing import Any, Generic, TypeVar
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
    param: str | None = None
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


T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a list, newest first."""

    data: list[T]
    has_more: bool = False


class Deposits(msgspec.Struct, frozen=True):
    """What was sent to a bank account, and when it arrives, in seconds."""

    arrival_date: int | None = None
    microdeposit_type: str | None = None


class NextAction(msgspec.Struct, frozen=True):
    """What the payer is to do."""

    type: str
    verify_with_microdeposits: Deposits | None = None


class SetupIntent(msgspec.Struct, frozen=True):
    """The saving of a method."""

    id: str
    status: str
    customer: Expandable = None
    payment_method: Expandable = None
    client_secret: str | None = None
    last_setup_error: LastError | None = None
    next_action: NextAction | None = None


class Mandate(msgspec.Struct, frozen=True):
    """The payer's permission for debits; one of a single use ends with its use."""

    id: str
    status: str
    type: str = "multi_use"
    payment_method: Expandable = None


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


class Charge(msgspec.Struct, frozen=True):
    """What one try of a payment intent took; of it only what tells of its end."""

    id: str
    amount: int
    currency: str
    status: str = ""
    payment_intent: Expandable = None
    failure_code: str | None = None
    failure_balance_transaction: Expandable = None


class CheckoutSession(msgspec.Struct, frozen=True):
    """A page of Stripe's; `payment_status`: paid, unpaid or no_payment_required."""

    id: str
    mode: str
    status: str | None = None
    payment_status: str = "unpaid"
    url: str | None = None
    expires_at: int = 0
    amount_total: int | None = None
    currency: str | None = None
    payment_intent: Expandable = None
    setup_intent: Expandable = None
    metadata: dict[str, str] | None = None


class BalanceTransaction(msgspec.Struct, frozen=True):
    """One movement of the balance; amounts are in the currency of the settlement."""

    id: str
    amount: int
    fee: int
    net: int
    currency: str
    created: int
    type: str
    reporting_category: str = ""
    source: Expandable = None


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


class EvidenceDetails(msgspec.Struct, frozen=True):
    """Until when Stripe takes evidence, in seconds; None or 0: not at all."""

    due_by: int | None = None


class Dispute(msgspec.Struct, frozen=True):
    """A charge that the payer's bank takes back."""

    id: str
    status: str
    amount: int
    currency: str
    reason: str | None = None
    payment_intent: str | dict[str, Any] | None = None
    charge: str | dict[str, Any] | None = None
    evidence_details: EvidenceDetails | None = None


class EventData(msgspec.Struct, frozen=True):
    """What an event is about, and what changed members were before."""

    object: msgspec.Raw
    previous_attributes: dict[str, Any] | None = None


class Head(msgspec.Struct, frozen=True):
    """What every event has, of either kind (`event`, or the thin `v2.core.event`)."""

    id: str
    type: str
    object: str = "event"


class RelatedObject(msgspec.Struct, frozen=True):
    """What a thin event is about."""

    id: str
    type: str


class ThinEvent(msgspec.Struct, frozen=True):
    """An event that names its object alone; `context` is set for another account's."""

    id: str
    type: str
    created: datetime
    livemode: bool = True
    context: str | None = None
    related_object: RelatedObject | None = None


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


class OurPage(msgspec.Struct, frozen=True):
    """Our ids, as they went with a page as metadata; without an attempt it takes no money."""

    tallystick_account: UUID
    tallystick_checkout: UUID
    tallystick_attempt: UUID | None = None
