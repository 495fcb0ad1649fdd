"""How refunds and disputes look in answers."""

from datetime import datetime
from decimal import Decimal

import msgspec

from tallystick.api.answers import Pagination, major
from tallystick.credit_notes.model import Dispute, Refund
from tallystick.kernel import ids
from tallystick.payments.refund_model import RefundAttempt


class RefundAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Money that is to be, or was, paid back; `made` is how much of it was.

    `status`: requested (it waits), processing (a gateway was asked), made, canceled (its note was
    voided). `problem` says why a person has to see to it: `by_hand` (no gateway can do it), or the
    code of a refusal.
    """

    id: str
    status: str
    problem: str | None
    account: str
    credit_note: str
    invoice: str
    currency: str
    amount: Decimal
    amount_cents: int
    made: Decimal
    made_cents: int
    made_through: str | None
    reference: str | None
    requested_at: datetime
    made_at: datetime | None


class RefundAttemptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One refund of a payment, at its gateway or by hand.

    `outcome`: created, pending, unknown (under way), succeeded, declined; `code` says why declined,
    or what is unclear. `reference` is the gateway's name for it.
    """

    payment: str
    gateway: str
    currency: str
    amount: Decimal
    amount_cents: int
    outcome: str
    code: str | None
    reference: str | None
    created: datetime
    ended_at: datetime | None


class RefundDetail(msgspec.Struct, frozen=True):
    """A refund and what was tried for it, the first try first."""

    refund: RefundAnswer
    attempts: list[RefundAttemptAnswer]


class RefundList(msgspec.Struct, frozen=True):
    """One part of the refunds, newest first."""

    refunds: list[RefundAnswer]
    pagination: Pagination
    total: int


class PaymentRefunded(msgspec.Struct, frozen=True, kw_only=True):
    """What a payment's refund came to, one for each of its invoices, and what is left of it."""

    payment: str
    status: str
    currency: str
    left: Decimal
    left_cents: int
    refunds: list[RefundAnswer]


class DisputeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Money of an invoice that a bank asks about, or took back.

    `kind`: dispute, or return (of a bank debit, or a void: nobody can contest it). `status`:
    warning (no money moved), opened, won, lost. `reason` is the bank's; `respond_by` until when it
    takes an answer.
    """

    id: str
    kind: str
    status: str
    account: str
    invoice: str
    payment: str | None
    gateway: str
    reference: str
    reason: str | None
    currency: str
    amount: Decimal
    amount_cents: int
    respond_by: datetime | None
    opened_at: datetime
    ended_at: datetime | None


class DisputeList(msgspec.Struct, frozen=True):
    """One part of the disputes, newest first."""

    disputes: list[DisputeAnswer]
    pagination: Pagination
    total: int


def refund_answer(refund: Refund) -> RefundAnswer:
    """Show a refund."""
    return RefundAnswer(
        id=ids.show("refund", refund.refund_id),
        status=refund.status.value,
        problem=refund.problem,
        account=ids.show("account", refund.account_id),
        credit_note=ids.show("credit_note", refund.credit_note_id),
        invoice=ids.show("invoice", refund.invoice_id),
        currency=refund.currency.lower(),
        amount=refund.amount.to_decimal(),
        amount_cents=refund.amount.minor,
        made=refund.made.to_decimal(),
        made_cents=refund.made.minor,
        made_through=refund.made_through,
        reference=refund.reference,
        requested_at=refund.requested_at,
        made_at=refund.made_at,
    )


def attempt_answer(attempt: RefundAttempt) -> RefundAttemptAnswer:
    """Show one refund of a payment."""
    return RefundAttemptAnswer(
        payment=ids.show("payment", attempt.payment_id),
        gateway=attempt.gateway,
        currency=attempt.currency.lower(),
        amount=major(attempt.amount_minor, attempt.currency),
        amount_cents=attempt.amount_minor,
        outcome=attempt.outcome.value,
        code=attempt.code,
        reference=attempt.gateway_reference,
        created=attempt.created_at,
        ended_at=attempt.ended_at,
    )


def dispute_answer(dispute: Dispute) -> DisputeAnswer:
    """Show a dispute."""
    return DisputeAnswer(
        id=ids.show("dispute", dispute.dispute_id),
        kind=dispute.kind,
        status=dispute.status.value,
        account=ids.show("account", dispute.account_id),
        invoice=ids.show("invoice", dispute.invoice_id),
        payment=ids.show("payment", dispute.payment_id) if dispute.payment_id else None,
        gateway=dispute.gateway,
        reference=dispute.reference,
        reason=dispute.code,
        currency=dispute.currency.lower(),
        amount=dispute.amount.to_decimal(),
        amount_cents=dispute.amount.minor,
        respond_by=dispute.respond_by,
        opened_at=dispute.opened_at,
        ended_at=dispute.ended_at,
    )
