"""What the end of a payment changes in the books, on its invoices, and for whoever listens."""

from datetime import datetime

import structlog
from msgspec.structs import replace

from tallystick.invoices import service as invoices
from tallystick.kernel import outbox
from tallystick.kernel.db import Connection
from tallystick.kernel.ids import show
from tallystick.ledger import service as ledger
from tallystick.ledger.model import PREPAID, RECEIVABLE, Entry, Posting, clearing
from tallystick.money.amount import Money
from tallystick.payments import lifecycle, store
from tallystick.payments.events import (
    PAYMENT_FAILED,
    PAYMENT_SUCCEEDED,
    PaymentFailed,
    PaymentSucceeded,
)
from tallystick.payments.lifecycle import PaymentEvent
from tallystick.payments.model import Part, Payment
from tallystick.payments.shares import share_out

log = structlog.get_logger()


def payment_entry(payment: Payment, received: Money, at: datetime) -> Entry:
    """Return the entry of money received: the gateway owes it to us, the customer no longer does.

    4900 USD minor units through Stripe: debit clearing:stripe 4900, credit receivable 4900.
    """
    reference = show("payment", payment.payment_id)
    return Entry(
        idempotency_key=f"payment:{payment.payment_id}:settled",
        kind="payment_settled",
        reference=reference,
        reason=f"Payment {reference} received through {payment.gateway}",
        at=at,
        postings=(
            Posting(clearing(payment.gateway), received.currency, received.minor),
            Posting(RECEIVABLE, received.currency, -received.minor),
        ),
    )


def over_entry(payment: Payment, over: Money, at: datetime) -> Entry:
    """Return the entry of what no invoice takes of a payment: it is prepaid from now on.

    5000 received for an invoice of 4900: debit receivable 100, credit prepaid 100.
    """
    reference = show("payment", payment.payment_id)
    return Entry(
        idempotency_key=f"payment:{payment.payment_id}:over",
        kind="payment_over",
        reference=reference,
        reason=f"Payment {reference} was more than its invoices asked for",
        at=at,
        postings=(
            Posting(RECEIVABLE, over.currency, over.minor),
            Posting(PREPAID, over.currency, -over.minor),
        ),
    )


async def succeed(
    conn: Connection, payment: Payment, received: Money, reference: str | None, at: datetime
) -> None:
    """Book money received for a payment whose row is locked; once, however often it is told.

    Its invoices get their parts in their order. What none of them takes is prepaid money of the
    account: 49.00 for an invoice that was paid otherwise meanwhile pay the next one.
    """
    status = lifecycle.move_payment(payment.status, PaymentEvent.SUCCEED)
    if status is None:
        return
    due = await invoices.lock_due(conn, payment.account_id, payment.invoice_ids)
    shares = share_out(received, payment.parts, due)
    await store.move(
        conn, payment, status, reference=reference, settled_at=at, received_minor=received.minor
    )
    await store.set_parts(conn, replace(payment, parts=shares.parts))
    for part in shares.parts:
        await _settle_invoice(conn, payment, part, at)
    if shares.over.minor > 0:
        # Before anything is posted, as whoever takes of prepaid money does.
        await ledger.lock_prepaid(conn, [payment.account_id])
    await ledger.post(conn, payment.account_id, payment_entry(payment, received, at))
    if shares.over.minor > 0:
        await _keep_over(conn, payment, shares.over, at)
    told = PaymentSucceeded(payment.payment_id, payment.invoice_id, payment.invoice_ids)
    await outbox.append(conn, payment.account_id, PAYMENT_SUCCEEDED, told)


async def fail(conn: Connection, payment: Payment, code: str, *, hard: bool) -> None:
    """End a payment whose row is locked: refused, or (code `cancelled`) not wanted any more."""
    event = PaymentEvent.CANCEL if code == "cancelled" else PaymentEvent.DECLINE
    status = lifecycle.move_payment(payment.status, event)
    if status is None:
        return
    await store.move(conn, payment, status, failure_code=code)
    if event is PaymentEvent.DECLINE:
        named = payment.payment_id, payment.invoice_id
        told = PaymentFailed(*named, code, hard, payment.invoice_ids)
        await outbox.append(conn, payment.account_id, PAYMENT_FAILED, told)


async def _settle_invoice(conn: Connection, payment: Payment, part: Part, at: datetime) -> None:
    if part.paid_minor:
        amount = Money(part.paid_minor, payment.currency)
        await invoices.settle(conn, payment.account_id, part.invoice_id, amount, at)


async def _keep_over(conn: Connection, payment: Payment, over: Money, at: datetime) -> None:
    await ledger.post(conn, payment.account_id, over_entry(payment, over, at))
    log.warning(
        "payment_over",
        account_id=str(payment.account_id),
        payment_id=str(payment.payment_id),
        over_minor=over.minor,
    )
