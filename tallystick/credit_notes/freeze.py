"""What a credit note says, word for word, composed once when it is issued. Pure."""

from collections import defaultdict
from datetime import date
from typing import Final

from msgspec.structs import replace

from tallystick.credit_notes.model import NewNote, Reason
from tallystick.credit_notes.shares import LeftLine, Shares
from tallystick.documents.document import DocumentLine, InvoiceDocument, Reference

REASONS: Final[dict[Reason, str]] = {
    "duplicate": "Billed twice",
    "product_unsatisfactory": "Service not as agreed",
    "order_change": "Change of the order",
    "fraudulent": "Fraudulent order",
    "late_usage": "Usage corrected",
    "other": "Correction",
}
_DISCOUNTS: Final = "Share of discounts"


def freeze(
    invoice: InvoiceDocument, new: NewNote, shares: Shares, lines: tuple[LeftLine, ...],
    *, number: str, issued_on: date,
) -> InvoiceDocument:  # fmt: skip
    """Return the note's document: parties, language and tax words as the invoice has them.

    Amounts are those that are given back, above zero; what a line gives back of its discounts
    comes off in a line of its own.
    """
    memo = f"{REASONS[new.reason]}. {new.text}".strip() if new.text else REASONS[new.reason]
    return replace(
        invoice,
        kind="credit_note",
        number=number,
        issued_on=issued_on,
        due_on=None,
        refers_to=Reference(invoice.number, invoice.issued_on),
        lines=(*_lines(invoice, shares), *_discounts(shares, lines)),
        subtotal_minor=shares.subtotal,
        total_minor=shares.subtotal + shares.tax,
        taxes=tuple(
            replace(
                invoice.taxes[share.place],
                base_minor=share.base_minor,
                amount_minor=share.amount_minor,
            )
            for share in shares.taxes
        ),
        memo=memo,
        payment_instructions=None,
        bank=None,
        prepaid_minor=0,
        rounding_minor=0,
    )


def _lines(invoice: InvoiceDocument, shares: Shares) -> tuple[DocumentLine, ...]:
    lines = [invoice.lines[share.position - 1] for share in shares.lines]
    return tuple(
        replace(
            line,
            amount_minor=share.amount_minor,
            quantity=share.quantity,
            details=(),
            unit_price=None,
            taxes=_places(line.taxes, shares),
        )
        for line, share in zip(lines, shares.lines, strict=True)
    )


def _places(taxes: tuple[int, ...], shares: Shares) -> tuple[int, ...]:
    """Return where a line's taxes stand among those of the note; () stays all of them."""
    places = [share.place for share in shares.taxes]
    found = tuple(places.index(place) for place in taxes if place in places)
    return () if len(found) == len(places) else found


def _discounts(shares: Shares, lines: tuple[LeftLine, ...]) -> tuple[DocumentLine, ...]:
    """Return a line for what discounts take off, for each set of taxes."""
    taxes = {one.line.invoice_line_id: one.taxes for one in lines}
    off: dict[tuple[int, ...], int] = defaultdict(int)
    for share in shares.lines:
        off[taxes[share.invoice_line_id]] += share.net_minor - share.amount_minor
    return tuple(
        DocumentLine(_DISCOUNTS, minor, role="allowance", taxes=_places(of_line, shares))
        for of_line, minor in sorted(off.items())
        if minor
    )
