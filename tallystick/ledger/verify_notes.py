"""Whether credit notes are in the books as their documents say: pure rules over their records."""

from collections import Counter
from collections.abc import Iterator

from tallystick.kernel.ids import show
from tallystick.ledger.model import (
    CUSTOMER_CREDIT,
    RECEIVABLE,
    REFUNDS,
    REVENUE,
    TAX_PAYABLE,
)
from tallystick.ledger.records import CreditNoteRecord, NoteEntryRecord
from tallystick.ledger.verify import Difference


class NoteCheck:
    """Reads notes, each with its entry behind it, and tells each difference when it is met."""

    def __init__(self) -> None:
        self._note: CreditNoteRecord | None = None

    def feed(self, record: CreditNoteRecord | NoteEntryRecord) -> Iterator[Difference]:
        """Check one more record."""
        if isinstance(record, CreditNoteRecord):
            yield from self.end()
            self._note = record
            return
        note, entry = self._note, record.entry
        if note is None or entry.idempotency_key != note.entry_key:
            text = f"{_entry(record)} is of {entry.reference}, which is no credit note"
            yield Difference("completeness", "credit_note_missing", entry.account_id, text)
            return
        self._note = None
        yield from _compared(note, record)

    def end(self) -> Iterator[Difference]:
        """Check what only the end can tell."""
        note, self._note = self._note, None
        if note is not None:
            text = f"{_named(note)} is not in the books"
            yield Difference("completeness", "credit_note_not_booked", note.account_id, text)


def _compared(note: CreditNoteRecord, record: NoteEntryRecord) -> Iterator[Difference]:
    booked: Counter[str] = Counter()
    for line in record.entry.postings:
        booked[line.ledger_account] += line.amount
    said = Counter(
        {
            REVENUE: note.subtotal_minor,
            TAX_PAYABLE: note.tax_minor,
            RECEIVABLE: -note.offset_minor,
            CUSTOMER_CREDIT: -note.credit_minor,
            REFUNDS: -note.refund_minor,
        }
    )
    units = {line.unit for line in record.entry.postings}
    if booked != said or units != {note.currency}:
        text = f"{_named(note)} says {dict(said)} {note.currency}; {_entry(record)} books "
        text += f"{dict(booked)} {', '.join(sorted(units))}"
        yield Difference("integrity", "credit_note_differs", note.account_id, text)
    if record.is_reversed is not note.is_void:
        state = "void" if note.is_void else "issued"
        reversed_ = "reversed" if record.is_reversed else "not reversed"
        text = f"{_named(note)} is {state}; {_entry(record)} is {reversed_}"
        yield Difference("integrity", "credit_note_state_differs", note.account_id, text)


def _named(note: CreditNoteRecord) -> str:
    return f"Credit note {note.number} ({show('credit_note', note.credit_note_id)})"


def _entry(record: NoteEntryRecord) -> str:
    return show("ledger_entry", record.entry.ledger_entry_id)
