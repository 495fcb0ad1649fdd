"""Payments, their attempts and saved methods as values.

Amounts are minor units. A payment's instants are its account's (which may sit on a test clock),
an attempt's are wall time, as the gateway's.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from tallystick.money.amount import Money
from tallystick.payments.requests import Bank, Card


class PaymentStatus(StrEnum):
    """Where the wish to collect an amount stands."""

    PENDING = "pending"
    PENDING_APPROVAL = "pending_approval"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    PARTIALLY_REFUNDED = "partially_refunded"
    DISPUTED = "disputed"


class AttemptOutcome(StrEnum):
    """What is known of one try; `created`: written, and maybe sent."""

    CREATED = "created"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    NEEDS_ACTION = "needs_action"
    PENDING = "pending"
    UNKNOWN = "unknown"


class Part(msgspec.Struct, frozen=True):
    """What a payment is to settle of one invoice, and what of it came there; minor units."""

    invoice_id: UUID
    amount_minor: int
    paid_minor: int = 0


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """The wish to collect an amount, and what came of it.

    `parts` sum to the amount, the invoice that was due first before others. What was received may
    be another amount than wished for; what no invoice took of it is prepaid money of the account.
    `method_code`, `proof_note` and `reference_key` (`approvals.reference_key`) are of payments by
    hand.
    """

    account_id: UUID
    payment_id: UUID
    request_key: str
    gateway: str
    payment_method_id: UUID | None
    currency: str
    amount_minor: int
    status: PaymentStatus
    reference: str | None
    failure_code: str | None
    note: str | None
    next_attempt_at: datetime | None
    created_at: datetime
    settled_at: datetime | None
    received_minor: int = 0
    method_code: str | None = None
    proof_note: str | None = None
    reference_key: str | None = None
    parts: tuple[Part, ...]

    @property
    def amount(self) -> Money:
        """The amount that is wished for."""
        return Money(self.amount_minor, self.currency)

    @property
    def received(self) -> Money:
        """The amount that came."""
        return Money(self.received_minor, self.currency)

    @property
    def over_minor(self) -> int:
        """What no invoice took of what came, in minor units."""
        return self.received_minor - sum(part.paid_minor for part in self.parts)

    @property
    def invoice_ids(self) -> tuple[UUID, ...]:
        """The invoices that it settles, in their order."""
        return tuple(part.invoice_id for part in self.parts)

    @property
    def invoice_id(self) -> UUID | None:
        """The only invoice that it settles; None when there are several, or none."""
        return self.parts[0].invoice_id if len(self.parts) == 1 else None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try at one gateway; `number` counts a payment's tries from 1."""

    account_id: UUID
    payment_attempt_id: UUID
    payment_id: UUID
    number: int
    idempotency_key: str
    gateway: str
    outcome: AttemptOutcome
    gateway_reference: str | None
    code: str | None
    hard: bool
    resolve_after: datetime | None
    resolve_count: int
    created_at: datetime
    ended_at: datetime | None


class PaymentMethod(msgspec.Struct, frozen=True, kw_only=True):
    """A saved method: the gateway's token and what may be shown; never a card number.

    `label` and `details` are the account's own notes of a method that no gateway keeps.
    Lower `priority` comes first; among an account's active methods exactly one is the default.
    """

    account_id: UUID
    payment_method_id: UUID
    gateway: str
    token: str
    type: str
    card: Card | None
    bank: Bank | None
    priority: int
    is_default: bool
    status: str
    created_at: datetime
    label: str | None = None
    details: Mapping[str, str] | None = None


class CheckoutStatus(StrEnum):
    """Where a page of a gateway stands; `created`: the gateway has not answered yet."""

    CREATED = "created"
    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"


class Checkout(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a gateway that an account was sent to; its address is never stored.

    `mode` `subscription`: the first invoice of one of ours is paid there, or its method saved.
    `amount_minor` None: no money is taken. Instants are wall time.
    """

    account_id: UUID
    checkout_id: UUID
    request_key: str
    gateway: str
    mode: str
    status: CheckoutStatus
    reference: str | None
    description: str
    currency: str
    amount_minor: int | None
    payment_id: UUID | None
    payment_attempt_id: UUID | None
    subscription_id: UUID | None
    success_url: str
    cancel_url: str
    expires_at: datetime
    created_at: datetime
