"""What invoices write into the books. Pure."""

from datetime import datetime
from uuid import UUID

from tallystick.invoices.model import Invoice, InvoiceDraft
from tallystick.kernel.ids import show
from tallystick.ledger.model import BAD_DEBT, RECEIVABLE, REVENUE, TAX_PAYABLE, Entry, Posting
from tallystick.money.amount import Money


def issued_key(invoice_id: UUID) -> str:
    """Return the idempotency key of an invoice's entry."""
    return f"invoice:{invoice_id}:issued"


def issued_entry(
    draft: InvoiceDraft, invoice_id: UUID, number: str, issued_at: datetime
) -> Entry | None:
    """Return the entry of an issued invoice: the customer owes the total, we earned the net.

    None for an invoice over nothing: an entry moves something.
    """
    amounts = {
        RECEIVABLE: draft.total.minor,
        REVENUE: -draft.subtotal.minor,
        TAX_PAYABLE: -draft.tax.minor,
    }
    postings = tuple(
        Posting(ledger_account, draft.currency, amount)
        for ledger_account, amount in amounts.items()
        if amount
    )
    if not postings:
        return None
    return Entry(
        idempotency_key=issued_key(invoice_id),
        kind="invoice_issued",
        reference=show("invoice", invoice_id),
        reason=f"Invoice {number} was issued",
        at=issued_at,
        postings=postings,
    )


def bad_debt_entry(invoice: Invoice, amount: Money, key: UUID, reason: str, at: datetime) -> Entry:
    """Return the entry of an amount, tax included, that is given up: debit bad debt.

    Below zero, of one that is expected, or came, after all. What of the tax a tax office gives back
    is another entry, which nobody here can know.
    """
    return Entry(
        idempotency_key=f"invoice:{invoice.invoice_id}:bad_debt:{key}",
        kind="invoice_written_off" if amount.minor > 0 else "bad_debt_reversed",
        reference=show("invoice", invoice.invoice_id),
        reason=reason,
        at=at,
        postings=(
            Posting(BAD_DEBT, amount.currency, amount.minor),
            Posting(RECEIVABLE, amount.currency, -amount.minor),
        ),
    )
