"""Whether the books are whole and unchanged: pure rules over the stream of their records.

Integrity: what is there agrees with itself (sums, balances, hashes, invoices). Completeness:
nothing is missing (numbers without a gap, and every anchored head is still in its chain).
"""

from collections import Counter
from collections.abc import Iterator
from typing import Literal
from uuid import UUID

import msgspec

from tallystick.kernel import hashchain
from tallystick.kernel.ids import show
from tallystick.ledger.model import RECEIVABLE, TAX_PAYABLE
from tallystick.ledger.records import (
    BalanceRecord,
    BookRecord,
    EntryRecord,
    InvoiceRecord,
    IssueRecord,
    Key,
    LinkRecord,
    OrphanRecord,
)

Verdict = Literal["integrity", "completeness"]


class Head(msgspec.Struct, frozen=True):
    """How far a chain had come when it was anchored."""

    account_id: UUID
    ledger_account: str
    unit: str
    sequence: int
    balance: int
    hash: bytes

    @property
    def key(self) -> Key:
        """Which chain it was the head of."""
        return self.account_id, self.ledger_account, self.unit


class Difference(msgspec.Struct, frozen=True):
    """One thing that is not as it must be; `detail` names it with its ids."""

    verdict: Verdict
    code: str
    account_id: UUID
    detail: str


class BookCheck:
    """Reads all records in their order and tells each difference when it is met.

    `heads`: those of an anchor whose signature was checked, in the order of the chains.
    """

    def __init__(self, heads: Iterator[Head] | None = None) -> None:
        self._heads = heads or iter(())
        self._head = next(self._heads, None)
        self._key: Key | None = None
        self._balance: BalanceRecord | None = None
        self._last: LinkRecord | None = None
        self._invoice: InvoiceRecord | None = None

    def feed(self, record: BookRecord) -> Iterator[Difference]:
        """Check one more record."""
        if isinstance(record, BalanceRecord | LinkRecord):
            if record.key != self._key:
                yield from self._end_chain()
                self._key = record.key
                yield from self._skip_heads(record.key)
            if isinstance(record, BalanceRecord):
                self._balance = record
            else:
                yield from self._link(record)
                self._last = record
        elif isinstance(record, EntryRecord):
            yield from off_balance(record)
        elif isinstance(record, OrphanRecord):
            yield _orphan(record)
        elif isinstance(record, InvoiceRecord):
            yield from self._end_invoice()
            self._invoice = record
        elif isinstance(record, IssueRecord):
            yield from self._issue(record)

    def end(self) -> Iterator[Difference]:
        """Check what only the end can tell."""
        yield from self._end_chain()
        yield from self._skip_heads(None)
        yield from self._end_invoice()

    def _link(self, link: LinkRecord) -> Iterator[Difference]:
        was = self._last
        sequence, balance = (was.sequence, was.balance_after) if was else (0, 0)
        follows = link.sequence == sequence + 1
        where = _where(link.key, link.sequence)
        if not follows:
            text = f"{where}: after number {sequence} comes {link.sequence}"
            yield Difference("completeness", "sequence_gap", link.account_id, text)
        elif link.balance_after != balance + link.amount:
            text = f"{where}: {balance} and {link.amount} do not make {link.balance_after}"
            yield Difference("integrity", "balance_after_differs", link.account_id, text)
        yield from self._entry_of(link, where)
        if follows and link.entry is not None:
            previous = was.hash if was else hashchain.GENESIS
            made = hashchain.link(
                previous, link.entry.digest, link.line, link.sequence, link.balance_after
            )
            if made != link.hash:
                text = (
                    f"{where}, {_entry(link.ledger_entry_id)}: its hash is not that of its content"
                )
                yield Difference("integrity", "hash_differs", link.account_id, text)
        yield from self._anchored(link, where)

    def _entry_of(self, link: LinkRecord, where: str) -> Iterator[Difference]:
        if link.entry is None:
            text = f"{where}: its entry {_entry(link.ledger_entry_id)} is gone"
            yield Difference("completeness", "entry_missing", link.account_id, text)
            return
        yield from off_balance(link.entry)

    def _anchored(self, link: LinkRecord, where: str) -> Iterator[Difference]:
        head = self._head
        if head is None or head.key != link.key or head.sequence != link.sequence:
            return
        self._head = next(self._heads, None)
        if (head.hash, head.balance) != (link.hash, link.balance_after):
            text = f"{where}: not what was anchored"
            yield Difference("integrity", "anchor_differs", link.account_id, text)

    def _end_chain(self) -> Iterator[Difference]:
        key, kept, last = self._key, self._balance, self._last
        self._key = self._balance = self._last = None
        if key is None:
            return
        found = (
            (last.balance_after, last.sequence, last.hash) if last else (0, 0, hashchain.GENESIS)
        )
        where = f"{_where(key, found[1])}"
        if kept is None:
            yield Difference("completeness", "balance_missing", key[0], f"{where}: no balance row")
            return
        if kept.sequence > found[1]:
            text = f"{where}: the balance row counts {kept.sequence} postings"
            yield Difference("completeness", "tail_missing", key[0], text)
        elif (kept.balance, kept.sequence, kept.hash) != found:
            text = f"{where}: the postings end at {found[0]}, the balance row says {kept.balance}"
            text += "" if kept.hash == found[2] else ", and the hashes differ"
            yield Difference("integrity", "balance_differs", key[0], text)

    def _skip_heads(self, until: Key | None) -> Iterator[Difference]:
        """Tell of anchored heads that were not met where they must have been."""
        while self._head is not None and (until is None or self._head.key < until):
            head, self._head = self._head, next(self._heads, None)
            text = f"{_where(head.key, head.sequence)}: was anchored and is gone"
            yield Difference("completeness", "anchored_head_missing", head.account_id, text)

    def _issue(self, record: IssueRecord) -> Iterator[Difference]:
        entry, invoice = record.entry, self._invoice
        if invoice is None or entry.idempotency_key != f"invoice:{invoice.invoice_id}:issued":
            text = f"{_named(entry)} is of {entry.reference}, which is no invoice"
            yield Difference("completeness", "invoice_missing", entry.account_id, text)
            return
        self._invoice = None
        sums: Counter[tuple[str, str]] = Counter()
        for line in entry.postings:
            sums[line.ledger_account, line.unit] += line.amount
        booked = sums[RECEIVABLE, invoice.currency], -sums[TAX_PAYABLE, invoice.currency]
        if booked != (invoice.total_minor, invoice.tax_minor):
            text = f"{_invoice(invoice)} is over {invoice.total_minor}, tax {invoice.tax_minor}; "
            text += f"{_entry(entry.ledger_entry_id)} books {booked[0]}, tax {booked[1]}"
            yield Difference("integrity", "invoice_differs", entry.account_id, text)

    def _end_invoice(self) -> Iterator[Difference]:
        invoice, self._invoice = self._invoice, None
        if invoice is not None and invoice.total_minor:
            text = f"{_invoice(invoice)} is not in the books"
            yield Difference("completeness", "invoice_not_booked", invoice.account_id, text)


