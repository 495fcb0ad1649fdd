"""The books as a stream of records, one after the other: from the database, or from an export.

In this order, so that a check of any size needs the memory of one account:
1. of each account: of each balance, by ledger account and unit, the balance, then its postings by
   number; then what `credits/` knows of the account (`credits/verify.py`) beside what each entry
   moved on its credits;
2. the entries that touch no balance;
3. the postings of the house whose entry is gone;
4. of each invoice, by account and id: the invoice, then the entry of its issue;
5. of each credit note, by account and id: the note, then its entry;
6. what notes still owe, by account, ledger account and currency: kept credit and refunds that
   wait, beside the balances of their ledger accounts.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from tallystick.kernel import hashchain

Key = tuple[UUID, str, str]


class Line(msgspec.Struct, frozen=True, array_like=True):
    """One posting of an entry: (ledger account, unit, amount)."""

    ledger_account: str
    unit: str
    amount: int


class EntryRecord(msgspec.Struct, frozen=True, tag="entry"):
    """A whole entry as it stands in the books."""

    account_id: UUID
    ledger_entry_id: UUID
    idempotency_key: str
    kind: str
    reference: str
    reason: str
    at: datetime
    recorded_at: datetime
    postings: tuple[Line, ...]

    @property
    def digest(self) -> bytes:
        """The hash of everything that it says."""
        texts = (self.idempotency_key, self.kind, self.reference, self.reason)
        parts = [
            self.account_id.bytes,
            self.ledger_entry_id.bytes,
            hashchain.instant_bytes(self.at),
            hashchain.instant_bytes(self.recorded_at),
            *(hashchain.text_bytes(text) for text in texts),
        ]
        for line in self.postings:
            parts += [
                hashchain.text_bytes(line.ledger_account),
                hashchain.text_bytes(line.unit),
                hashchain.number_bytes(line.amount),
            ]
        return hashchain.digest(parts)


class BalanceRecord(msgspec.Struct, frozen=True, tag="balance"):
    """A customer's balance: what its chain must end with."""

    account_id: UUID
    ledger_account: str
    unit: str
    balance: int
    sequence: int
    hash: bytes

    @property
    def key(self) -> Key:
        """Which chain it heads."""
        return self.account_id, self.ledger_account, self.unit


class LinkRecord(msgspec.Struct, frozen=True, tag="link"):
    """One posting of a chain with the whole of its entry; None: the entry is gone."""

    account_id: UUID
    ledger_account: str
    unit: str
    sequence: int
    line: int
    amount: int
    balance_after: int
    hash: bytes
    ledger_entry_id: UUID
    entry: EntryRecord | None

    @property
    def key(self) -> Key:
        """Which chain it is a link of."""
        return self.account_id, self.ledger_account, self.unit


class OrphanRecord(msgspec.Struct, frozen=True, tag="orphan"):
    """A posting on one of the house's ledger accounts whose entry is gone."""

    account_id: UUID
    ledger_entry_id: UUID
    ledger_account: str
    unit: str
    amount: int


class CreditMoveRecord(msgspec.Struct, frozen=True, tag="credit_move"):
    """What one entry moved on the account's credits: positive, it took them."""

    account_id: UUID
    ledger_entry_id: UUID
    idempotency_key: str
    kind: str
    amount: int


class InvoiceRecord(msgspec.Struct, frozen=True, tag="invoice"):
    """What an issued invoice says: amounts in minor units."""

    account_id: UUID
    invoice_id: UUID
    number: str
    currency: str
    total_minor: int
    tax_minor: int


class IssueRecord(msgspec.Struct, frozen=True, tag="issue"):
    """The entry that an invoice made when it was issued."""

    entry: EntryRecord


class CreditNoteRecord(msgspec.Struct, frozen=True, tag="credit_note"):
    """What an issued credit note says, and what became of it: amounts in minor units."""

    account_id: UUID
    credit_note_id: UUID
    number: str
    currency: str
    subtotal_minor: int
    tax_minor: int
    offset_minor: int
    credit_minor: int
    refund_minor: int
    is_void: bool

    @property
    def entry_key(self) -> str:
        """The idempotency key of its entry."""
        return f"credit_note:{self.credit_note_id}:issued"


class NoteEntryRecord(msgspec.Struct, frozen=True, tag="note_entry"):
    """The entry that a credit note made when it was issued, and whether it was reversed."""

    entry: EntryRecord
    is_reversed: bool


class OwedRecord(msgspec.Struct, frozen=True, tag="owed"):
    """One side of what credit notes still owe of one currency, in minor units: the sum is zero.

    What is left of customer credit, or waits to be refunded, is positive; the ledger account's
    balance is below zero.
    """

    account_id: UUID
    ledger_account: str
    unit: str
    amount: int

    @property
    def key(self) -> Key:
        """Which balance it is a side of."""
        return self.account_id, self.ledger_account, self.unit


BookRecord = (
    BalanceRecord
    | LinkRecord
    | EntryRecord
    | OrphanRecord
    | CreditMoveRecord
    | InvoiceRecord
    | IssueRecord
    | CreditNoteRecord
    | NoteEntryRecord
    | OwedRecord
)
