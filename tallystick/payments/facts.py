"""What gateways tell of themselves, in our words; `read_event` of an adapter makes these.

References are the gateway's own names: a `charge_reference` is that of an attempt, a
`subscription_reference` the `external_id` of a subscription whose schedule is the gateway's.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from tallystick.kernel.errors import BadInput
from tallystick.money.amount import Money
from tallystick.payments.mirrored import MirrorKind
from tallystick.payments.outcomes import Outcome
from tallystick.payments.requests import MethodDescription


class MethodSaved(msgspec.Struct, frozen=True, tag=True):
    """A method of this customer was saved or changed; how it is now has to be asked."""

    customer_token: str
    method_token: str


class MethodRemoved(msgspec.Struct, frozen=True, tag=True):
    """A method was taken from its customer, for good."""

    customer_token: str
    method: MethodDescription


class MethodRevoked(msgspec.Struct, frozen=True, tag=True):
    """A method may not be charged any more; whose it is has to be known here."""

    method_token: str


class CustomerRemoved(msgspec.Struct, frozen=True, tag=True):
    """A customer was deleted at the gateway, and all its methods with it."""

    customer_token: str


class ObjectChanged(msgspec.Struct, frozen=True, tag=True):
    """Something happened to an object; the facts have to be asked with `read_changed`.

    `kind` is the gateway's word for what happened, `reference` its name of the object.
    """

    kind: str
    reference: str


class ChargeReported(msgspec.Struct, frozen=True, tag=True):
    """How a charge of ours stands; the ids are those that went with it as metadata."""

    account_id: UUID
    attempt_id: UUID
    customer_token: str | None
    outcome: Outcome


class ChargeSeen(msgspec.Struct, frozen=True, tag=True):
    """How a charge stands that carries no ids of ours: its reference may be one of ours."""

    reference: str
    outcome: Outcome


class RefundReported(msgspec.Struct, frozen=True, tag=True):
    """How a refund stands; `refund_id` is ours if it went along, None: made at the gateway."""

    reference: str
    charge_reference: str
    amount: Money
    outcome: Outcome
    refund_id: UUID | None = None
    subscription_reference: str | None = None
    """Where the gateway may name the sale instead of one charge of it."""


class DisputeState(StrEnum):
    """Where a dispute stands; `warning`: an inquiry, no money moved."""

    WARNING = "warning"
    OPENED = "opened"
    WON = "won"
    LOST = "lost"


class DisputeReported(msgspec.Struct, frozen=True, tag=True):
    """A payer's bank takes a charge back, or gave it again; `code`: the reason that it gave.

    `respond_by` is the last instant (UTC) to contest it, where that is known.
    """

    reference: str
    charge_reference: str
    amount: Money
    state: DisputeState
    code: str | None = None
    respond_by: datetime | None = None
    subscription_reference: str | None = None


class ChargeReturned(msgspec.Struct, frozen=True, tag=True):
    """A charge that had succeeded came back for good: a late return of a bank debit, a void.

    One return may be told several times, with one `reference`. Of a charge that never succeeded
    it says nothing new: no money came, so none went back.
    """

    reference: str
    charge_reference: str
    amount: Money
    code: str
    subscription_reference: str | None = None


Back = RefundReported | DisputeReported | ChargeReturned
"""Money that went back."""


class SubscriptionRenewed(msgspec.Struct, frozen=True, tag=True):
    """The gateway began a period of a subscription that it renews, and took `amount` for it.

    `accounted` is the same in the currency in which it pays us, where that may be another one.
    """

    subscription_reference: str
    charge_reference: str
    amount: Money
    renewed_at: datetime
    next_renewal_at: datetime | None
    accounted: Money | None = None


class RenewalFailed(msgspec.Struct, frozen=True, tag=True):
    """It could not take the price; it tries again by itself at `retry_at` (None: not again)."""

    subscription_reference: str
    code: str
    renewed_at: datetime
    retry_at: datetime | None


class SubscriptionCanceled(msgspec.Struct, frozen=True, tag=True):
    """No more renewals; what is paid for stays."""

    subscription_reference: str
    canceled_at: datetime


class SubscriptionEnded(msgspec.Struct, frozen=True, tag=True):
    """Access ends."""

    subscription_reference: str
    ended_at: datetime


class RenewalMoved(msgspec.Struct, frozen=True, tag=True):
    """The next renewal is at another day, or the subscription lives again."""

    subscription_reference: str
    next_renewal_at: datetime


class CheckoutEnded(msgspec.Struct, frozen=True, tag=True):
    """A page of the gateway was finished or ran out; the ids are those that went with it.

    `attempt_id` None: no money was to be taken there.
    """

    account_id: UUID
    checkout_id: UUID
    reference: str
    attempt_id: UUID | None
    outcome: Outcome


class MirrorChanged(msgspec.Struct, frozen=True, tag=True):
    """Something that lives at the gateway changed; how it is now has to be asked."""

    kind: MirrorKind
    reference: str


class UsageRefused(msgspec.Struct, frozen=True, tag=True):
    """The gateway does not count usage that it took; the report says which and why."""

    report: str


class Ignored(msgspec.Struct, frozen=True, tag=True):
    """Nothing to us; `reason` says why."""

    reason: str


Fact = (
    MethodSaved
    | MethodRemoved
    | MethodRevoked
    | CustomerRemoved
    | ObjectChanged
    | ChargeReported
    | ChargeSeen
    | RefundReported
    | DisputeReported
    | ChargeReturned
    | SubscriptionRenewed
    | RenewalFailed
    | SubscriptionCanceled
    | SubscriptionEnded
    | RenewalMoved
    | CheckoutEnded
    | MirrorChanged
    | UsageRefused
    | Ignored
)


class GatewayEvent(msgspec.Struct, frozen=True):
    """What a webhook says, in our words; `created_at` is the gateway's time (UTC)."""

    event_id: str
    kind: str
    created_at: datetime
    livemode: bool
    fact: Fact


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook as it came. `peer` is the address that sent it, by the rules of trusted proxies."""

    body: bytes
    headers: Mapping[str, str]
    query: Mapping[str, str] = {}
    peer: str | None = None


class Receipt(msgspec.Struct, frozen=True):
    """A webhook that is proved to be the gateway's; `body` is what may be stored of it.

    `is_exact`: another body under the same id contradicts the first one, and a person has to look.
    """

    event_id: str
    kind: str
    body: bytes
    is_exact: bool = False


class ReceiptPage(msgspec.Struct, frozen=True):
    """Some events of the gateway's list, oldest first; `cursor` None: there are no more."""

    receipts: tuple[Receipt, ...]
    cursor: str | None


class BadSignature(BadInput):
    """The webhook was not signed by the gateway, or too long ago, or in the future."""

    def __init__(self) -> None:
        super().__init__("invalid_signature", "The signature of this webhook is not valid.")
