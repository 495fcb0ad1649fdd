"""Reading invoices, and settling them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import structlog

from tallystick.invoices import adjustment_store, period_drafts, store
from tallystick.invoices.adjustments import Adjustment
from tallystick.invoices.closing import recover
from tallystick.invoices.events import INVOICE_PAID, InvoicePaid
from tallystick.invoices.lifecycle import settled
from tallystick.invoices.model import BillKey, Invoice, Status
from tallystick.kernel import outbox
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import unknown
from tallystick.kernel.paging import After, Page, PageRequest, make_page
from tallystick.money.amount import Money
from tallystick.subscriptions.standing import OpenBill

log = structlog.get_logger()


async def get_invoice(conn: Connection, account_id: UUID, invoice_id: UUID) -> Invoice:
    """Return one invoice with its lines; raises NotFound.

    A draft of a period is as it would become final by what is known now, here and in lists.
    """
    found = await store.find(conn, account_id, invoice_id)
    if found is None:
        raise unknown("invoice")
    whole = await store.with_lines(conn, account_id, [found])
    (invoice,) = await period_drafts.as_they_are(conn, whole)
    return invoice


async def list_invoices(
    conn: Connection, account_id: UUID, status: Status | None, page: PageRequest
) -> Page[Invoice]:
    """Return a page of the account's invoices with their lines, newest first.

    `status` None is all of them.
    """
    rows = await store.page(conn, account_id, status, page)
    total = await store.count(conn, account_id, status)
    whole = await store.with_lines(conn, account_id, rows)
    invoices = await period_drafts.as_they_are(conn, whole)
    return make_page(invoices, total, page, lambda one: After(one.created_at, one.invoice_id))


async def draft_sums(conn: Connection, account_id: UUID) -> Mapping[str, int]:
    """Return what is on drafts and not owed yet: minor units by currency."""
    sums = dict(await store.draft_sums(conn, account_id))
    for was, now in await period_drafts.present_drafts(conn, account_id):
        sums[now.currency] += (now.total - was.total).minor
    return sums


async def invoice_of_bill(conn: Connection, account_id: UUID, bill: BillKey) -> Invoice | None:
    """Return the invoice of a subscription's bill, None where it had nothing to invoice."""
    invoice_id = await store.invoice_of_bill(conn, account_id, bill)
    return None if invoice_id is None else await get_invoice(conn, account_id, invoice_id)


async def open_bills(
    conn: Connection, account_id: UUID, subscription_id: UUID
) -> tuple[OpenBill, ...]:
    """Return the open invoices of a subscription, and until when each is to be paid."""
    return await store.open_bills(conn, account_id, subscription_id)


async def open_invoices(conn: Connection, account_id: UUID, limit: int) -> tuple[Invoice, ...]:
    """Return open invoices on which something is due, without their lines, oldest due first."""
    return await store.open_ones(conn, account_id, limit)


async def open_credit(
    conn: Connection, account_id: UUID, currency: str | None = None
) -> tuple[Adjustment, ...]:
    """Return what earlier invoices gave back and the next ones will take off, oldest first.

    In one currency; None: in each.
    """
    found = await adjustment_store.open_adjustments(conn, [account_id], lock=False)
    credit = (one.adjustment for one in found if one.kind == "credit")
    return tuple(one for one in credit if currency in {None, one.left.currency})


async def invoice_numbers(
    conn: Connection, account_id: UUID, invoice_ids: Sequence[UUID]
) -> Mapping[UUID, str]:
    """Return the number of each of these invoices that was issued."""
    return await store.numbers(conn, account_id, invoice_ids)


async def lock_due(
    conn: Connection, account_id: UUID, invoice_ids: Sequence[UUID]
) -> Mapping[UUID, Money]:
    """Return what is due on each of these invoices, locked until the transaction ends.

    One after the other by id, so that two who lock the same ones never wait for each other.
    Raises NotFound.
    """
    due: dict[UUID, Money] = {}
    for invoice_id in sorted(invoice_ids):
        found = await store.lock(conn, account_id, invoice_id)
        if found is None:
            raise unknown("invoice")
        due[invoice_id] = found.due
    return due


async def settle(
    conn: Connection, account_id: UUID, invoice_id: UUID, amount: Money, at: datetime
) -> Invoice:
    """Note that this much of the invoice was paid at `at`; when nothing is left it is paid.

    Who calls posts the money to the books in the same transaction. Locks the invoice. Raises
    NotFound; Conflict `already_paid`, `invoice_not_open`, `overpayment`; BadInput for another
    currency or for nothing.
    """
    was = await store.lock(conn, account_id, invoice_id)
    if was is None:
        raise unknown("invoice")
    after = settled(was, amount, at)
    if was.status is Status.UNCOLLECTIBLE:
        await recover(conn, was, amount, at)
    if not await store.save_payment(conn, was, after):
        raise Conflict("invoice_changed", "The invoice was changed meanwhile; read it again.")
    if after.status is Status.PAID:
        await outbox.append(conn, account_id, INVOICE_PAID, InvoicePaid(invoice_id))
        log.info("invoice_paid", account_id=str(account_id), invoice_id=str(invoice_id))
    (invoice,) = await store.with_lines(conn, account_id, [after])
    return invoice
