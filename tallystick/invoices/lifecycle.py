"""What becomes of an invoice: the whole machine, and the rule of its payment."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from tallystick.invoices.model import Event, Invoice, Status
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.money.amount import Money

TRANSITIONS: Final[Mapping[tuple[Status, Event], Status]] = MappingProxyType(
    {
        (Status.DRAFT, Event.FINALIZE): Status.OPEN,
        (Status.OPEN, Event.SETTLE): Status.PAID,
        (Status.OPEN, Event.CANCEL): Status.VOID,
        (Status.OPEN, Event.WRITE_OFF): Status.UNCOLLECTIBLE,
        (Status.UNCOLLECTIBLE, Event.SETTLE): Status.PAID,
    }
)


def next_status(status: Status, event: Event) -> Status:
    """Return the status after the event; raises Conflict where the table has none."""
    after = TRANSITIONS.get((status, event))
    if after is None:
        code = "already_paid" if status is Status.PAID else "invoice_not_open"
        raise Conflict(code, f"The invoice is {status}; it can not be changed like this.")
    return after


def settled(invoice: Invoice, amount: Money, at: datetime) -> Invoice:
    """Return the invoice with this amount paid; it is paid when nothing is left.

    Raises Conflict unless it is open or uncollectible, or for more than is due; BadInput for
    another currency or for nothing.
    """
    after = next_status(invoice.status, Event.SETTLE)
    if amount.currency != invoice.currency or amount <= Money.zero(amount.currency):
        raise BadInput.field(
            "amount", "not_payable", f"must be above zero and in {invoice.currency}"
        )
    if amount > invoice.due:
        raise Conflict(
            "overpayment", f"Only {invoice.due.minor} {invoice.currency} minor units are due."
        )
    paid = invoice.paid + amount
    if paid < invoice.total:
        return replace(invoice, paid=paid)
    return replace(invoice, paid=paid, status=after, paid_at=at)
