"""What invoices tell: written to the outbox with the change itself."""

from typing import Final
from uuid import UUID

import msgspec

INVOICE_FINALIZED: Final = "invoice.finalized"
INVOICE_PAID: Final = "invoice.paid"
INVOICE_VOIDED: Final = "invoice.voided"
INVOICE_UNCOLLECTIBLE: Final = "invoice.uncollectible"
INVOICE_REOPENED: Final = "invoice.reopened"


class InvoiceVoided(msgspec.Struct, frozen=True):
    """The invoice counts no longer; `replaced_by` bills the same anew, null where nothing does."""

    invoice_id: UUID
    replaced_by: UUID | None = None


class InvoiceClosed(msgspec.Struct, frozen=True):
    """The invoice was written off, or is collected again."""

    invoice_id: UUID


class InvoiceFinalized(msgspec.Struct, frozen=True):
    """The invoice has its number and is frozen; it is open, or paid if its total is zero."""

    invoice_id: UUID


class InvoicePaid(msgspec.Struct, frozen=True):
    """Nothing is left to pay on the invoice."""

    invoice_id: UUID
