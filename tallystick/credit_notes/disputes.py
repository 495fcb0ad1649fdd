"""Disputes in the books: money that a bank took back, until it is known whose it is.

`payments/` tells of them, with the gateway's name of the dispute as the key: each is booked once,
however often it is told. All of it is in the caller's transaction, of the writer's scope.
"""

from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from tallystick.credit_notes import dispute_store as store
from tallystick.credit_notes.entries import lost_entry, opened_entry, won_entry
from tallystick.credit_notes.model import AfterLoss, Dispute, DisputeStatus
from tallystick.invoices import closing, crediting
from tallystick.invoices.model import Status
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import new_id, unknown
from tallystick.ledger import service as ledger
from tallystick.money.amount import Money


async def open_dispute(
    conn: Connection,
    account_id: UUID,
    invoice_id: UUID,
    amount: Money,
    *,
    gateway: str,
    reference: str,
    at: datetime,
) -> Dispute:
    """Book money that a bank took of what was paid on an invoice: debit chargebacks.

    The invoice stays paid until it is known how that ends. Told again it changes nothing and
    returns what stands. Raises NotFound, Conflict `dispute_currency_differs`.
    """
    known = await store.lock(conn, account_id, gateway, reference)
    if known is not None:
        return known
    invoice = await crediting.lock_invoice(conn, account_id, invoice_id)
    if amount.currency != invoice.currency:
        text = f"The invoice is in {invoice.currency}."
        raise Conflict("dispute_currency_differs", text)
    dispute = Dispute(
        account_id=account_id,
        dispute_id=new_id(),
        invoice_id=invoice_id,
        gateway=gateway,
        reference=reference,
        currency=amount.currency,
        amount=amount,
        status=DisputeStatus.OPENED,
        opened_at=at,
        ended_at=None,
    )
    if not await store.insert(conn, dispute):
        return await _locked(conn, account_id, gateway, reference)
    await ledger.post(conn, account_id, opened_entry(dispute))
    return dispute


async def win_dispute(
    conn: Connection, account_id: UUID, gateway: str, reference: str, at: datetime
) -> Dispute:
    """Book that the money came back; again changes nothing.

    Raises NotFound, Conflict `dispute_ended` for one that was lost.
    """
    dispute = await _locked(conn, account_id, gateway, reference)
    if not _goes_on(dispute, DisputeStatus.WON):
        return dispute
    ended = replace(dispute, status=DisputeStatus.WON, ended_at=at)
    await store.end(conn, ended)
    await ledger.post(conn, account_id, won_entry(dispute, at))
    return ended


async def lose_dispute(
    conn: Connection,
    account_id: UUID,
    gateway: str,
    reference: str,
    *,
    after: AfterLoss,
    at: datetime,
) -> Dispute:
    """Book that the money is gone; again changes nothing.

    `reopen`: the invoice is due again. `write_off`: it is uncollectible and the money is bad debt;
    an invoice on which more is due is reopened all the same. What was given back by a credit note
    before is never asked for again. Raises NotFound, Conflict `dispute_ended` for one that was won.
    """
    dispute = await _locked(conn, account_id, gateway, reference)
    if not _goes_on(dispute, DisputeStatus.LOST):
        return dispute
    invoice = await crediting.lock_invoice(conn, account_id, dispute.invoice_id)
    back = min(dispute.amount, invoice.returnable)
    await crediting.unsettle(conn, invoice, back)
    ended = replace(dispute, status=DisputeStatus.LOST, ended_at=at)
    await store.end(conn, ended)
    is_collected = invoice.status is not Status.UNCOLLECTIBLE
    owed = back if is_collected else Money.zero(dispute.currency)
    await ledger.post(conn, account_id, lost_entry(dispute, owed, at))
    if after == "write_off" and invoice.status is Status.PAID and back.minor:
        text = f"The dispute {reference} was lost"
        await closing.write_off(conn, account_id, invoice.invoice_id, reason=text, at=at)
    return ended


def _goes_on(dispute: Dispute, to: DisputeStatus) -> bool:
    """Tell whether the dispute ends now; raises Conflict where it ended the other way."""
    if dispute.status in (DisputeStatus.OPENED, to):
        return dispute.status is DisputeStatus.OPENED
    raise Conflict("dispute_ended", f"The dispute was {dispute.status} already.")


async def _locked(conn: Connection, account_id: UUID, gateway: str, reference: str) -> Dispute:
    found = await store.lock(conn, account_id, gateway, reference)
    if found is None:
        raise unknown("dispute")
    return found
