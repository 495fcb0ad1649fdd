"""What payments tell others, through the outbox."""

from typing import Final
from uuid import UUID

import msgspec

PAYMENT_SUCCEEDED: Final = "payment.succeeded"
PAYMENT_FAILED: Final = "payment.failed"
PAYMENT_RETURNED: Final = "payment.returned"
PAYMENT_ACTION_NEEDED: Final = "payment.action_needed"
PAYMENT_METHOD_SAVED: Final = "payment_method.saved"
PAYMENT_METHOD_REMOVED: Final = "payment_method.removed"
PAYMENT_METHOD_EXPIRING: Final = "payment_method.expiring"
PAYMENT_METHOD_EXPIRED: Final = "payment_method.expired"
CHECKOUT_EXPIRED: Final = "checkout.expired"
GATEWAY_CUSTOMER_LINKED: Final = "gateway_customer.linked"
GATEWAY_REFERENCE_LINKED: Final = "gateway_reference.linked"
GATEWAY_SCHEDULE_UNWANTED: Final = "gateway_schedule.unwanted"


class PaymentSucceeded(msgspec.Struct, frozen=True):
    """What was received is booked; `invoice_id` is None when it was for several, or for none."""

    payment_id: UUID
    invoice_id: UUID | None
    invoice_ids: tuple[UUID, ...] = ()


class PaymentFailed(msgspec.Struct, frozen=True):
    """Refused; `code` as in `declines.DECLINES`; hard: not with this method again."""

    payment_id: UUID
    invoice_id: UUID | None
    code: str
    hard: bool
    invoice_ids: tuple[UUID, ...] = ()


class PaymentReturned(msgspec.Struct, frozen=True):
    """What had come went back for good; its invoices are due again. `code`: the bank's reason."""

    payment_id: UUID
    invoice_ids: tuple[UUID, ...]
    code: str


class PaymentActionNeeded(msgspec.Struct, frozen=True):
    """The payer has to authenticate the payment on a page."""

    payment_id: UUID
    invoice_id: UUID | None
    invoice_ids: tuple[UUID, ...] = ()


class PaymentMethodSaved(msgspec.Struct, frozen=True):
    """A new method can be charged."""

    payment_method_id: UUID


class PaymentMethodExpiring(msgspec.Struct, frozen=True):
    """A card can be used for so many days at most: 30, or 7."""

    payment_method_id: UUID
    days: int


class PaymentMethodExpired(msgspec.Struct, frozen=True):
    """A card can not be used any more."""

    payment_method_id: UUID


class PaymentMethodRemoved(msgspec.Struct, frozen=True):
    """A method was removed here; the gateway has to be told."""

    payment_method_id: UUID
    gateway: str
    token: str


class CheckoutExpired(msgspec.Struct, frozen=True):
    """A page of the gateway ended without a payment; its invoices are free again."""

    checkout_id: UUID
    payment_id: UUID
    invoice_ids: tuple[UUID, ...]


class GatewayCustomerLinked(msgspec.Struct, frozen=True):
    """From now on this gateway's customer stands for the account."""

    gateway: str
    token: str


class GatewayReferenceLinked(msgspec.Struct, frozen=True):
    """From now on this gateway's name of a charge or a subscription stands for one of ours."""

    gateway: str
    reference: str


class GatewayScheduleUnwanted(msgspec.Struct, frozen=True):
    """The gateway shall renew this subscription no more; it has to be told."""

    subscription_id: UUID
    gateway: str
    reference: str
