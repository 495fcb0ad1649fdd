"""How a credit note moves its invoice; the note itself stands in `credit_notes/`, above."""

from datetime import date, datetime
from uuid import UUID

import msgspec

from tallystick.accounts import service as accounts
from tallystick.documents.document import InvoiceDocument, decode
from tallystick.invoices import adjustment_store, store
from tallystick.invoices.adjustments import Adjustment
from tallystick.invoices.events import (
    INVOICE_PAID,
    INVOICE_REOPENED,
    InvoiceClosed,
    InvoicePaid,
)
from tallystick.invoices.lifecycle import credited, uncredited, unsettled
from tallystick.invoices.model import Invoice, Status
from tallystick.issuers import service as issuers
from tallystick.issuers.model import Numbered
from tallystick.kernel import outbox
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import unknown
from tallystick.money.amount import Money


class NoteNumber(msgspec.Struct, frozen=True):
    """The number of a credit note, and who numbers it: unique together."""

    issuer_id: UUID
    number: str


async def lock_invoice(conn: Connection, account_id: UUID, invoice_id: UUID) -> Invoice:
    """Return an invoice with its lines and lock it until the transaction ends; raises NotFound."""
    found = await store.lock(conn, account_id, invoice_id)
    if found is None:
        raise unknown("invoice")
    (invoice,) = await store.with_lines(conn, account_id, [found])
    return invoice


async def account_of_invoice(conn: Connection, invoice_id: UUID) -> UUID:
    """Return whose invoice it is, for staff who name it alone; raises NotFound."""
    account_id = await store.owner(conn, invoice_id)
    if account_id is None:
        raise unknown("invoice")
    return account_id


async def frozen_document(conn: Connection, account_id: UUID, invoice_id: UUID) -> InvoiceDocument:
    """Return what an issued invoice says; raises Conflict `invoice_not_open` for a draft."""
    stored = await store.document(conn, account_id, invoice_id)
    if stored is None:
        raise Conflict("invoice_not_open", "The invoice is a draft; change it instead.")
    return decode(stored)


async def take_note_number(conn: Connection, invoice: Invoice, issued_on: date) -> NoteNumber:
    """Return the next number of the credit notes of who issued the invoice, without a gap.

    Locks the series until the transaction ends, which is of the writer's scope.
    """
    issuer = await issuers.get_issuer(
        conn, await store.issuer_of(conn, invoice.account_id, invoice.invoice_id)
    )
    account = await accounts.get_account(conn, invoice.account_id)
    wanted = Numbered(
        issuer, "credit_note", issued_on.year, issued_on.month, account.test_clock_id is not None
    )
    (number,) = await issuers.take_numbers(conn, [wanted])
    return NoteNumber(issuer.issuer_id, number)


async def credit(
    conn: Connection, was: Invoice, total: Money, offset: Money, at: datetime
) -> Invoice:
    """Note a credit note over `total` on a locked invoice, `offset` of it off what is due.

    Who calls posts it to the books. Raises what `lifecycle.credited` does.
    """
    after = credited(was, total, offset, at)
    await _save(conn, was, after)
    if after.status is Status.PAID and was.status is not Status.PAID:
        await outbox.append(conn, was.account_id, INVOICE_PAID, InvoicePaid(was.invoice_id))
    return after


async def uncredit(conn: Connection, was: Invoice, total: Money, offset: Money) -> Invoice:
    """Take a credit note that is voided off its locked invoice."""
    after = uncredited(was, total, offset)
    await _save(conn, was, after)
    return after


async def _save(conn: Connection, was: Invoice, after: Invoice) -> None:
    if not await store.save_payment(conn, was, after):
        raise Conflict("invoice_changed", "The invoice was changed meanwhile; read it again.")


async def unsettle(conn: Connection, was: Invoice, amount: Money) -> Invoice:
    """Take off a locked invoice what a bank took back; raises what `lifecycle.unsettled` does."""
    after = unsettled(was, amount)
    await _save(conn, was, after)
    if after.status is not was.status:
        told = InvoiceClosed(was.invoice_id)
        await outbox.append(conn, was.account_id, INVOICE_REOPENED, told)
    return after


async def lock_remainders(conn: Connection, account_id: UUID) -> tuple[Adjustment, ...]:
    """Return what last invoices gave back to be paid out, before tax, and lock it."""
    return await adjustment_store.lock_refunds(conn, account_id)


async def use_remainder(conn: Connection, account_id: UUID, invoice_id: UUID, minor: int) -> None:
    """Note how much of what an invoice gave back stands on credit notes now."""
    await adjustment_store.take(conn, account_id, invoice_id, minor)
