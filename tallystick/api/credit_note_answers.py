"""How credit notes look in answers."""

from datetime import datetime
from decimal import Decimal

import msgspec

from tallystick.api.answers import Pagination, major, plain
from tallystick.credit_notes.model import CreditNote, NoteLine, NoteTax, Status
from tallystick.kernel import ids


class NoteLineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is given back of a line: `amount` as the line says it, `net` after discounts."""

    line: str
    description: str
    quantity: str | None
    amount: Decimal
    amount_cents: int
    net: Decimal
    net_cents: int


class NoteTaxAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is given back of a tax."""

    name: str
    percent: str
    base: Decimal
    base_cents: int
    amount: Decimal
    amount_cents: int


class NoteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A credit note: `total` is `offset` (off what is due), `credit` (kept) and `refund`.

    A preview has no id and no number.
    """

    id: str | None
    number: str | None
    status: str
    invoice: str
    invoice_number: str
    reason: str
    text: str
    currency: str
    subtotal: Decimal
    subtotal_cents: int
    tax: Decimal
    tax_cents: int
    total: Decimal
    total_cents: int
    offset: Decimal
    offset_cents: int
    credit: Decimal
    credit_cents: int
    refund: Decimal
    refund_cents: int
    issued_at: datetime
    voided_at: datetime | None
    credit_note_pdf: str | None
    lines: list[NoteLineAnswer]
    taxes: list[NoteTaxAnswer]


class NoteList(msgspec.Struct, frozen=True):
    """One part of the credit notes, newest first."""

    credit_notes: list[NoteAnswer]
    pagination: Pagination
    total: int


def note_answer(note: CreditNote, public_url: str) -> NoteAnswer:
    """Show a note."""
    shown = ids.show("credit_note", note.credit_note_id) if note.number else None
    pdf = f"{public_url}/api/v1/billing/credit-notes/{shown}/pdf" if shown else None
    return NoteAnswer(
        id=shown,
        number=note.number,
        status=note.status.value if note.number else "preview",
        invoice=ids.show("invoice", note.invoice_id),
        invoice_number=note.invoice_number,
        reason=note.reason,
        text=note.text,
        currency=note.currency.lower(),
        subtotal=note.subtotal.to_decimal(),
        subtotal_cents=note.subtotal.minor,
        tax=note.tax.to_decimal(),
        tax_cents=note.tax.minor,
        total=note.total.to_decimal(),
        total_cents=note.total.minor,
        offset=note.offset.to_decimal(),
        offset_cents=note.offset.minor,
        credit=note.credit.to_decimal(),
        credit_cents=note.credit.minor,
        refund=note.refund.to_decimal(),
        refund_cents=note.refund.minor,
        issued_at=note.issued_at,
        voided_at=note.voided_at if note.status is Status.VOID else None,
        credit_note_pdf=pdf,
        lines=[_line(line, note.currency) for line in note.lines],
        taxes=[_tax(tax, note.currency) for tax in note.taxes],
    )


def _line(line: NoteLine, currency: str) -> NoteLineAnswer:
    return NoteLineAnswer(
        line=ids.show("invoice_line", line.invoice_line_id),
        description=line.description,
        quantity=None if line.quantity is None else plain(line.quantity),
        amount=major(line.amount_minor, currency),
        amount_cents=line.amount_minor,
        net=major(line.net_minor, currency),
        net_cents=line.net_minor,
    )


def _tax(tax: NoteTax, currency: str) -> NoteTaxAnswer:
    return NoteTaxAnswer(
        name=tax.name,
        percent=plain(tax.percent),
        base=major(tax.base_minor, currency),
        base_cents=tax.base_minor,
        amount=major(tax.amount_minor, currency),
        amount_cents=tax.amount_minor,
    )
