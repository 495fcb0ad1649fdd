"""What the end of a payment changes in the books, on its invoice, and for whoever listens."""

from datetime import datetime
from uuid import UUID

import structlog

from tallystick.invoices import service as invoices
from tallystick.kernel import outbox
from tallystick.kernel.db import Connection
from tallystick.kernel.ids import show
from tallystick.ledger import service as ledger
from tallystick.ledger.model import RECEIVABLE, Entry, Posting, clearing
from tallystick.money.amount import Money
from tallystick.payments import lifecycle, store
from tallystick.payments.events import (
    PAYMENT_FAILED,
    PAYMENT_SUCCEEDED,
    PaymentFailed,
    PaymentSucceeded,
)
from tallystick.payments.lifecycle import PaymentEvent
from tallystick.payments.model import Payment

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


async def succeed(
    conn: Connection, payment: Payment, received: Money, reference: str | None, at: datetime
) -> None:
    """Book money received for a payment whose row is locked; once, however often it is told."""
    status = lifecycle.move_payment(payment.status, PaymentEvent.SUCCEED)
    if status is None:
        return
    await store.move(conn, payment, status, reference=reference, settled_at=at)
    if payment.invoice_id is not None:
        await _settle_invoice(conn, payment.account_id, payment.invoice_id, received, at)
    await ledger.post(conn, payment.account_id, payment_entry(payment, received, at))
    told = PaymentSucceeded(payment.payment_id, payment.invoice_id)
    await outbox.append(conn, payment.account_id, PAYMENT_SUCCEEDED, told)


async def fail(conn: Connection, payment: Payment, code: str, *, hard: bool) -> None:
    """End a payment whose row is locked: refused, or (code `cancelled`) not wanted any more."""
    event = PaymentEvent.CANCEL if code == "cancelled" else PaymentEvent.DECLINE
    status = lifecycle.move_payment(payment.status, event)
    if status is None:
        return
    await store.move(conn, payment, status, failure_code=code)
    if event is PaymentEvent.DECLINE:
        told = PaymentFailed(payment.payment_id, payment.invoice_id, code, hard)
        await outbox.append(conn, payment.account_id, PAYMENT_FAILED, told)


async def _settle_invoice(
    conn: Connection, account_id: UUID, invoice_id: UUID, received: Money, at: datetime
) -> None:
    """Pay the invoice with what it still asks for; what is over stays on the receivable.

    Two payments may both come in when an old page is confirmed after all: 49.00 on an invoice
    that is paid leaves the customer's receivable at -49.00, to be paid back or used.
    """
    invoice = await invoices.get_invoice(conn, account_id, invoice_id)
    part = min(invoice.due, received)
    if part.minor > 0:
        await invoices.settle(conn, account_id, invoice_id, part, at)
    if part != received:
        log.warning(
            "payment_exceeds_invoice",
            account_id=str(account_id),
            invoice_id=str(invoice_id),
            over_minor=received.minor - part.minor,
        )