def off_balance(entry: EntryRecord) -> Iterator[Difference]:
    """Tell of each unit in which an entry's postings do not sum to zero, or of none at all."""
    sums: Counter[str] = Counter()
    for line in entry.postings:
        sums[line.unit] += line.amount
    if not entry.postings:
        text = f"{_named(entry)} has no postings"
        yield Difference("completeness", "postings_missing", entry.account_id, text)
    for unit, total in sums.items():
        if total:
            text = f"{_named(entry)} sums to {total} {unit}"
            yield Difference("integrity", "entry_unbalanced", entry.account_id, text)


def _orphan(posting: OrphanRecord) -> Difference:
    text = f"{show('account', posting.account_id)} {posting.ledger_account}: "
    text += f"{posting.amount} {posting.unit} are posted, "
    text += f"and the entry {_entry(posting.ledger_entry_id)} is gone"
    return Difference("completeness", "entry_missing", posting.account_id, text)


def _where(key: Key, sequence: int) -> str:
    return f"{show('account', key[0])} {key[1]} {key[2]} number {sequence}"


def _entry(ledger_entry_id: UUID) -> str:
    return show("ledger_entry", ledger_entry_id)


def _named(entry: EntryRecord) -> str:
    return f"{show('account', entry.account_id)} {_entry(entry.ledger_entry_id)}"


def _invoice(invoice: InvoiceRecord) -> str:
    return f"Invoice {invoice.number} ({show('invoice', invoice.invoice_id)})"
