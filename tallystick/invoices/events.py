"""What invoices tell: written to the outbox with the change itself."""

from typing import Final
from uuid import UUID

import msgspec

INVOICE_FINALIZED: Final = "invoice.finalized"
INVOICE_PAID: Final = "invoice.paid"


class InvoiceFinalized(msgspec.Struct, frozen=True):
    """The invoice has its number and is frozen; it is open, or paid if its total is zero."""

    invoice_id: UUID


class InvoicePaid(msgspec.Struct, frozen=True):
    """Nothing is left to pay on the invoice."""

    invoice_id: UUID
