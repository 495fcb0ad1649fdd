"""What becomes of a note's amount: off what is due, kept as credit, paid back. Pure."""

from tallystick.credit_notes.model import Rest, Split
from tallystick.invoices.model import Invoice, Status
from tallystick.kernel.errors import Conflict
from tallystick.money.amount import Money


def split_of(
    invoice: Invoice, total: int, wish: Split | None, rest: Rest, *, refundable: int
) -> Split:
    """Return how the total is split: as wished, or first off what is due, then as `rest` says.

    `refundable` is what was paid in money and not promised back yet; where `rest` asks for more,
    what was paid with credit stays credit. Raises Conflict `credit_split_differs` for a wish that
    is not the total, `refund_exceeds_payments`.
    """
    if wish is None:
        due = invoice.due.minor if invoice.status is Status.OPEN else 0
        offset = min(due, total)
        refund = min(total - offset, refundable) if rest == "refund" else 0
        return Split(offset=offset, refund=refund, credit=total - offset - refund)
    if wish.total != total:
        text = f"Offset, credit and refund must come to the note's total, {total} minor units."
        raise Conflict("credit_split_differs", text, extra={"total_cents": total})
    if wish.refund > refundable:
        text = f"Only {refundable} {invoice.currency} minor units were paid and can be paid back."
        raise Conflict("refund_exceeds_payments", text, extra={"left_cents": refundable})
    return wish


def refundable(invoice: Invoice, *, paid_by_credit: int, refunded: int) -> int:
    """Return what was paid in money, and neither given back nor promised, in minor units.

    100.00 of which 40.00 were paid with credit, 30.00 refunded before: 30.00. Never more than what
    notes have left of what was paid.
    """
    money = invoice.paid - Money(paid_by_credit + refunded, invoice.currency)
    return max(min(money, invoice.returnable).minor, 0)
