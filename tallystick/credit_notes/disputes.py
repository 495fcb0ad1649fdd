"""Disputes in the books: money that a bank took back, until it is known whose it is.

`payments/` tells of them, with the gateway's name of the dispute as the key: each is booked once,
however often it is told. A payment of several invoices has one dispute for each, of one name. All
of it is in the caller's transaction, of the writer's scope.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from tallystick.credit_notes import dispute_store as store
from tallystick.credit_notes.entries import lost_entry, opened_entry, won_entry
from tallystick.credit_notes.events import DISPUTE_LOST, DISPUTE_OPENED, DISPUTE_WON, DisputeTold
from tallystick.credit_notes.model import AfterLoss, Dispute, DisputeStatus, Grounds
from tallystick.credit_notes.service import is_purchase
from tallystick.credit_notes.states import move_dispute
from tallystick.invoices import closing, credit_purchase, crediting
from tallystick.invoices.model import Invoice, Status
from tallystick.kernel import outbox
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import new_id, unknown
from tallystick.kernel.paging import After, Page, PageRequest, make_page
from tallystick.ledger import service as ledger
from tallystick.money.amount import Money

UNTOLD: Final = Grounds()


async def open_dispute(
    conn: Connection,
    account_id: UUID,
    invoice_id: UUID,
    amount: Money,
    *,
    gateway: str,
    reference: str,
    at: datetime,
    grounds: Grounds = UNTOLD,
) -> Dispute:
    """Book money that a bank took of what was paid on an invoice: debit chargebacks.

    The invoice stays paid until it is known how that ends. What was a warning before becomes a
    dispute; told again it changes nothing and returns what stands. Raises NotFound, Conflict
    `dispute_currency_differs`.
    """
    dispute = await warn(
        conn, account_id, invoice_id, amount,
        gateway=gateway, reference=reference, at=at, grounds=grounds,
    )  # fmt: skip
    status = move_dispute(dispute.status, DisputeStatus.OPENED)
    if status is None:
        return dispute
    opened = replace(dispute, status=status)
    await store.save(conn, opened)
    await ledger.post(conn, account_id, opened_entry(opened, at))
    await _tell(conn, DISPUTE_OPENED, opened)
    return opened


async def warn(
    conn: Connection,
    account_id: UUID,
    invoice_id: UUID,
    amount: Money,
    *,
    gateway: str,
    reference: str,
    at: datetime,
    grounds: Grounds = UNTOLD,
) -> Dispute:
    """Note that a bank asks about what was paid on an invoice; no money moved.

    Returns what stands, where more is known already; its reason and its last day follow the news.
    Raises as `open_dispute`.
    """
    # The invoice first, as everywhere.
    invoice = await crediting.lock_invoice(conn, account_id, invoice_id)
    if amount.currency != invoice.currency:
        text = f"The invoice is in {invoice.currency}."
        raise Conflict("dispute_currency_differs", text)
    dispute = _first(invoice, amount, gateway, reference, at=at, grounds=grounds)
    if await store.insert(conn, dispute):
        return dispute
    known = {one.invoice_id: one for one in await store.lock(conn, account_id, gateway, reference)}
    return await _follow(conn, known[invoice_id], grounds)


async def win_dispute(
    conn: Connection, account_id: UUID, gateway: str, reference: str, at: datetime
) -> tuple[Dispute, ...]:
    """Book that the money came back; again changes nothing.

    Raises NotFound, Conflict `dispute_ended` for one that was lost.
    """
    return tuple(
        [await _win(conn, one, at) for one in await _locked(conn, account_id, gateway, reference)]
    )


async def lose_dispute(
    conn: Connection,
    account_id: UUID,
    gateway: str,
    reference: str,
    *,
    after: AfterLoss,
    at: datetime,
) -> tuple[Dispute, ...]:
    """Book that the money is gone; again changes nothing.

    `reopen`: the invoice is due again, unless credits were bought with it: those are taken back,
    as many as are unspent, and the money of the others is given up. `write_off`: it is
    uncollectible and the money is bad debt; an invoice on which more is due is reopened all the
    same. What was given back by a credit note before is never asked for again. Raises NotFound,
    Conflict `dispute_ended` for one that was won, `purchase_not_granted`.
    """
    found = await _locked(conn, account_id, gateway, reference)
    return tuple([await _lose(conn, one, after, at) for one in found])


async def disputed_of_payment(conn: Connection, account_id: UUID, payment_id: UUID) -> int:
    """Return what banks have of a payment at present, in minor units; returns are among it."""
    return await store.taken(conn, account_id, payment_id)


async def disputed_of_part(
    conn: Connection, account_id: UUID, payment_id: UUID, invoice_id: UUID
) -> int:
    """Return what banks have of an invoice's part of a payment, in minor units."""
    return await store.taken_of_invoice(conn, account_id, payment_id, invoice_id)


async def returned_of_payment(conn: Connection, account_id: UUID, payment_id: UUID) -> int:
    """Return what came back of a payment for good, in minor units."""
    return await store.taken(conn, account_id, payment_id, "return")


