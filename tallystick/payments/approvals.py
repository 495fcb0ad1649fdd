"""Payments by hand: a customer says that money is on its way, a person says that it came."""

from datetime import datetime
from typing import Final
from uuid import UUID

from tallystick.invoices import service as invoices
from tallystick.invoices.model import Invoice
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import new_id, unknown
from tallystick.money.amount import Money
from tallystick.payments import booking, store
from tallystick.payments.collect import need_payable
from tallystick.payments.model import Part, Payment, PaymentStatus

GATEWAY: Final = "manual"
REFERENCE_LENGTH_MAX: Final = 200
REASON_LENGTH_MAX: Final = 500


async def record_manual_payment(
    conn: Connection,
    account_id: UUID,
    invoice_id: UUID,
    amount: Money,
    reference: str,
    *,
    request_key: str,
    at: datetime,
) -> Payment:
    """Note a transfer for an invoice; it waits for approval and books nothing before.

    A wish that was not tried yet makes room. Raises NotFound, BadInput for the amount or the
    reference, Conflict `already_paid`, `invoice_not_open`, `payment_in_progress`.
    """
    key = f"request:{request_key}"
    known = await store.find_by_key(conn, account_id, key)
    if known is not None:
        return known
    invoice = await invoices.get_invoice(conn, account_id, invoice_id)
    need_payable(invoice)
    check_manual(amount, invoice.due, reference)
    await _supersede(conn, account_id, invoice_id)
    payment = _payment(invoice, amount, reference.strip(), key, at)
    if not await store.insert(conn, payment):
        raise Conflict(
            "payment_in_progress", "A payment of this invoice is under way; wait for it."
        )
    # Another payment may have ended between our first look and our row: look again.
    now_due = await invoices.get_invoice(conn, account_id, invoice_id)
    need_payable(now_due)
    check_manual(amount, now_due.due, reference)
    return payment


async def approve(conn: Connection, account_id: UUID, payment_id: UUID, at: datetime) -> Payment:
    """Book a payment that came by hand; again changes nothing. Who approved is in the audit.

    Raises NotFound, Conflict `payment_not_awaiting_approval`.
    """
    payment = await _lock(conn, account_id, payment_id, PaymentStatus.SUCCEEDED)
    if payment.status is not PaymentStatus.SUCCEEDED:
        await booking.succeed(conn, payment, payment.amount, payment.reference, at)
    return await _lock(conn, account_id, payment_id, PaymentStatus.SUCCEEDED)


async def reject(conn: Connection, account_id: UUID, payment_id: UUID, reason: str) -> Payment:
    """End a payment that did not come; again changes nothing. Raises like `approve`, BadInput."""
    check_reason(reason)
    payment = await _lock(conn, account_id, payment_id, PaymentStatus.FAILED)
    if payment.status is not PaymentStatus.FAILED:
        await store.set_note(conn, payment, reason.strip())
        await booking.fail(conn, payment, "rejected", hard=False)
    return await _lock(conn, account_id, payment_id, PaymentStatus.FAILED)


def check_reason(reason: str) -> str:
    """Return the reason without outer spaces; raises BadInput for none, or for 501 characters."""
    text = reason.strip()
    if not text or len(reason) > REASON_LENGTH_MAX:
        raise BadInput.field("reason", "length", f"must have 1 to {REASON_LENGTH_MAX} characters")
    return text


def check_manual(amount: Money, due: Money, reference: str) -> None:
    """Raise BadInput unless this much can be paid by hand under this reference."""
    if not 1 <= len(reference.strip()) <= REFERENCE_LENGTH_MAX:
        raise BadInput.field(
            "transaction_reference",
            "length",
            f"must have 1 to {REFERENCE_LENGTH_MAX} characters",
        )
    if amount.currency != due.currency:
        raise BadInput.field("currency", "not_payable", f"must be {due.currency}, as the invoice")
    if not 1 <= amount.minor <= due.minor:
        message = f"must be from 1 to {due.minor} minor units of {due.currency}"
        raise BadInput.field("amount_cents", "not_payable", message)


async def _supersede(conn: Connection, account_id: UUID, invoice_id: UUID) -> None:
    live = await store.find_live(conn, account_id, invoice_id)
    live = live and await store.lock(conn, account_id, live.payment_id)
    if live is not None and live.status is PaymentStatus.PENDING:
        await booking.fail(conn, live, "cancelled", hard=False)


async def _lock(
    conn: Connection, account_id: UUID, payment_id: UUID, done: PaymentStatus
) -> Payment:
    payment = await store.lock(conn, account_id, payment_id)
    if payment is None:
        raise unknown("payment")
    if payment.gateway != GATEWAY or payment.status not in {PaymentStatus.PENDING_APPROVAL, done}:
        raise Conflict(
            "payment_not_awaiting_approval", f"This payment is {payment.status}; nothing to decide."
        )
    return payment


def _payment(invoice: Invoice, amount: Money, reference: str, key: str, at: datetime) -> Payment:
    return Payment(
        account_id=invoice.account_id,
        payment_id=new_id(),
        request_key=key,
        gateway=GATEWAY,
        payment_method_id=None,
        currency=amount.currency,
        amount_minor=amount.minor,
        status=PaymentStatus.PENDING_APPROVAL,
        reference=reference,
        failure_code=None,
        note=None,
        next_attempt_at=None,
        created_at=at,
        settled_at=None,
        parts=(Part(invoice.invoice_id, amount.minor),),
    )
