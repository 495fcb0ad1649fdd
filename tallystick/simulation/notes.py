"""Credit notes in a story: the step, and how they look in the outcome."""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from uuid import UUID

import msgspec

from tallystick.api.answers import plain
from tallystick.credit_notes import service
from tallystick.credit_notes.model import CreditNote, NewNote, NoteLine, Take
from tallystick.invoices.model import Invoice
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput
from tallystick.simulation.reads import all_credit_notes, all_invoices
from tallystick.simulation.scenario import IssueCreditNote, NoteLineFacts


class NoteLineOut(msgspec.Struct, frozen=True, kw_only=True):
    """What a note gives back of a line; `net_cents` is after discounts."""

    description: str
    quantity: str | None
    amount_cents: int
    net_cents: int


class NoteOut(msgspec.Struct, frozen=True, kw_only=True):
    """A credit note: the total is `offset`, `credit` and `refund`."""

    number: str | None
    status: str
    invoice: str
    reason: str
    issued_at: datetime
    currency: str
    subtotal_cents: int
    tax_cents: int
    total_cents: int
    offset_cents: int
    credit_cents: int
    refund_cents: int
    lines: list[NoteLineOut]


async def issue_note(conn: Connection, account_id: UUID, step: IssueCreditNote) -> CreditNote:
    """Do the step; raises BadInput for an invoice or a line that is not there."""
    invoices = await all_invoices(conn, account_id)
    wanted = [one for one in invoices if step.invoice in (None, one.number)]
    if not wanted:
        raise BadInput.field("invoice", "invoice_not_found", f'no invoice "{step.invoice}"')
    invoice = wanted[-1]
    new = NewNote(
        invoice_id=invoice.invoice_id,
        reason=step.reason,
        text=step.text,
        takes=None
        if step.lines is None
        else tuple(_take(invoice, line, at) for at, line in enumerate(step.lines)),
        rest=step.rest,
    )
    return await service.issue(conn, account_id, new, step.at)


async def notes_out(conn: Connection, account_id: UUID) -> list[NoteOut]:
    """Return every note of the account, the first one first."""
    return [_out(note) for note in await all_credit_notes(conn, account_id)]


def _take(invoice: Invoice, asked: NoteLineFacts, at: int) -> Take:
    if not 1 <= asked.line <= len(invoice.lines):
        message = f"the invoice has {len(invoice.lines)} lines, from 1"
        raise BadInput.field(f"lines[{at}].line", "out_of_range", message)
    try:
        quantity = None if asked.quantity is None else Decimal(asked.quantity)
    except InvalidOperation as error:
        field = f"lines[{at}].quantity"
        raise BadInput.field(field, "not_a_decimal_string", 'must be such as "12.5"') from error
    return Take(
        invoice_line_id=invoice.lines[asked.line - 1].invoice_line_id,
        amount_minor=asked.amount_cents,
        quantity=quantity,
    )


def _out(note: CreditNote) -> NoteOut:
    return NoteOut(
        number=note.number,
        status=note.status.value,
        invoice=note.invoice_number,
        reason=note.reason,
        issued_at=note.issued_at,
        currency=note.currency,
        subtotal_cents=note.subtotal.minor,
        tax_cents=note.tax.minor,
        total_cents=note.total.minor,
        offset_cents=note.offset.minor,
        credit_cents=note.credit.minor,
        refund_cents=note.refund.minor,
        lines=[_line(line) for line in note.lines],
    )


def _line(line: NoteLine) -> NoteLineOut:
    return NoteLineOut(
        description=line.description,
        quantity=None if line.quantity is None else plain(line.quantity),
        amount_cents=line.amount_minor,
        net_cents=line.net_minor,
    )