async def get_dispute(conn: Connection, account_id: UUID, dispute_id: UUID) -> Dispute:
    """Return one dispute; raises NotFound."""
    found = await store.find(conn, account_id, dispute_id)
    if found is None:
        raise unknown("dispute")
    return found


async def list_disputes(
    conn: Connection, account_id: UUID | None, status: DisputeStatus | None, request: PageRequest
) -> Page[Dispute]:
    """Return a page of disputes, newest first; None: of all accounts, in every state."""
    rows = await store.page(conn, account_id, status, request)
    total = await store.count(conn, account_id, status)
    return make_page(rows, total, request, lambda one: After(one.opened_at, one.dispute_id))


async def disputes_of_invoice(
    conn: Connection, account_id: UUID, invoice_id: UUID
) -> tuple[Dispute, ...]:
    """Return the disputes of an invoice, the first one first."""
    return await store.of_invoice(conn, account_id, invoice_id)


async def _win(conn: Connection, dispute: Dispute, at: datetime) -> Dispute:
    status = move_dispute(dispute.status, DisputeStatus.WON)
    if status is None:
        return dispute
    ended = replace(dispute, status=status, ended_at=at)
    await store.save(conn, ended)
    if dispute.status is DisputeStatus.OPENED:
        await ledger.post(conn, dispute.account_id, won_entry(dispute, at))
    await _tell(conn, DISPUTE_WON, ended)
    return ended


async def _lose(conn: Connection, dispute: Dispute, after: AfterLoss, at: datetime) -> Dispute:
    status = move_dispute(dispute.status, DisputeStatus.LOST)
    if status is None:
        return dispute
    if dispute.status is DisputeStatus.WARNING:
        await ledger.post(conn, dispute.account_id, opened_entry(dispute, at))
    invoice = await crediting.lock_invoice(conn, dispute.account_id, dispute.invoice_id)
    back = min(dispute.paid, max(invoice.returnable, Money.zero(dispute.currency)))
    await crediting.unsettle(conn, invoice, back)
    ended = replace(dispute, status=status, ended_at=at)
    await store.save(conn, ended)
    is_collected = invoice.status is not Status.UNCOLLECTIBLE
    owed = back if is_collected else Money.zero(dispute.currency)
    await ledger.post(conn, dispute.account_id, lost_entry(dispute, owed, at))
    await _give_up(conn, invoice, ended, back, after)
    await _tell(conn, DISPUTE_LOST, ended)
    return ended


async def _give_up(
    conn: Connection, invoice: Invoice, lost: Dispute, back: Money, after: AfterLoss
) -> None:
    """Take credits back that were bought with the money; write off what nobody is to pay again."""
    at = lost.ended_at
    if not back.minor or at is None:
        return
    bought_credits = is_purchase(invoice)
    if bought_credits:
        await credit_purchase.reverse(
            conn, invoice.account_id, invoice.invoice_id, key=f"dispute:{lost.dispute_id}",
            at=at, refunded_minor=back.minor,
        )  # fmt: skip
    if (after == "write_off" or bought_credits) and invoice.status is Status.PAID:
        text = f"The dispute {lost.reference} was lost"
        await closing.write_off(conn, invoice.account_id, invoice.invoice_id, reason=text, at=at)


async def _follow(conn: Connection, known: Dispute, grounds: Grounds) -> Dispute:
    """Keep the reason and the last day as they were told last."""
    after = replace(
        known,
        code=grounds.code or known.code,
        respond_by=grounds.respond_by or known.respond_by,
    )
    if after != known:
        await store.save(conn, after)
    return after


async def _tell(conn: Connection, kind: str, dispute: Dispute) -> None:
    """Tell of a dispute; a return is told by who tells of the payment."""
    if dispute.kind == "dispute":
        told = DisputeTold(dispute.dispute_id, dispute.invoice_id, dispute.payment_id)
        await outbox.append(conn, dispute.account_id, kind, told)


async def _locked(
    conn: Connection, account_id: UUID, gateway: str, reference: str
) -> tuple[Dispute, ...]:
    found = await store.lock(conn, account_id, gateway, reference)
    if not found:
        raise unknown("dispute")
    return found


def _first(
    invoice: Invoice,
    amount: Money,
    gateway: str,
    reference: str,
    *,
    at: datetime,
    grounds: Grounds,
) -> Dispute:
    return Dispute(
        account_id=invoice.account_id,
        dispute_id=new_id(),
        invoice_id=invoice.invoice_id,
        payment_id=grounds.payment_id,
        gateway=gateway,
        reference=reference,
        kind=grounds.kind,
        code=grounds.code,
        currency=amount.currency,
        amount=amount,
        paid=amount if grounds.paid_minor is None else Money(grounds.paid_minor, amount.currency),
        status=DisputeStatus.WARNING,
        respond_by=grounds.respond_by,
        opened_at=at,
        ended_at=None,
    )
