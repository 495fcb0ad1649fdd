"""`tallystick verify`, `anchor` and `export ledger`: the books read as a whole, in one snapshot.

Online and offline run the same checks over the same records; the memory is that of one record.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

import msgspec

from tallystick.credit_notes import verify_store as notes
from tallystick.credits import verify_store as credits_
from tallystick.credits.verify import (
    CreditAccountRecord,
    CreditCheck,
    CreditClaimRecord,
    CreditRecord,
    Record,
)
from tallystick.invoices import verify_store as invoices
from tallystick.kernel.db import Connection, open_database
from tallystick.kernel.errors import SetupError
from tallystick.ledger import anchors, verify_store
from tallystick.ledger.records import (
    CreditMoveRecord,
    CreditNoteRecord,
    InvoiceRecord,
    IssueRecord,
    NoteEntryRecord,
    OwedRecord,
)
from tallystick.ledger.verify import BookCheck, Difference
from tallystick.ledger.verify_notes import NoteCheck, OwedCheck
from tallystick.settings import Settings

Advance = Callable[[int], None]  # so many more records were read
Tell = Callable[[Difference], None]

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Record)

T = TypeVar("T")
U = TypeVar("U")


class Findings(msgspec.Struct, frozen=True):
    """How many differences a verification found, by verdict, in how many records."""

    integrity: int
    completeness: int
    record_count: int

    @property
    def is_clean(self) -> bool:
        """Whether the books are whole and unchanged."""
        return not (self.integrity or self.completeness)


def key_file(settings: Settings) -> Path:
    """Return where the signing key lies."""
    return settings.anchor_key_file or settings.home / "anchor.key"


@asynccontextmanager
async def snapshot(dsn: str) -> AsyncIterator[Connection]:
    """Give a connection that reads the whole database as it is at this moment, and only reads."""
    database = await open_database(dsn, connections_max=1)
    try:
        conn = await database.connect()
        try:
            async with conn.transaction(isolation="repeatable_read", readonly=True):
                yield conn
        finally:
            await conn.close()
    finally:
        await database.close()


async def record_count(conn: Connection) -> int:
    """Return how much there is to read, for whoever shows progress."""
    return sum(
        [
            await verify_store.book_record_count(conn),
            await credits_.record_count(conn),
            await invoices.issued_count(conn),
            await notes.note_count(conn),
        ]
    )


async def verify_database(
    conn: Connection, anchor: anchors.Anchor | None, tell: Tell, advance: Advance
) -> Findings:
    """Check the books of the database, telling each difference when it is met."""
    check = _Check(anchor)
    seen = _Seen(tell)
    async for record in stored_records(conn):
        seen.take(check.feed(record))
        seen.record_count += 1
        advance(1)
    seen.take(check.end())
    return seen.findings()


def verify_export(
    path: Path, anchor: anchors.Anchor | None, tell: Tell, advance: Advance
) -> Findings:
    """Check the books of an export, which needs no database; `advance` counts its bytes.

    Raises SetupError for a file that is no export, or that was cut off.
    """
    check = _Check(anchor)
    seen = _Seen(tell)
    for record, size in _exported_records(path):
        seen.take(check.feed(record))
        seen.record_count += 1
        advance(size)
    seen.take(check.end())
    return seen.findings()


async def export_ledger(conn: Connection, path: Path, advance: Advance) -> int:
    """Write every record of the books, one JSON object a line; return how many.

    The last line tells the number, so that a file that was cut off is known as such.
    """
    count = 0
    with path.open("wb") as out:
        async for record in stored_records(conn):
            out.write(_ENCODER.encode(record) + b"\n")
            count += 1
            advance(1)
        out.write(_ENCODER.encode({"type": "end", "count": count}) + b"\n")
    return count


async def write_anchor(conn: Connection, path: Path, settings: Settings) -> int:
    """Sign the heads of all chains into a file; return how many."""
    key = anchors.open_key(key_file(settings))
    return await anchors.write_anchor(path, verify_store.heads(conn), key)


def open_anchor(path: Path, settings: Settings) -> anchors.Anchor:
    """Read an anchor, signed by our key if that is here; raises SetupError for any other."""
    ours = key_file(settings)
    known = anchors.public_bytes(anchors.open_key(ours)) if ours.exists() else None
    return anchors.read_anchor(path, known)


async def stored_records(conn: Connection) -> AsyncIterator[Record]:
    """Yield all records in the order of `ledger/records.py`."""
    chains = _merged(
        verify_store.balances(conn),
        verify_store.links(conn),
        lambda balance, link: balance.key <= link.key,
    )
    by_account = _merged(
        chains, _credits(conn), lambda chained, other: chained.account_id <= other.account_id
    )
    async for chained in by_account:
        yield chained
    async for loose in verify_store.loose_entries(conn):
        yield loose
    async for orphan in verify_store.orphans(conn):
        yield orphan
    async for one in _merged(invoices.issued(conn), verify_store.issues(conn), _comes_first):
        yield one
    notes_and_entries = _merged(
        notes.notes(conn), verify_store.note_entries(conn), _note_comes_first
    )
    async for note in notes_and_entries:
        yield note
    claimed = _merged(
        invoices.credit_left(conn), notes.refunds_waiting(conn), lambda one, two: one.key <= two.key
    )
    booked = verify_store.owed(conn)
    async for side in _merged(claimed, booked, lambda one, two: one.key <= two.key):
        yield side


def _credits(conn: Connection) -> AsyncIterator[CreditRecord | CreditMoveRecord]:
    """Return of each account its row, then entry by entry what is claimed and what was moved."""
    entries = _merged(
        credits_.claims(conn),
        verify_store.credit_moves(conn),
        lambda claim, move: _entry_key(claim) <= _entry_key(move),
    )
    return _merged(
        credits_.accounts(conn), entries, lambda row, entry: row.account_id <= entry.account_id
    )


def _entry_key(record: CreditClaimRecord | CreditMoveRecord) -> tuple[UUID, UUID]:
    return record.account_id, record.ledger_entry_id


def _comes_first(invoice: InvoiceRecord, issue: IssueRecord) -> bool:
    key = f"invoice:{invoice.invoice_id}:issued"
    return (invoice.account_id, key) <= (issue.entry.account_id, issue.entry.idempotency_key)


def _note_comes_first(note: CreditNoteRecord, made: NoteEntryRecord) -> bool:
    key = note.account_id, note.entry_key
    return key <= (made.entry.account_id, made.entry.idempotency_key)


async def _merged(
    ones: AsyncIterator[T], others: AsyncIterator[U], is_first: Callable[[T, U], bool]
) -> AsyncIterator[T | U]:
    """Yield two sorted streams as one; at equal keys the first one's goes first."""
    one, other = await anext(ones, None), await anext(others, None)
    while one is not None or other is not None:
        if other is None or (one is not None and is_first(one, other)):
            assert one is not None  # noqa: S101 - the loop's condition
            yield one
            one = await anext(ones, None)
        else:
            yield other
            other = await anext(others, None)


