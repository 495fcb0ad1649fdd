"""Closing an invoice that is not paid: void it, write it off; collect it again after all.

Nothing is edited: the books get a reversal, the number stays taken, a row says why and by whom.
"""

from datetime import datetime
from uuid import UUID

import msgspec
import structlog
from msgspec.structs import replace

from tallystick.documents.document import Party
from tallystick.invoices import closing_store, customer_credit_store, store
from tallystick.invoices.closing_store import Closing, ClosingKind
from tallystick.invoices.entries import bad_debt_entry, issued_key
from tallystick.invoices.events import (
    INVOICE_REOPENED,
    INVOICE_UNCOLLECTIBLE,
    INVOICE_VOIDED,
    InvoiceClosed,
    InvoiceVoided,
)
from tallystick.invoices.lifecycle import next_status, voided
from tallystick.invoices.model import Event, Invoice
from tallystick.invoices.prepaid import prepaid_key
from tallystick.invoices.rebill import rebill as bill_anew
from tallystick.invoices.rebill import stored_lines
from tallystick.invoices.voiding import give_back
from tallystick.kernel import outbox
from tallystick.kernel.db import Connection, actor
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import new_id, unknown
from tallystick.ledger import service as ledger
from tallystick.ledger.model import PREPAID
from tallystick.money.amount import Money

log = structlog.get_logger()


class Voided(msgspec.Struct, frozen=True):
    """A void invoice, and the one that bills the same anew."""

    invoice: Invoice
    replacement: Invoice | None


async def void_invoice(
    conn: Connection,
    account_id: UUID,
    invoice_id: UUID,
    *,
    rebill: bool,
    seller: Party,
    reason: str,
    at: datetime,
    wall: datetime,
) -> Voided:
    """Let an open invoice of which no money came count no longer, at the account's present `at`.

    Its entries are reversed; coupons, credit, prepaid money and what it carried are given back.
    `rebill`: an invoice over the same lines takes its place at once; else what it billed is waived,
    and never billed again. In the open transaction, of the writer's scope. Raises NotFound;
    Conflict `invoice_not_open`, `already_paid`, `invoice_partly_paid`, `invoice_credited`,
    `invoice_credit_used`, `invoice_not_rebillable`.
    """
    was = await _lock(conn, account_id, invoice_id)
    used = await customer_credit_store.used_on(conn, account_id, invoice_id)
    used += await _prepaid_used(conn, was)
    after = voided(was, Money(used, was.currency))
    await give_back(conn, account_id, invoice_id, wall)
    await customer_credit_store.give_back(conn, account_id, invoice_id)
    for key in (f"invoice:{invoice_id}:credit", prepaid_key(invoice_id), issued_key(invoice_id)):
        entry = await ledger.find_entry(conn, account_id, key)
        if entry is not None:
            text = f"Invoice {was.number} is void: {reason}"
            await ledger.reverse(conn, account_id, entry.ledger_entry_id, text, at)
    await _save(conn, was, after)
    replacement = None
    if rebill:
        lines = await stored_lines(conn, was)
        replacement = await bill_anew(conn, after, lines, seller=seller, at=at)
    by = replacement.invoice_id if replacement else None
    await _note(conn, was, "void", reason, at, replaced_by=by)
    await outbox.append(conn, account_id, INVOICE_VOIDED, InvoiceVoided(invoice_id, by))
    return Voided(after, replacement)


async def write_off(
    conn: Connection, account_id: UUID, invoice_id: UUID, *, reason: str, at: datetime
) -> Invoice:
    """Give up what is due on an open invoice: bad debt, tax included.

    Money that comes all the same is taken, and lowers the bad debt. Raises NotFound; Conflict
    `invoice_not_open`, `already_paid`.
    """
    was = await _lock(conn, account_id, invoice_id)
    after = replace(was, status=next_status(was.status, Event.WRITE_OFF))
    closing = await _note(conn, was, "write_off", reason, at)
    text = f"Invoice {was.number} was written off: {reason}"
    await ledger.post(conn, account_id, bad_debt_entry(was, was.due, closing, text, at))
    await _save(conn, was, after)
    await outbox.append(conn, account_id, INVOICE_UNCOLLECTIBLE, InvoiceClosed(invoice_id))
    return after


