"""Whether credit notes are in the books as their documents say: pure rules over their records."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from tallystick.kernel.ids import show
from tallystick.ledger.model import (
    CUSTOMER_CREDIT,
    RECEIVABLE,
    REFUNDS,
    REVENUE,
    TAX_PAYABLE,
)
from tallystick.ledger.records import CreditNoteRecord, Key, NoteEntryRecord, OwedRecord
from tallystick.ledger.verify import Difference

_OWED: Final[Mapping[str, tuple[str, str]]] = {
    CUSTOMER_CREDIT: ("credit that is left", "customer_credit_differs"),
    REFUNDS: ("what waits to be refunded", "refunds_differ"),
}


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


class OwedCheck:
    """Reads both sides of what notes owe, one after the other, and tells where they differ."""

    def __init__(self) -> None:
        self._key: Key | None = None
        self._sum = 0

    def feed(self, record: OwedRecord) -> Iterator[Difference]:
        """Check one more record."""
        if record.key != self._key:
            yield from self.end()
        self._key = record.key
        self._sum += record.amount

    def end(self) -> Iterator[Difference]:
        """Check what only the end can tell."""
        key, difference = self._key, self._sum
        self._key, self._sum = None, 0
        if key is None or not difference:
            return
        account_id, ledger_account, unit = key
        what, code = _OWED[ledger_account]
        text = f"{show('account', account_id)} {ledger_account} {unit}: {what} is {difference} more"
        yield Difference("integrity", code, account_id, f"{text} than what the books owe")


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