def _exported_records(path: Path) -> Iterator[tuple[Record, int]]:
    count = 0
    with path.open("rb") as lines:
        for line in lines:
            if line.startswith(b'{"type":"end"'):
                if msgspec.json.decode(line)["count"] == count:
                    return
                break
            try:
                yield _DECODER.decode(line), len(line)
            except msgspec.DecodeError as error:
                raise SetupError(
                    "export_invalid", f"{path}, line {count + 1}: not a record of the books."
                ) from error
            count += 1
    raise SetupError("export_incomplete", f"{path} does not end as an export ends: it was cut off.")


class _Check:
    """The books, and the credits and credit notes beside them."""

    def __init__(self, anchor: anchors.Anchor | None) -> None:
        self._books = BookCheck(anchor.heads() if anchor else None)
        self._credits = CreditCheck()
        self._notes = NoteCheck()
        self._owed = OwedCheck()

    def feed(self, record: Record) -> Iterator[Difference]:
        if isinstance(record, CreditNoteRecord | NoteEntryRecord):
            return self._notes.feed(record)
        if isinstance(record, OwedRecord):
            return self._owed.feed(record)
        told = self._credits.feed(record)
        if isinstance(record, CreditAccountRecord | CreditClaimRecord):
            return told
        return chain(self._books.feed(record), told)

    def end(self) -> Iterator[Difference]:
        return chain(self._books.end(), self._credits.end(), self._notes.end(), self._owed.end())


class _Seen:
    """Counts differences while they are told."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._counts = {"integrity": 0, "completeness": 0}
        self.record_count = 0

    def take(self, differences: Iterator[Difference]) -> None:
        for difference in differences:
            self._counts[difference.verdict] += 1
            self._tell(difference)

    def findings(self) -> Findings:
        return Findings(**self._counts, record_count=self.record_count)
