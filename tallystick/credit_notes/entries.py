"""What credit notes, refunds and disputes write into the books. Pure."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from tallystick.credit_notes.model import CreditNote, Dispute, RefundPart
from tallystick.kernel.ids import show
from tallystick.ledger.model import (
    BAD_DEBT,
    CHARGEBACKS,
    CUSTOMER_CREDIT,
    RECEIVABLE,
    REFUNDS,
    REVENUE,
    TAX_PAYABLE,
    Entry,
    Posting,
    clearing,
)
from tallystick.money.amount import Money


def issued_key(credit_note_id: UUID) -> str:
    """Return the idempotency key of a note's entry."""
    return f"credit_note:{credit_note_id}:issued"


def issued_entry(note: CreditNote) -> Entry:
    """Return the entry of an issued note.

    120.00 with 20.00 of tax, 50.00 of it still due, 30.00 kept, 40.00 to be paid back: debit
    revenue 100.00 and tax payable 20.00; credit receivable 50.00, customer credit 30.00, refunds
    40.00.
    """
    return Entry(
        idempotency_key=issued_key(note.credit_note_id),
        kind="credit_note_issued",
        reference=show("credit_note", note.credit_note_id),
        reason=f"Credit note {note.number} was issued",
        at=note.issued_at,
        postings=_postings(
            note.currency,
            {
                REVENUE: note.subtotal.minor,
                TAX_PAYABLE: note.tax.minor,
                RECEIVABLE: -note.offset.minor,
                CUSTOMER_CREDIT: -note.credit.minor,
                REFUNDS: -note.refund.minor,
            },
        ),
    )


def refunded_entry(part: RefundPart) -> Entry:
    """Return the entry of money that was paid back: debit refunds, credit clearing."""
    minor = part.amount.minor
    moves = {REFUNDS: minor, clearing(part.through): -minor}
    return _of_part(part, "made", f"Paid back through {part.through}", moves, part.made_at)


def came_back_entry(part: RefundPart, at: datetime) -> Entry:
    """Return the entry of a refund that failed after all: the mirror of `refunded_entry`."""
    minor = part.amount.minor
    moves = {clearing(part.through): minor, REFUNDS: -minor}
    return _of_part(part, "failed", f"The refund through {part.through} came back", moves, at)


def _of_part(
    part: RefundPart, what: str, reason: str, moves: Mapping[str, int], at: datetime
) -> Entry:
    return Entry(
        idempotency_key=f"refund_part:{part.refund_part_id}:{what}",
        kind=f"refund_{what}",
        reference=show("refund", part.refund_id),
        reason=reason,
        at=at,
        postings=_postings(part.amount.currency, moves),
    )


def opened_entry(dispute: Dispute, at: datetime) -> Entry:
    """Return the entry of money that a bank took: debit chargebacks, credit clearing."""
    minor = dispute.amount.minor
    moves = {CHARGEBACKS: minor, clearing(dispute.gateway): -minor}
    return _of_dispute(dispute, "opened", moves, at)


def won_entry(dispute: Dispute, at: datetime) -> Entry:
    """Return the entry of money that came back: the mirror of `opened_entry`."""
    minor = dispute.amount.minor
    return _of_dispute(dispute, "won", {clearing(dispute.gateway): minor, CHARGEBACKS: -minor}, at)


def lost_entry(dispute: Dispute, owed: Money, at: datetime) -> Entry:
    """Return the entry of money that is gone: the customer owes `owed` again, the rest is bad debt.

    The rest is what is given up, and what was given back before the dispute (a refund).
    """
    minor = dispute.amount.minor
    moves = {RECEIVABLE: owed.minor, BAD_DEBT: minor - owed.minor, CHARGEBACKS: -minor}
    return _of_dispute(dispute, "lost", moves, at)


def _of_dispute(dispute: Dispute, what: str, moves: Mapping[str, int], at: datetime) -> Entry:
    return Entry(
        idempotency_key=f"dispute:{dispute.dispute_id}:{what}",
        kind=f"dispute_{what}",
        reference=show("dispute", dispute.dispute_id),
        reason=f"Dispute {dispute.reference} at {dispute.gateway} was {what}",
        at=at,
        postings=_postings(dispute.currency, moves),
    )


def _postings(unit: str, moves: Mapping[str, int]) -> tuple[Posting, ...]:
    return tuple(Posting(name, unit, amount) for name, amount in moves.items() if amount)
