"""Issuing, showing and voiding credit notes: each in one transaction of the caller's."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import structlog
from msgspec.structs import replace

from tallystick.credit_notes import refund_store, store
from tallystick.credit_notes.amounts import shares_of_total
from tallystick.credit_notes.entries import issued_entry, issued_key
from tallystick.credit_notes.events import (
    CREDIT_NOTE_ISSUED,
    CREDIT_NOTE_VOIDED,
    REFUND_REQUESTED,
    CreditNoteIssued,
    CreditNoteVoided,
    RefundRequested,
)
from tallystick.credit_notes.freeze import freeze
from tallystick.credit_notes.model import CreditNote, NewNote, Refund, RefundStatus, Status
from tallystick.credit_notes.shares import Left, Shares, all_left, left_of, shares_of
from tallystick.credit_notes.split import refundable, split_of
from tallystick.documents.document import InvoiceDocument, decode, encode
from tallystick.invoices import credit_purchase, crediting, customer_credit
from tallystick.invoices import service as invoices
from tallystick.invoices.customer_credit_model import CustomerCredit
from tallystick.invoices.lifecycle import credited
from tallystick.invoices.model import Invoice
from tallystick.kernel import outbox
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import new_id, unknown
from tallystick.kernel.paging import After, Page, PageRequest, make_page
from tallystick.ledger import service as ledger
from tallystick.money.amount import Money
from tallystick.subscriptions.periods import local_day

log = structlog.get_logger()

TEXT_LENGTH_MAX: Final = 500


class _Plan(msgspec.Struct, frozen=True):
    """A note before it is issued, and what it was made from."""

    note: CreditNote
    document: InvoiceDocument
    left: Left
    shares: Shares


async def preview(conn: Connection, account_id: UUID, new: NewNote, at: datetime) -> CreditNote:
    """Return the note that `issue` would make now, without a number; nothing is written.

    Raises what `issue` does.
    """
    invoice = await invoices.get_invoice(conn, account_id, new.invoice_id)
    return (await _plan(conn, invoice, new, at)).note


async def issue(conn: Connection, account_id: UUID, new: NewNote, at: datetime) -> CreditNote:
    """Issue a note of an issued invoice at `at`, the account's present.

    In the open transaction, of the writer's scope: number, frozen document, what it takes of lines
    and taxes, invoice, credit or wish to pay back, ledger entry, event. The same `request_key`
    gives the note of the first time again. Locks the invoice.

    Raises NotFound; BadInput for lines or a split that can not be; `credit_note_empty` when
    nothing is left; Conflict `invoice_not_open`, `credit_exceeds_due`, `credit_exceeds_paid`,
    `refund_exceeds_payments`.
    """
    invoice = await crediting.lock_invoice(conn, account_id, new.invoice_id)
    if new.request_key is not None:
        known = await store.find_by_key(conn, account_id, new.request_key)
        if known is not None:
            return known
    plan = await _plan(conn, invoice, new, at)
    issued_on = local_day(at, plan.document.timezone)
    numbered = await crediting.take_note_number(conn, invoice, issued_on)
    number = numbered.number
    note = replace(plan.note, number=number)
    document = freeze(
        plan.document, new, plan.shares, plan.left.lines, number=number, issued_on=issued_on
    )
    kept = store.Kept(numbered.issuer_id, encode(document).decode(), new.request_key)
    await store.insert(conn, note, kept)
    await store.take(conn, account_id, invoice.invoice_id, plan.left, plan.shares)
    await crediting.credit(conn, invoice, note.total, note.offset, at)
    await _give(conn, note, number)
    await ledger.post(conn, account_id, issued_entry(note))
    await _take_credits_back(conn, invoice, note)
    told = CreditNoteIssued(note.credit_note_id, note.invoice_id)
    await outbox.append(conn, account_id, CREDIT_NOTE_ISSUED, told)
    log.info("credit_note_issued", account_id=str(account_id), number=number)
    return note


async def void(
    conn: Connection, account_id: UUID, credit_note_id: UUID, at: datetime
) -> CreditNote:
    """Void a note whose credit is unused and whose refund is not made; again changes nothing.

    Its parts are left of the invoice again, which is open where money is due; its entry is
    reversed. In the open transaction, of the writer's scope. Raises NotFound; Conflict
    `credit_note_used`, `refund_made`, `invoice_not_open`.
    """
    found = await get_note(conn, account_id, credit_note_id)
    invoice = await crediting.lock_invoice(conn, account_id, found.invoice_id)
    note = await get_note(conn, account_id, credit_note_id)
    if note.status is Status.VOID:
        return note
    if is_purchase(invoice):
        raise Conflict("credit_note_used", "Credits were taken back with it; it can not be voided.")
    voided = replace(note, status=Status.VOID, voided_at=at)
    await crediting.uncredit(conn, invoice, note.total, note.offset)
    await _take_back(conn, note)
    await store.void(conn, voided)
    await store.give_back(conn, note)
    entry = await ledger.find_entry(conn, account_id, issued_key(credit_note_id))
    assert entry is not None  # noqa: S101 -- written with the note
    reason = f"Credit note {note.number} was voided"
    await ledger.reverse(conn, account_id, entry.ledger_entry_id, reason, at)
    told = CreditNoteVoided(credit_note_id, note.invoice_id)
    await outbox.append(conn, account_id, CREDIT_NOTE_VOIDED, told)
    return voided


async def get_note(conn: Connection, account_id: UUID, credit_note_id: UUID) -> CreditNote:
    """Return one note with its lines and taxes; raises NotFound."""
    found = await store.find(conn, account_id, credit_note_id)
    if found is None:
        raise unknown("credit_note")
    return found


async def note_of_request(
    conn: Connection, account_id: UUID, request_key: str
) -> CreditNote | None:
    """Return the note that `issue` made for this key, None before that."""
    return await store.find_by_key(conn, account_id, request_key)


async def account_of_note(conn: Connection, credit_note_id: UUID) -> UUID:
    """Return whose note it is, for staff who name it alone; raises NotFound."""
    account_id = await store.owner(conn, credit_note_id)
    if account_id is None:
        raise unknown("credit_note")
    return account_id


async def list_notes(
    conn: Connection, account_id: UUID | None, request: PageRequest
) -> Page[CreditNote]:
    """Return a page of notes, newest first; None: of all accounts, for staff."""
    rows = await store.page(conn, account_id, request)
    total = await store.count(conn, account_id)
    return make_page(rows, total, request, lambda one: After(one.issued_at, one.credit_note_id))


async def notes_of_invoice(
    conn: Connection, account_id: UUID, invoice_id: UUID
) -> tuple[CreditNote, ...]:
    """Return the notes of an invoice, the first one first."""
    return await store.of_invoice(conn, account_id, invoice_id)


async def note_document(
    conn: Connection, account_id: UUID, credit_note_id: UUID
) -> InvoiceDocument:
    """Return what a note says, as it was frozen; raises NotFound."""
    stored = await store.document(conn, account_id, credit_note_id)
    if stored is None:
        raise unknown("credit_note")
    return decode(stored)


async def what_is_left(conn: Connection, invoice: Invoice) -> Left:
    """Return an issued invoice with what its notes took; raises Conflict for a draft."""
    account_id, invoice_id = invoice.account_id, invoice.invoice_id
    return left_of(
        invoice.lines,
        await crediting.frozen_document(conn, account_id, invoice_id),
        await store.taken_lines(conn, account_id, invoice_id),
        await store.taken_taxes(conn, account_id, invoice_id),
    )


async def _plan(conn: Connection, invoice: Invoice, new: NewNote, at: datetime) -> _Plan:
    account_id, invoice_id = invoice.account_id, invoice.invoice_id
    if len(new.text) > TEXT_LENGTH_MAX:
        raise BadInput.field("text", "length", f"has at most {TEXT_LENGTH_MAX} characters")
    document = await crediting.frozen_document(conn, account_id, invoice_id)
    left = await what_is_left(conn, invoice)
    shares = _shares(left, new)
    total = shares.subtotal + shares.tax
    if total <= 0:
        raise Conflict("credit_note_empty", "Nothing is left of this to be credited.")
    payable = refundable(
        invoice,
        paid_by_credit=await customer_credit.used_on(conn, account_id, invoice_id),
        refunded=await refund_store.refunded(conn, account_id, invoice_id),
    )
    split = split_of(invoice, total, new.split, new.rest, refundable=payable)
    note = _note(invoice, new, shares, at)
    note = replace(
        note,
        offset=Money(split.offset, note.currency),
        credit=Money(split.credit, note.currency),
        refund=Money(split.refund, note.currency),
    )
    credited(invoice, note.total, note.offset, at)
    if note.offset.minor and is_purchase(invoice):
        raise Conflict("credit_purchase_unpaid", "The credits are not paid; void the invoice.")
    return _Plan(note, document, left, shares)


def _shares(left: Left, new: NewNote) -> Shares:
    if new.total_minor is not None:
        return shares_of_total(left, new.total_minor)
    return shares_of(left, all_left(left) if new.takes is None else new.takes)


def _note(invoice: Invoice, new: NewNote, shares: Shares, at: datetime) -> CreditNote:
    """Return the note before it is known what becomes of it."""
    nothing = Money.zero(invoice.currency)
    subtotal, tax = Money(shares.subtotal, invoice.currency), Money(shares.tax, invoice.currency)
    return CreditNote(
        account_id=invoice.account_id,
        credit_note_id=new_id(),
        invoice_id=invoice.invoice_id,
        number=None,
        invoice_number=invoice.number or "",
        status=Status.ISSUED,
        reason=new.reason,
        text=new.text.strip(),
        currency=invoice.currency,
        subtotal=subtotal,
        tax=tax,
        total=subtotal + tax,
        offset=nothing,
        credit=nothing,
        refund=nothing,
        issued_at=at,
        voided_at=None,
        lines=shares.lines,
        taxes=shares.taxes,
    )


async def _give(conn: Connection, note: CreditNote, number: str) -> None:
    """Keep the credit of a note, and wish its refund."""
    if note.credit.minor:
        kept = CustomerCredit(
            customer_credit_id=note.credit_note_id, number=number, left=note.credit
        )
        await customer_credit.keep_credit(conn, note.account_id, kept, note.issued_at)
    if note.refund.minor:
        refund = _wish(note)
        await refund_store.insert(conn, refund)
        told = RefundRequested(refund.refund_id, note.invoice_id)
        await outbox.append(conn, note.account_id, REFUND_REQUESTED, told)


def _wish(note: CreditNote) -> Refund:
    return Refund(
        account_id=note.account_id,
        refund_id=new_id(),
        credit_note_id=note.credit_note_id,
        invoice_id=note.invoice_id,
        currency=note.currency,
        amount=note.refund,
        made=Money.zero(note.currency),
        status=RefundStatus.REQUESTED,
        problem=None,
        made_through=None,
        reference=None,
        requested_at=note.issued_at,
        made_at=None,
    )


async def _take_credits_back(conn: Connection, invoice: Invoice, note: CreditNote) -> None:
    """Take back what is unspent of credits whose price a note gives back, in proportion."""
    if not is_purchase(invoice):
        return
    key = f"credit_note:{note.credit_note_id}"
    await credit_purchase.reverse(
        conn, note.account_id, note.invoice_id, key=key, at=note.issued_at,
        refunded_minor=note.total.minor,
    )  # fmt: skip


def is_purchase(invoice: Invoice) -> bool:
    """Whether credits were bought with an invoice."""
    return any(line.kind == "credit_purchase" for line in invoice.lines)


async def _take_back(conn: Connection, note: CreditNote) -> None:
    """Withdraw the credit of a note and its wish to pay back; raises where either is gone."""
    if note.credit.minor:
        await customer_credit.withdraw_credit(conn, note.account_id, note.credit_note_id)
    if note.refund.minor and not await refund_store.cancel(
        conn, note.account_id, note.credit_note_id
    ):
        text = "The refund of this note is made or under way; it can not be voided."
        raise Conflict("refund_made", text)
