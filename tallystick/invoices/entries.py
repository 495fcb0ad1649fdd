"""What invoices write into the books. Pure."""

from datetime import datetime
from uuid import UUID

from tallystick.invoices.model import InvoiceDraft
from tallystick.kernel.ids import show
from tallystick.ledger.model import RECEIVABLE, REVENUE, TAX_PAYABLE, Entry, Posting


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
        idempotency_key=f"invoice:{invoice_id}:issued",
        kind="invoice_issued",
        reference=show("invoice", invoice_id),
        reason=f"Invoice {number} was issued",
        at=issued_at,
        postings=postings,
    )
