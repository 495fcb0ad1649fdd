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
        (Status.UNCOLLECTIBLE, Event.REOPEN): Status.OPEN,
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
    if amount < invoice.due:
        return replace(invoice, paid=paid)
    return replace(invoice, paid=paid, status=after, paid_at=at)


def voided(invoice: Invoice, credit_used: Money) -> Invoice:
    """Return the invoice void, with what credit of the account paid on it given back.

    Raises Conflict unless it is open, `invoice_partly_paid` where money was received, and
    `invoice_credited` while a credit note lowers it.
    """
    after = next_status(invoice.status, Event.CANCEL)
    if invoice.paid != credit_used:
        raise Conflict(
            "invoice_partly_paid", "Money was received for the invoice; write a credit note."
        )
    if not invoice.credited.is_zero():
        raise Conflict("invoice_credited", "Void the credit notes of the invoice first.")
    return replace(invoice, status=after, paid=Money.zero(invoice.currency))


def credited(invoice: Invoice, total: Money, offset: Money, at: datetime) -> Invoice:
    """Return the invoice with a credit note over `total`, `offset` of which comes off what is due.

    It is paid when nothing is left. Raises Conflict `invoice_not_open` for a draft, a void one, or
    where nothing is collected any more and something is to come off; `credit_exceeds_invoice`,
    `credit_exceeds_due`, `credit_exceeds_paid`.
    """
    if invoice.status in (Status.DRAFT, Status.VOID) or (
        offset.minor and invoice.status is Status.UNCOLLECTIBLE
    ):
        raise Conflict("invoice_not_open", f"The invoice is {invoice.status}; it has no such part.")
    if total > invoice.creditable:
        raise _only("credit_exceeds_invoice", invoice.creditable, "is not credited yet")
    if offset > invoice.due:
        raise _only("credit_exceeds_due", invoice.due, "is due")
    if total - offset > invoice.returnable:
        raise _only("credit_exceeds_paid", invoice.returnable, "was paid and not given back")
    after = replace(invoice, credited=invoice.credited + total, offset=invoice.offset + offset)
    if invoice.status is Status.OPEN and after.due.is_zero():
        return replace(after, status=Status.PAID, paid_at=at)
    return after


def uncredited(invoice: Invoice, total: Money, offset: Money) -> Invoice:
    """Return the invoice without a note that was voided; it is open again if money is due.

    Raises Conflict `invoice_not_open` where nothing is collected any more and something would be
    due again.
    """
    if offset.minor and invoice.status in (Status.VOID, Status.UNCOLLECTIBLE):
        raise Conflict(
            "invoice_not_open", f"The invoice is {invoice.status}; nothing is due on it."
        )
    after = replace(invoice, credited=invoice.credited - total, offset=invoice.offset - offset)
    if invoice.status is Status.PAID and not after.due.is_zero():
        return replace(after, status=Status.OPEN, paid_at=None)
    return after


def _only(code: str, left: Money, what: str) -> Conflict:
    text = f"Only {left.minor} {left.currency} minor units of the invoice {what}."
    return Conflict(code, text, extra={"left_cents": left.minor})


def unsettled(invoice: Invoice, amount: Money) -> Invoice:
    """Return the invoice without this much of what was paid: a bank took it back for good.

    It is due again. Raises Conflict `credit_exceeds_paid` for more than was paid and not given
    back.
    """
    if amount > invoice.returnable:
        raise _only("credit_exceeds_paid", invoice.returnable, "was paid and not given back")
    after = replace(invoice, paid=invoice.paid - amount)
    if amount.is_zero() or invoice.status is not Status.PAID:
        return after
    return replace(after, status=Status.OPEN, paid_at=None)
