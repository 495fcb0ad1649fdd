"""What credit notes left an account: it pays later invoices, after tax.

A note carries its own tax, so what it left is money of the customer, not a lower price: it pays
what an invoice asks for, as a payment does, and the invoice's tax stays whole. (What is kept before
tax, where no note was written, is in `adjustments.py`.)
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from tallystick.invoices import customer_credit_store as credit_store
from tallystick.invoices import store
from tallystick.invoices.customer_credit_model import CustomerCredit, Use
from tallystick.invoices.lifecycle import settled
from tallystick.invoices.model import Invoice
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import show
from tallystick.ledger import service as ledger
from tallystick.ledger.model import CUSTOMER_CREDIT, RECEIVABLE, Entry, Posting
from tallystick.money.amount import Money


async def lock_credit(
    conn: Connection, account_ids: Collection[UUID]
) -> dict[UUID, list[CustomerCredit]]:
    """Return what these accounts have left, oldest first, locked until the transaction ends.

    Before anything is posted: whoever voids a note locks in this order too.
    """
    return await credit_store.lock_of_all(conn, account_ids)


async def pay_with_credit(
    conn: Connection, invoice: Invoice, uses: Sequence[Use], at: datetime
) -> Invoice:
    """Return an invoice that was just posted, paid with this much of what its account has locked.

    At least one use, together no more than is due (`settlement`).
    """
    account_id, invoice_id = invoice.account_id, invoice.invoice_id
    used = sum((use.amount for use in uses), Money.zero(invoice.currency))
    paid = settled(invoice, used, at)
    if not await store.save_payment(conn, invoice, paid):
        raise Conflict("invoice_changed", "The invoice was changed meanwhile; read it again.")
    await credit_store.use(conn, account_id, invoice_id, uses, at)
    await ledger.post(conn, account_id, used_entry(invoice, used, at))
    return paid


def used_entry(invoice: Invoice, used: Money, at: datetime) -> Entry:
    """Return the entry of credit that pays an invoice: debit customer credit, credit receivable."""
    return Entry(
        idempotency_key=f"invoice:{invoice.invoice_id}:credit",
        kind="credit_used",
        reference=show("invoice", invoice.invoice_id),
        reason=f"Credit from credit notes pays invoice {invoice.number}",
        at=at,
        postings=(
            Posting(CUSTOMER_CREDIT, used.currency, used.minor),
            Posting(RECEIVABLE, used.currency, -used.minor),
        ),
    )


async def open_customer_credit(
    conn: Connection, account_id: UUID, currency: str
) -> tuple[CustomerCredit, ...]:
    """Return what is left for the account's later invoices, oldest first."""
    return await credit_store.open_credit(conn, account_id, currency)


async def used_on(conn: Connection, account_id: UUID, invoice_id: UUID) -> int:
    """Return how much of what was paid on an invoice was credit, in minor units."""
    return await credit_store.used_on(conn, account_id, invoice_id)


async def keep_credit(
    conn: Connection, account_id: UUID, credit: CustomerCredit, at: datetime
) -> None:
    """Keep what a credit note left; who calls posts it to the books."""
    await credit_store.keep(conn, account_id, credit, at)


async def withdraw_credit(conn: Connection, account_id: UUID, customer_credit_id: UUID) -> None:
    """Take back a whole credit, of a note that is voided; raises Conflict when some was used."""
    if not await credit_store.withdraw(conn, account_id, customer_credit_id):
        raise Conflict(
            "credit_note_used", "Credit of this note was used on an invoice; it can not be voided."
        )