async def reopen(
    conn: Connection, account_id: UUID, invoice_id: UUID, *, reason: str, at: datetime
) -> Invoice:
    """Collect an invoice again that was written off. One that is void stays void.

    Raises NotFound; Conflict `invoice_not_open`, `already_paid`, `invoice_not_written_off`.
    """
    was = await _lock(conn, account_id, invoice_id)
    after = replace(was, status=next_status(was.status, Event.REOPEN))
    if not await is_written_off(conn, account_id, invoice_id):
        raise Conflict(
            "invoice_not_written_off", "Its money was taken back by a bank; bill it anew."
        )
    closing = await _note(conn, was, "reopen", reason, at)
    text = f"Invoice {was.number} is collected again: {reason}"
    await ledger.post(conn, account_id, bad_debt_entry(was, -was.due, closing, text, at))
    await _save(conn, was, after)
    await outbox.append(conn, account_id, INVOICE_REOPENED, InvoiceClosed(invoice_id))
    return after


async def recover(conn: Connection, was: Invoice, amount: Money, at: datetime) -> None:
    """Lower the bad debt by money that comes for an invoice that was written off.

    Who calls has locked the invoice and posts the money itself.
    """
    if await is_written_off(conn, was.account_id, was.invoice_id):
        text = f"Money came for invoice {was.number}, which was written off"
        await ledger.post(conn, was.account_id, bad_debt_entry(was, -amount, new_id(), text, at))


async def is_written_off(conn: Connection, account_id: UUID, invoice_id: UUID) -> bool:
    """Tell whether what became of the invoice last is that it was written off."""
    told = await closing_store.of_invoice(conn, account_id, invoice_id)
    return bool(told) and told[-1].kind == "write_off"


async def closings(conn: Connection, account_id: UUID, invoice_id: UUID) -> tuple[Closing, ...]:
    """Return what became of an invoice, oldest first."""
    return await closing_store.of_invoice(conn, account_id, invoice_id)


async def _lock(conn: Connection, account_id: UUID, invoice_id: UUID) -> Invoice:
    found = await store.lock(conn, account_id, invoice_id)
    if found is None:
        raise unknown("invoice")
    (invoice,) = await store.with_lines(conn, account_id, [found])
    return invoice


async def _prepaid_used(conn: Connection, was: Invoice) -> int:
    """Return how much prepaid money pays the invoice, in minor units, and lock what is left."""
    entry = await ledger.find_entry(conn, was.account_id, prepaid_key(was.invoice_id))
    if entry is None:
        return 0
    # Before anything is posted, as whoever takes of prepaid money does.
    await ledger.lock_prepaid(conn, [was.account_id])
    return sum(one.amount for one in entry.postings if one.ledger_account == PREPAID)


async def _save(conn: Connection, was: Invoice, after: Invoice) -> None:
    if not await store.save_payment(conn, was, after):
        raise Conflict("invoice_changed", "The invoice was changed meanwhile; read it again.")
    log.info(
        "invoice_closed",
        account_id=str(was.account_id),
        invoice_id=str(was.invoice_id),
        status=after.status.value,
    )


async def _note(
    conn: Connection,
    was: Invoice,
    kind: ClosingKind,
    reason: str,
    at: datetime,
    *,
    replaced_by: UUID | None = None,
) -> UUID:
    who = actor()
    closing = Closing(
        invoice_closing_id=new_id(),
        kind=kind,
        amount_minor=was.due.minor,
        reason=reason,
        actor=f"{who.kind}:{who.id}",
        closed_at=at,
        replaced_by=replaced_by,
    )
    await closing_store.insert(conn, was.account_id, was.invoice_id, closing)
    return closing.invoice_closing_id
