"""For finance: credit notes of invoices; what they promise to pay back is in `admin_refunds.py`."""

from decimal import Decimal
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from litestar import get, post
from msgspec import UNSET, UnsetType

from tallystick.api import fields
from tallystick.api.answers import pagination
from tallystick.api.credit_note_answers import (
    NoteAnswer,
    NoteList,
    note_answer,
)
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.credit_notes import service
from tallystick.credit_notes.model import NewNote, Reason, Split, Take
from tallystick.invoices.crediting import account_of_invoice
from tallystick.kernel import ids
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import STAFF, WRITER
from tallystick.kernel.paging import PageRequest

BASE: Final = "/api/v1/admin/billing"
TAGS: Final = ["Admin: credit notes"]
READ: Final = {"permission": "staff:read"}
FINANCE: Final = {"permission": "staff:finance"}
LINES_MAX: Final = 1000
EXAMPLE: Final = {
    "reason": "order_change",
    "text": "One seat less, as agreed",
    "lines": [{"line": "il_01h455vb4pex5vsknk084sn02q", "quantity": "1"}],
    "rest": "refund",
}

Part = Annotated[int, msgspec.Meta(ge=0, le=10**15, description="Minor units.")]
Text = Annotated[str, msgspec.Meta(max_length=service.TEXT_LENGTH_MAX)]


class LineBody(Body, frozen=True, kw_only=True):
    """A line of the invoice: so much of its amount, or of its units; neither: all that is left."""

    line: fields.InvoiceLineId
    amount_cents: fields.Minor | UnsetType = UNSET
    quantity: fields.Quantity | UnsetType = UNSET


class NoteBody(Body, frozen=True, kw_only=True):
    """What to credit: these lines, or all that is left of the invoice.

    The total comes off what is due (`offset_cents`), is kept for later invoices (`credit_cents`)
    or to be paid back (`refund_cents`); none of the three: first what is due, then `rest`.
    """

    reason: Reason
    text: Text = ""
    lines: (
        Annotated[list[LineBody], msgspec.Meta(min_length=1, max_length=LINES_MAX)] | UnsetType
    ) = UNSET
    offset_cents: Part | UnsetType = UNSET
    credit_cents: Part | UnsetType = UNSET
    refund_cents: Part | UnsetType = UNSET
    rest: Literal["credit", "refund"] = "credit"


@post(
    f"{BASE}/invoices/{{invoice_id:str}}/credit-notes",
    opt={**FINANCE, "example": EXAMPLE},
    tags=TAGS,
    summary="Issue a credit note",
)
async def issue_credit_note(invoice_id: str, data: NoteBody, services: Services) -> NoteAnswer:
    """Lower an invoice that was issued: whole, or by line, with its discounts and taxes."""
    new = _asked(ids.parse("invoice", invoice_id), data)
    async with services.db.transaction(WRITER) as conn:
        account_id = await account_of_invoice(conn, new.invoice_id)
        now = await account_now(conn, account_id, services.clock())
        note = await service.issue(conn, account_id, new, now)
    return note_answer(note, services.settings.public_url)


@post(
    f"{BASE}/invoices/{{invoice_id:str}}/credit-notes/preview",
    opt={**FINANCE, "example": EXAMPLE},
    tags=TAGS,
    status_code=200,
    summary="See a credit note before it is issued",
)
async def preview_credit_note(invoice_id: str, data: NoteBody, services: Services) -> NoteAnswer:
    """Return the note that this would issue; nothing is written."""
    new = _asked(ids.parse("invoice", invoice_id), data)
    async with services.db.transaction(STAFF) as conn:
        account_id = await account_of_invoice(conn, new.invoice_id)
        now = await account_now(conn, account_id, services.clock())
        note = await service.preview(conn, account_id, new, now)
    return note_answer(note, services.settings.public_url)


@get(f"{BASE}/credit-notes", opt=READ, tags=TAGS, summary="Credit notes of all accounts")
async def list_all_credit_notes(
    services: Services, paging: PageRequest, account_id: str | None = None
) -> NoteList:
    """List credit notes, newest first; of one account, or of all."""
    wanted = ids.parse("account", account_id) if account_id else None
    async with services.db.transaction(STAFF) as conn:
        found = await service.list_notes(conn, wanted, paging)
    base = services.settings.public_url
    answers = [note_answer(note, base) for note in found.items]
    return NoteList(answers, pagination(found), found.total)


@get(f"{BASE}/credit-notes/{{credit_note_id:str}}", opt=READ, tags=TAGS, summary="A credit note")
async def read_any_credit_note(credit_note_id: str, services: Services) -> NoteAnswer:
    """Return one credit note, whosever it is."""
    wanted = ids.parse("credit_note", credit_note_id)
    async with services.db.transaction(STAFF) as conn:
        account_id = await service.account_of_note(conn, wanted)
        note = await service.get_note(conn, account_id, wanted)
    return note_answer(note, services.settings.public_url)


@post(
    f"{BASE}/credit-notes/{{credit_note_id:str}}/void",
    opt=FINANCE,
    tags=TAGS,
    status_code=200,
    summary="Void a credit note",
)
async def void_credit_note(credit_note_id: str, services: Services) -> NoteAnswer:
    """Take a note back whose credit is unused and whose refund is not made; again: no change."""
    wanted = ids.parse("credit_note", credit_note_id)
    async with services.db.transaction(WRITER) as conn:
        account_id = await service.account_of_note(conn, wanted)
        now = await account_now(conn, account_id, services.clock())
        note = await service.void(conn, account_id, wanted, now)
    return note_answer(note, services.settings.public_url)


def _asked(invoice_id: UUID, data: NoteBody) -> NewNote:
    parts = data.offset_cents, data.credit_cents, data.refund_cents
    offset, credit, refund = (0 if part is UNSET else part for part in parts)
    return NewNote(
        invoice_id=invoice_id,
        reason=data.reason,
        text=data.text,
        takes=None if data.lines is UNSET else tuple(map(_take, data.lines, range(LINES_MAX))),
        split=None
        if all(part is UNSET for part in parts)
        else Split(offset=offset, credit=credit, refund=refund),
        rest=data.rest,
    )


def _take(body: LineBody, at: int) -> Take:
    quantity: Decimal | None = None
    if body.quantity is not UNSET:
        quantity = fields.decimal(f"lines[{at}].quantity", body.quantity)
    return Take(
        invoice_line_id=ids.parse("invoice_line", body.line),
        amount_minor=None if body.amount_cents is UNSET else body.amount_cents,
        quantity=quantity,
    )


ROUTES: Final = (
    issue_credit_note,
    preview_credit_note,
    list_all_credit_notes,
    read_any_credit_note,
    void_credit_note,
)
