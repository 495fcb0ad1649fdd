"""Refunds of payments as values. Amounts are minor units; instants are wall time, UTC."""

from datetime import datetime
from uuid import UUID

import msgspec

from tallystick.money.amount import Money
from tallystick.payments.model import AttemptOutcome, PaymentStatus


class RefundAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One refund of a payment at its gateway, for the wish `refund_id` of one of its invoices.

    `number` counts a wish's tries from 1. Without a key it was not asked for by us: made at the
    gateway itself, or by hand. `outcome` is never `needs_action`.
    """

    account_id: UUID
    refund_attempt_id: UUID
    refund_id: UUID
    invoice_id: UUID
    payment_id: UUID
    number: int
    idempotency_key: str | None
    gateway: str
    charge_reference: str
    currency: str
    amount_minor: int
    outcome: AttemptOutcome
    gateway_reference: str | None
    code: str | None
    resolve_after: datetime | None
    resolve_count: int
    created_at: datetime
    ended_at: datetime | None

    @property
    def amount(self) -> Money:
        """The amount that goes back."""
        return Money(self.amount_minor, self.currency)


class Gave(msgspec.Struct, frozen=True, kw_only=True):
    """What a payment gave to one invoice, and what of that went back or is on its way."""

    invoice_id: UUID
    paid_minor: int
    refunded_minor: int
    disputed_minor: int

    @property
    def left_minor(self) -> int:
        """What can still be given back of it."""
        return max(self.paid_minor - self.refunded_minor - self.disputed_minor, 0)


class Giver(msgspec.Struct, frozen=True, kw_only=True):
    """A payment that came in, as who gives back sees it; `charge_reference`: the gateway's name."""

    account_id: UUID
    payment_id: UUID
    gateway: str
    charge_reference: str
    status: PaymentStatus
    currency: str
    received_minor: int
    settled_at: datetime
    gave: tuple[Gave, ...]

    @property
    def left_minor(self) -> int:
        """What can still be given back of what invoices got of it."""
        return sum(part.left_minor for part in self.gave)

    @property
    def refunded_minor(self) -> int:
        """What was given back, or may have been."""
        return sum(part.refunded_minor for part in self.gave)
