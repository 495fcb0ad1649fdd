"""Money that an account paid before anything was invoiced: it pays invoices as they are issued.

It stands in the books as `prepaid`, which is never overdrawn. Receiving it is debit clearing,
credit prepaid; using it debit prepaid, credit receivable.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from tallystick.invoices import store
from tallystick.invoices.customer_credit import lock_credit, pay_with_credit
from tallystick.invoices.customer_credit_model import CustomerCredit
from tallystick.invoices.lifecycle import settled
from tallystick.invoices.model import Invoice
from tallystick.invoices.settlement import Settlement, settlement
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import show
from tallystick.ledger import service as ledger
from tallystick.ledger.model import PREPAID, RECEIVABLE, Entry, Posting, clearing
from tallystick.money.amount import Money


class Means:
    """What accounts have to pay with, locked; each invoice takes its part in turn."""

    def __init__(
        self, credit: dict[UUID, list[CustomerCredit]], prepaid: dict[tuple[UUID, str], int]
    ) -> None:
        self._credit = credit
        self._prepaid = prepaid

    def pay(self, account_id: UUID, total: Money) -> Settlement:
        """Return what pays this total, and keep what is left for the next invoice."""
        key = account_id, total.currency
        credit = [one for one in self._credit.get(account_id, ()) if one.left.minor > 0]
        same = [one for one in credit if one.left.currency == total.currency]
        paid = settlement(total, same, Money(self._prepaid.get(key, 0), total.currency))
        if key in self._prepaid:
            self._prepaid[key] -= paid.prepaid.minor
        if paid.credit:
            self._credit[account_id] = _less(credit, paid)
        return paid


async def lock_means(conn: Connection, account_ids: Collection[UUID]) -> Means:
    """Return what these accounts have to pay with, locked until the transaction ends.

    Before anything is posted: whoever else takes of it locks in this order too.
    """
    credit = await lock_credit(conn, account_ids)
    return Means(credit, await ledger.lock_prepaid(conn, account_ids))


async def pay_at_once(
    conn: Connection, invoice: Invoice, means: Settlement, at: datetime
) -> Invoice:
    """Return an invoice that was just posted, paid with what its account has."""
    if means.credit:
        invoice = await pay_with_credit(conn, invoice, means.credit, at)
    if means.prepaid.is_zero():
        return invoice
    paid = settled(invoice, means.prepaid, at)
    if not await store.save_payment(conn, invoice, paid):
        raise Conflict("invoice_changed", "The invoice was changed meanwhile; read it again.")
    await ledger.post(conn, invoice.account_id, prepaid_entry(invoice, means.prepaid, at))
    return paid


def prepaid_key(invoice_id: UUID) -> str:
    """Return the key of the entry of prepaid money that pays an invoice."""
    return f"invoice:{invoice_id}:prepaid"


def prepaid_entry(invoice: Invoice, used: Money, at: datetime) -> Entry:
    """Return the entry of prepaid money that pays an invoice."""
    return Entry(
        idempotency_key=prepaid_key(invoice.invoice_id),
        kind="prepaid_used",
        reference=show("invoice", invoice.invoice_id),
        reason=f"Prepaid credit pays invoice {invoice.number}",
        at=at,
        postings=(
            Posting(PREPAID, used.currency, used.minor),
            Posting(RECEIVABLE, used.currency, -used.minor),
        ),
    )


async def receive(
    conn: Connection, account_id: UUID, amount: Money, *, key: str, reason: str, at: datetime
) -> bool:
    """Book money that was received by hand before anything was invoiced; False: it was before.

    In the open transaction, of the writer's scope. Raises BadInput for nothing or less; Conflict
    `ledger_key_conflict` when the key was used for something else.
    """
    if amount.minor <= 0:
        raise BadInput.field("amount_cents", "out_of_range", "must be more than 0")
    entry = Entry(
        idempotency_key=f"prepaid:{key}",
        kind="prepaid_received",
        reference=show("account", account_id),
        reason=reason,
        at=at,
        postings=(
            Posting(clearing("manual"), amount.currency, amount.minor),
            Posting(PREPAID, amount.currency, -amount.minor),
        ),
    )
    return await ledger.post(conn, account_id, entry)


def _less(credit: list[CustomerCredit], paid: Settlement) -> list[CustomerCredit]:
    used = {use.customer_credit_id: use.amount for use in paid.credit}
    return [
        CustomerCredit(
            customer_credit_id=one.customer_credit_id,
            number=one.number,
            left=one.left - used.get(one.customer_credit_id, Money.zero(one.left.currency)),
        )
        for one in credit
    ]
