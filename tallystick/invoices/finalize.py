"""From drafts to issued invoices: numbered, frozen, in the books, told. One transaction."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import structlog
from msgspec.structs import replace

from tallystick.accounts.model import Account
from tallystick.documents.document import Party, encode
from tallystick.invoices import draft_store, issue_store
from tallystick.invoices.entries import issued_entry
from tallystick.invoices.events import (
    INVOICE_FINALIZED,
    INVOICE_PAID,
    InvoiceFinalized,
    InvoicePaid,
)
from tallystick.invoices.freeze import freeze
from tallystick.invoices.issue_store import Written
from tallystick.invoices.lifecycle import next_status
from tallystick.invoices.model import Event, Invoice, InvoiceDraft, Status
from tallystick.invoices.prepaid import lock_means, pay_at_once
from tallystick.invoices.settlement import Settlement
from tallystick.invoices.store import Issued
from tallystick.invoices.terms import terms_said
from tallystick.issuers import service as issuers
from tallystick.issuers.model import Issuer, Numbered
from tallystick.kernel import outbox
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import new_id
from tallystick.kernel.outbox import News
from tallystick.ledger import service as ledger
from tallystick.money.amount import Money
from tallystick.subscriptions.periods import local_day

log = structlog.get_logger()


async def issue(
    conn: Connection, account: Account, draft: InvoiceDraft, *, seller: Party, at: datetime
) -> Invoice:
    """Write one invoice as `issue_all` does."""
    (invoice,) = await issue_all(conn, [(account, draft)], seller=seller, at=at)
    return invoice


async def issue_all(
    conn: Connection, wanted: Sequence[tuple[Account, InvoiceDraft]], *, seller: Party, at: datetime
) -> tuple[Invoice, ...]:
    """Write invoices that are issued at `at`, the accounts' present: so many statements for all.

    Each has its number, is frozen, in the books, and told of. One over nothing, or that credit and
    prepaid money of its account pay, is paid at once. Everything is in the open transaction, which
    must be of the writer's scope: numbers are not the account's. The rows of the number series stay
    locked until it ends, so this comes late. Raises asyncpg.UniqueViolationError if one of the
    drafts' bills has its invoice, and what `ledger.post_all` does.
    """
    if not wanted:
        return ()
    means = await lock_means(conn, {account.account_id for account, _ in wanted})
    paid = [means.pay(account.account_id, draft.total) for account, draft in wanted]
    written = await _numbered_all(conn, wanted, paid, seller, at)
    await issue_store.insert_issued(conn, written, at)
    entries = [
        (one.account_id, issued_entry(one.draft, one.invoice_id, one.issued.number, at))
        for one in written
    ]
    await ledger.post_all(conn, [(whose, entry) for whose, entry in entries if entry is not None])
    invoices = [
        await pay_at_once(conn, issue_store.invoice_of(one, at), by, at)
        for one, by in zip(written, paid, strict=True)
    ]
    await outbox.append_all(conn, [news for invoice in invoices for news in _news(invoice)])
    log.info("invoices_finalized", count=len(invoices), last=written[-1].issued.number)
    return tuple(invoices)


async def finalize_draft(
    conn: Connection,
    account: Account,
    draft: InvoiceDraft,
    *,
    was: Invoice,
    seller: Party,
    at: datetime,
) -> Invoice:
    """Make a draft that was written before, and is locked, final: as `issue_all` does.

    Raises Conflict `invoice_not_draft`.
    """
    account_id, invoice_id = was.account_id, was.invoice_id
    paid = (await lock_means(conn, {account_id})).pay(account_id, draft.total)
    (written,) = await _numbered_all(conn, [(account, draft)], [paid], seller, at)
    if not await draft_store.finalize(conn, account_id, invoice_id, draft, written.issued):
        raise Conflict("invoice_not_draft", "The invoice was finalized already.")
    entry = issued_entry(draft, invoice_id, written.issued.number, at)
    if entry is not None:
        await ledger.post(conn, account_id, entry)
    kept = replace(written, invoice_id=invoice_id)
    final = replace(issue_store.invoice_of(kept, at), created_at=was.created_at)
    invoice = await pay_at_once(conn, final, paid, at)
    await outbox.append_all(conn, list(_news(invoice)))
    return invoice


async def _numbered_all(
    conn: Connection,
    wanted: Sequence[tuple[Account, InvoiceDraft]],
    paid: Sequence[Settlement],
    seller: Party,
    at: datetime,
) -> list[Written]:
    issuer_of = await issuers.issuers_of(conn, [account for account, _ in wanted], seller, at)
    asked = [_numbered(account, issuer_of[account.account_id], at) for account, _ in wanted]
    numbers = await issuers.take_numbers(conn, asked)
    return [
        Written(
            account_id=account.account_id,
            invoice_id=new_id(),
            draft=draft,
            issued=_issued(
                account, draft, issuer_of[account.account_id], number, paid=by.paid, at=at
            ),
        )
        for (account, draft), number, by in zip(wanted, numbers, paid, strict=True)
    ]


def _numbered(account: Account, issuer: Issuer, at: datetime) -> Numbered:
    day = local_day(at, account.timezone)
    return Numbered(issuer, "invoice", day.year, day.month, account.test_clock_id is not None)


def _issued(
    account: Account, draft: InvoiceDraft, issuer: Issuer, number: str, *, paid: Money, at: datetime
) -> Issued:
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
    return Issued(
        status=status,
        number=number,
        issued_at=at,
        issuer_id=issuer.issuer_id,
        due_at=due_at,
        paid_at=paid_at,
        document=encode(replace(document, prepaid_minor=paid.minor)).decode(),
        terms=terms,
    )


def _news(invoice: Invoice) -> Iterator[News]:
    account_id, invoice_id = invoice.account_id, invoice.invoice_id
    yield News(account_id, INVOICE_FINALIZED, InvoiceFinalized(invoice_id))
    if invoice.status is Status.PAID:
        yield News(account_id, INVOICE_PAID, InvoicePaid(invoice_id))
