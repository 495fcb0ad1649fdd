"""What a payment brought beyond its invoices, when a bank takes the payment back."""

from datetime import datetime

from tallystick.kernel.db import Connection
from tallystick.kernel.ids import show
from tallystick.ledger import service as ledger
from tallystick.ledger.model import BAD_DEBT, PREPAID, Entry, Posting
from tallystick.payments.refund_model import Giver


async def take_over_back(
    conn: Connection, giver: Giver, reference: str, taken: int, at: datetime
) -> None:
    """Take back as much of a payment's prepaid rest as is there; what is used is bad debt.

    50.00 came for an invoice of 40.00, so 10.00 are prepaid, 4.00 of them used. The bank takes
    50.00 back: the invoice is due again with 40.00, the rest was booked as bad debt with the
    dispute; debit prepaid 6.00, credit bad debt 6.00. Once for each dispute.
    """
    over = giver.received_minor - sum(one.paid_minor for one in giver.gave)
    gone = min(over, max(taken - sum(one.paid_minor for one in giver.gave), 0))
    if gone <= 0:
        return
    held = await ledger.lock_prepaid(conn, [giver.account_id])
    part = min(gone, held.get((giver.account_id, giver.currency), 0))
    if part > 0:
        entry = _entry(giver, reference, part, at)
        known = await ledger.find_entry(conn, giver.account_id, entry.idempotency_key)
        if known is None:
            await ledger.post(conn, giver.account_id, entry)


def _entry(giver: Giver, reference: str, minor: int, at: datetime) -> Entry:
    named = show("payment", giver.payment_id)
    return Entry(
        idempotency_key=f"payment:{giver.payment_id}:over_back:{reference}",
        kind="payment_over_back",
        reference=named,
        reason=f"A bank took back what payment {named} brought beyond its invoices",
        at=at,
        postings=(
            Posting(PREPAID, giver.currency, minor),
            Posting(BAD_DEBT, giver.currency, -minor),
        ),
    )
