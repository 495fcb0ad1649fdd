"""What one page is made of, before it is words: a document, its payment, or a receipt for it."""

from datetime import date
from typing import Literal, TypeAlias

import msgspec

from tallystick.documents.document import InvoiceDocument, PaymentState, Receipt
from tallystick.documents.labels import Words
from tallystick.documents.writer import Writer

SheetKind: TypeAlias = Literal["invoice", "credit_note", "receipt"]


class Sheet(msgspec.Struct, frozen=True):
    """A document to print. `payment` is that of an invoice, a `receipt` makes it that payment's."""

    document: InvoiceDocument
    payment: PaymentState | None
    receipt: Receipt | None
    words: Words
    write: Writer

    @property
    def kind(self) -> SheetKind:
        """Return what stands above the page."""
        return "receipt" if self.receipt else self.document.kind

    @property
    def number(self) -> str:
        """Return the number under which it is filed."""
        return self.receipt.number if self.receipt else self.document.number

    @property
    def dated_on(self) -> date:
        """Return the day that the file bears: the day of issue, or of the payment."""
        return self.receipt.paid_on if self.receipt else self.document.issued_on

    @property
    def payable_minor(self) -> int:
        """Return what is to be paid in all, in whole minor units, credit that was used included."""
        return self.document.total_minor + self.document.rounding_minor

    @property
    def due_minor(self) -> int:
        """Return what is still to be paid."""
        if self.payment is None or self.payment.status in ("paid", "void"):
            return 0
        return self.payable_minor - self.payment.paid_minor - self.payment.credited_minor
