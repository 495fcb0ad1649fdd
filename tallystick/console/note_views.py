"""Credit notes as pages show them. Pure."""

from collections.abc import Iterable

import msgspec

from tallystick.console.formats import Formats
from tallystick.credit_notes.model import CreditNote
from tallystick.kernel import ids
from tallystick.kernel.paging import Page


class NoteRow(msgspec.Struct, frozen=True):
    """A credit note as it stands in a list; `became` says what became of its total."""

    id: str
    number: str
    invoice_id: str
    invoice_number: str
    issued_on: str
    status: str
    became: str
    total: str


class NoteList(msgspec.Struct, frozen=True):
    """One page of notes."""

    rows: tuple[NoteRow, ...]
    page: int
    total_pages: int


def note_list(found: Page[CreditNote], formats: Formats) -> NoteList:
    """Return a page of notes."""
    return NoteList(note_rows(found.items, formats), found.request.page, found.total_pages)


def note_rows(notes: Iterable[CreditNote], formats: Formats) -> tuple[NoteRow, ...]:
    """Return notes as rows."""
    return tuple(_row(note, formats) for note in notes)


def _row(note: CreditNote, formats: Formats) -> NoteRow:
    return NoteRow(
        id=ids.show("credit_note", note.credit_note_id),
        number=note.number or "",
        invoice_id=ids.show("invoice", note.invoice_id),
        invoice_number=note.invoice_number,
        issued_on=formats.day(note.issued_at),
        status=note.status.value,
        became=_became(note, formats),
        total=formats.money(note.total),
    )


def _became(note: CreditNote, formats: Formats) -> str:
    parts = (
        (note.offset, "off the amount due"),
        (note.credit, "kept for later invoices"),
        (note.refund, "to be paid back"),
    )
    return ", ".join(f"{formats.money(part)} {what}" for part, what in parts if part.minor)
