"""From a draft to an issued invoice: numbered, frozen, in the books, told. One transaction."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog

from tallystick.accounts.model import Account
from tallystick.documents.document import Party, encode
from tallystick.invoices import store
from tallystick.invoices.customer_credit import lock_credit_for, pay_with_credit
from tallystick.invoices.entries import issued_entry
from tallystick.invoices.events import (
    INVOICE_FINALIZED,
    INVOICE_PAID,
    InvoiceFinalized,
    InvoicePaid,
)
from tallystick.invoices.freeze import freeze
from tallystick.invoices.lifecycle import next_status
from tallystick.invoices.model import Event, Invoice, InvoiceDraft, Status
from tallystick.invoices.terms import terms_said
from tallystick.issuers import service as issuers
from tallystick.issuers.model import Issuer, Numbered
from tallystick.kernel import outbox
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import new_id
from tallystick.ledger import service as ledger
from tallystick.subscriptions.periods import local_day

log = structlog.get_logger()


async def issue(
    conn: Connection, account: Account, draft: InvoiceDraft, *, seller: Party, at: datetime
) -> Invoice:
    """Write the invoice and finalize it at `at`, the account's present.

    Everything is in the open transaction, which must be of the writer's scope: numbers are not the
    account's. The row of the number series stays locked until it ends. Raises
    asyncpg.UniqueViolationError if one of the draft's bills has its invoice.
    """
    invoice_id = new_id()
    await store.insert_draft(conn, account.account_id, draft, invoice_id=invoice_id, at=at)
    line_ids = [new_id() for _ in draft.lines]
    await store.insert_lines(conn, account.account_id, invoice_id, draft.lines, line_ids)
    return await finalize(conn, account, draft, invoice_id=invoice_id, seller=seller, at=at)


async def finalize(
    conn: Connection,
    account: Account,
    draft: InvoiceDraft,
    *,
    invoice_id: UUID,
    seller: Party,
    at: datetime,
) -> Invoice:
    """Give the draft its number, freeze it, post it to the books and tell the outbox.

    An invoice over nothing, or that credit of the account pays, is paid at once. Raises
    Conflict unless it is a draft.
    """
    issuer = (await issuers.issuers_of(conn, [account], seller, at))[account.account_id]
    (number,) = await issuers.take_numbers(conn, [_numbered(account, issuer, at)])
    issued = _issued(account, draft, issuer, number, at)
    invoice = await store.finalize(conn, account.account_id, invoice_id, issued)
    if invoice is None:
        raise Conflict("invoice_not_draft", "The invoice was finalized already.")
    uses = await lock_credit_for(conn, invoice)
    entry = issued_entry(draft, invoice_id, number, at)
    if entry is not None:
        await ledger.post(conn, account.account_id, entry)
    invoice = await pay_with_credit(conn, invoice, uses, at)
    await _tell(conn, invoice)
    log.info(
        "invoice_finalized",
        account_id=str(account.account_id),
        invoice_id=str(invoice_id),
        number=number,
    )
    return invoice


def _numbered(account: Account, issuer: Issuer, at: datetime) -> Numbered:
    day = local_day(at, account.timezone)
    return Numbered(issuer, "invoice", day.year, day.month, account.test_clock_id is not None)


def _issued(
    account: Account, draft: InvoiceDraft, issuer: Issuer, number: str, at: datetime
) -> store.Issued:
    terms = terms_said(draft.terms, account, issuer)
    due_at = at + timedelta(days=terms.payment_due_days or 0)
    status, paid_at = next_status(Status.DRAFT, Event.FINALIZE), None
    if draft.total.is_zero():
        status, paid_at = next_status(status, Event.SETTLE), at
    document = freeze(
        draft,
        account,
        issuer,
        terms,
        number=number,
        issued_on=local_day(at, account.timezone),
        due_on=local_day(due_at, account.timezone),
    )
    return store.Issued(
        status=status,
        number=number,
        issued_at=at,
        issuer_id=issuer.issuer_id,
        due_at=due_at,
        paid_at=paid_at,
        document=encode(document).decode(),
        terms=terms,
    )


async def _tell(conn: Connection, invoice: Invoice) -> None:
    account_id, invoice_id = invoice.account_id, invoice.invoice_id
    await outbox.append(conn, account_id, INVOICE_FINALIZED, InvoiceFinalized(invoice_id))
    if invoice.status is Status.PAID:
        await outbox.append(conn, account_id, INVOICE_PAID, InvoicePaid(invoice_id))
