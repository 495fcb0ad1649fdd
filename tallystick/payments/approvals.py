"""Payments by hand: a customer says that money is on its way, a person says that it came."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.invoices import service as invoices
from tallystick.kernel.card_numbers import has_card_number
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, Conflict, FieldError
from tallystick.kernel.ids import new_id, unknown
from tallystick.money.amount import Money
from tallystick.payments import booking, store
from tallystick.payments.model import Part, Payment, PaymentStatus
from tallystick.payments.wishes import need_payable

GATEWAY: Final = "manual"
REFERENCE_LENGTH_MAX: Final = 200
REASON_LENGTH_MAX: Final = 500
PROOF_LENGTH_MAX: Final = 2000


class ByHand(msgspec.Struct, frozen=True, kw_only=True):
    """What a payer tells of money on its way.

    `method_code` is a way of paying as it is offered (`offers.py`), `reference` what stands on the
    statement, `proof_note` how the payer proves it. `is_part`: on purpose not all that is due.
    """

    invoice_id: UUID
    method_code: str
    amount: Money
    reference: str
    proof_note: str | None = None
    is_part: bool = False


async def record_manual_payment(
    conn: Connection, account_id: UUID, told: ByHand, *, request_key: str, at: datetime
) -> Payment:
    """Note a payment by hand for an invoice; it waits for approval and books nothing before.

    A wish that was not tried yet makes room. Raises NotFound; BadInput `manual_payment_differs`
    for another amount or currency than is due, and for texts; Conflict `already_paid`,
    `invoice_not_open`, `payment_in_progress`, `transaction_reference_used`.
    """
    key = f"request:{request_key}"
    known = await store.find_by_key(conn, account_id, key)
    if known is not None:
        return known
    check_texts(told)
    invoice = await invoices.get_invoice(conn, account_id, told.invoice_id)
    need_payable(invoice)
    check_amount(told, invoice.due)
    await _supersede(conn, account_id, told.invoice_id)
    payment = _payment(account_id, told, key, at)
    if not await store.insert(conn, payment):
        raise Conflict(
            "payment_in_progress", "A payment of this invoice is under way; wait for it."
        )
    # Another payment may have ended between our first look and our row: look again.
    now_due = await invoices.get_invoice(conn, account_id, told.invoice_id)
    need_payable(now_due)
    check_amount(told, now_due.due)
    return payment


async def approve(
    conn: Connection,
    account_id: UUID,
    payment_id: UUID,
    at: datetime,
    received_minor: int | None = None,
) -> Payment:
    """Book a payment that came by hand; again changes nothing. Who approved is in the audit.

    `received_minor` is what came, where that is not what was told: less pays a part of the
    invoice, what is beyond it is prepaid money of the account. Raises NotFound, Conflict
    `payment_not_awaiting_approval`.
    """
    payment = await _lock(conn, account_id, payment_id, PaymentStatus.SUCCEEDED)
    if payment.status is not PaymentStatus.SUCCEEDED:
        came = payment.amount_minor if received_minor is None else received_minor
        if came < 1:
            raise BadInput.field("amount_cents", "out_of_range", "must be 1 or more")
        received = Money(came, payment.currency)
        await booking.succeed(conn, payment, received, payment.reference, at)
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


def check_texts(told: ByHand) -> None:
    """Raise BadInput for a reference or a proof that is empty, too long, or has a card number."""
    texts = {"transaction_reference": told.reference, "proof_note": told.proof_note}
    lengths = {"transaction_reference": REFERENCE_LENGTH_MAX, "proof_note": PROOF_LENGTH_MAX}
    for field, text in texts.items():
        if text is None:
            continue
        if not 1 <= len(text.strip()) <= lengths[field]:
            raise BadInput.field(field, "length", f"must have 1 to {lengths[field]} characters")
        if has_card_number(text):
            raise BadInput.field(field, "card_number", "must not contain a card number")


def check_amount(told: ByHand, due: Money) -> None:
    """Raise BadInput `manual_payment_differs` unless it is what is due, or on purpose a part."""
    if told.amount.currency != due.currency:
        raise _differs("currency", f"must be {due.currency.lower()}, as the invoice")
    if told.is_part and not 1 <= told.amount.minor <= due.minor:
        raise _differs("amount_cents", f"must be from 1 to {due.minor} minor units")
    if not told.is_part and told.amount.minor != due.minor:
        message = f"must be {due.minor} minor units, or less with partial: true"
        raise _differs("amount_cents", message)


def reference_key(reference: str) -> str:
    """Return a reference as two of the same transfer are alike: without spaces and capitals."""
    return "".join(reference.split()).casefold()


def _differs(field: str, message: str) -> BadInput:
    errors = [FieldError(field=field, code="not_payable", message=message)]
    return BadInput("manual_payment_differs", f"{field}: {message}", errors=errors)


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


def _payment(account_id: UUID, told: ByHand, key: str, at: datetime) -> Payment:
    return Payment(
        account_id=account_id,
        payment_id=new_id(),
        request_key=key,
        gateway=GATEWAY,
        payment_method_id=None,
        currency=told.amount.currency,
        amount_minor=told.amount.minor,
        status=PaymentStatus.PENDING_APPROVAL,
        reference=told.reference.strip(),
        failure_code=None,
        note=None,
        next_attempt_at=None,
        created_at=at,
        settled_at=None,
        method_code=told.method_code,
        proof_note=told.proof_note,
        reference_key=reference_key(told.reference),
        parts=(Part(told.invoice_id, told.amount.minor),),
    )
