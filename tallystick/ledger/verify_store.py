"""The SQL that reads the whole of the books, record by record, with server-side cursors."""

from collections.abc import AsyncIterator, Callable
from typing import Final, TypeVar

import asyncpg

from tallystick.kernel.db import Connection
from tallystick.ledger.records import (
    BalanceRecord,
    CreditMoveRecord,
    EntryRecord,
    IssueRecord,
    Line,
    LinkRecord,
    NoteEntryRecord,
    OrphanRecord,
    OwedRecord,
)
from tallystick.ledger.verify import Head

ROWS_AT_ONCE: Final = 500
TIMEOUT_S: Final = 86_400.0  # the server sorts the whole table before the first row comes

_ENTRY: Final = """
    e.account_id AS entry_account_id, e.ledger_entry_id AS entry_id, e.idempotency_key, e.kind,
    e.reference, e.reason, e.at, e.recorded_at,
    ARRAY(SELECT ROW (q.ledger_account, q.unit, q.amount) FROM ledger_postings AS q
          WHERE q.account_id = e.account_id AND q.ledger_entry_id = e.ledger_entry_id
          ORDER BY q.line) AS postings
"""
BALANCES: Final = """
SELECT account_id, ledger_account, unit, balance, sequence, hash FROM ledger_balances
ORDER BY account_id, ledger_account COLLATE "C", unit COLLATE "C"
"""
LINKS: Final = f"""
SELECT p.account_id, p.ledger_account, p.unit, coalesce(p.sequence, 0) AS sequence, p.line,
       p.amount, coalesce(p.balance_after, 0) AS balance_after, coalesce(p.hash, '') AS hash,
       p.ledger_entry_id, {_ENTRY}
FROM ledger_postings AS p LEFT JOIN ledger_entries AS e
     ON e.account_id = p.account_id AND e.ledger_entry_id = p.ledger_entry_id
WHERE carries_balance(p.ledger_account)
ORDER BY p.account_id, p.ledger_account COLLATE "C", p.unit COLLATE "C", p.sequence, p.line
"""  # noqa: S608 - our own columns
LOOSE: Final = f"""
SELECT {_ENTRY} FROM ledger_entries AS e
WHERE NOT EXISTS (SELECT FROM ledger_postings AS p
                  WHERE p.account_id = e.account_id AND p.ledger_entry_id = e.ledger_entry_id
                        AND carries_balance(p.ledger_account))
"""  # noqa: S608 - our own columns
ORPHANS: Final = """
SELECT p.account_id, p.ledger_entry_id, p.ledger_account, p.unit, p.amount
FROM ledger_postings AS p
WHERE NOT carries_balance(p.ledger_account)
      AND NOT EXISTS (SELECT FROM ledger_entries AS e
                      WHERE e.account_id = p.account_id AND e.ledger_entry_id = p.ledger_entry_id)
ORDER BY p.account_id, p.ledger_entry_id, p.line
"""
CREDIT_MOVES: Final = """
SELECT e.account_id, e.ledger_entry_id, e.idempotency_key, e.kind, p.amount
FROM (SELECT account_id, ledger_entry_id, sum(amount)::bigint AS amount FROM ledger_postings
      WHERE ledger_account = 'credits' GROUP BY account_id, ledger_entry_id) AS p
JOIN ledger_entries AS e USING (account_id, ledger_entry_id)
ORDER BY e.account_id, e.ledger_entry_id
"""
ISSUES: Final = f"""
SELECT {_ENTRY} FROM ledger_entries AS e WHERE e.kind = 'invoice_issued'
ORDER BY e.account_id, e.idempotency_key COLLATE "C"
"""  # noqa: S608 - our own columns
NOTE_ENTRIES: Final = f"""
SELECT {_ENTRY}, EXISTS (
           SELECT FROM ledger_entries AS r WHERE r.account_id = e.account_id
           AND r.idempotency_key = 'reversal:' || e.ledger_entry_id) AS is_reversed
FROM ledger_entries AS e WHERE e.kind = 'credit_note_issued'
ORDER BY e.account_id, e.idempotency_key COLLATE "C"
"""  # noqa: S608 - our own columns
OWED: Final = """
SELECT account_id, ledger_account, unit, sum(amount)::bigint AS amount FROM ledger_postings
WHERE ledger_account IN ('customer_credit', 'refunds')
GROUP BY account_id, ledger_account, unit
ORDER BY account_id, ledger_account COLLATE "C", unit COLLATE "C"
"""
# A posting of credits is read twice: in its chain, and beside what `credits/` knows of it.
COUNTS: Final = """
SELECT (SELECT count(*) FROM ledger_balances)
       + (SELECT count(*) FILTER (WHERE carries_balance(ledger_account))
                 + count(*) FILTER (WHERE ledger_account = 'credits') FROM ledger_postings)
       + (SELECT count(*) FROM ledger_entries
          WHERE kind IN ('invoice_issued', 'credit_note_issued'))
"""
HEADS: Final = """
SELECT account_id, ledger_account, unit, sequence, balance, hash FROM ledger_balances
WHERE sequence > 0 ORDER BY account_id, ledger_account COLLATE "C", unit COLLATE "C"
"""

T = TypeVar("T")


async def balances(conn: Connection) -> AsyncIterator[BalanceRecord]:
    """Yield every customer's balance, in the order of the chains."""
    async for row in _rows(conn, BALANCES, lambda row: BalanceRecord(**dict(row))):
        yield row


async def links(conn: Connection) -> AsyncIterator[LinkRecord]:
    """Yield every posting on a customer's ledger account, chain by chain, with its entry."""
    async for row in _rows(conn, LINKS, _link):
        yield row


async def loose_entries(conn: Connection) -> AsyncIterator[EntryRecord]:
    """Yield the entries that touch no customer's balance."""
    async for row in _rows(conn, LOOSE, _entry):
        yield row


async def orphans(conn: Connection) -> AsyncIterator[OrphanRecord]:
    """Yield the postings of the house whose entry is gone."""
    async for row in _rows(conn, ORPHANS, lambda row: OrphanRecord(**dict(row))):
        yield row


async def credit_moves(conn: Connection) -> AsyncIterator[CreditMoveRecord]:
    """Yield what each entry moved on its account's credits, by account and entry."""
    async for row in _rows(conn, CREDIT_MOVES, lambda row: CreditMoveRecord(**dict(row))):
        yield row


async def issues(conn: Connection) -> AsyncIterator[IssueRecord]:
    """Yield the entries of issued invoices, by account and invoice."""
    async for row in _rows(conn, ISSUES, lambda row: IssueRecord(_entry(row))):
        yield row


async def note_entries(conn: Connection) -> AsyncIterator[NoteEntryRecord]:
    """Yield the entries of credit notes, by account and note."""
    make = lambda row: NoteEntryRecord(_entry(row), row["is_reversed"])  # noqa: E731
    async for row in _rows(conn, NOTE_ENTRIES, make):
        yield row


async def owed(conn: Connection) -> AsyncIterator[OwedRecord]:
    """Yield what the books owe of credit notes, by account, ledger account and currency."""
    async for row in _rows(conn, OWED, lambda row: OwedRecord(**dict(row))):
        yield row


async def heads(conn: Connection) -> AsyncIterator[Head]:
    """Yield how far each chain has come."""
    async for row in _rows(conn, HEADS, lambda row: Head(**dict(row))):
        yield row


async def book_record_count(conn: Connection) -> int:
    """Return about how many records the books will give, for whoever shows progress."""
    count: int = await conn.fetchval(COUNTS, timeout=TIMEOUT_S)
    return count


async def _rows(
    conn: Connection, query: str, make: "Callable[[asyncpg.Record], T]"
) -> AsyncIterator[T]:
    cursor = conn.cursor(query, prefetch=ROWS_AT_ONCE, timeout=TIMEOUT_S)
    async for row in cursor:
        yield make(row)


def _entry(row: asyncpg.Record) -> EntryRecord:
    return EntryRecord(
        account_id=row["entry_account_id"],
        ledger_entry_id=row["entry_id"],
        idempotency_key=row["idempotency_key"],
        kind=row["kind"],
        reference=row["reference"],
        reason=row["reason"],
        at=row["at"],
        recorded_at=row["recorded_at"],
        postings=tuple(Line(*line) for line in row["postings"]),
    )


def _link(row: asyncpg.Record) -> LinkRecord:
    return LinkRecord(
        account_id=row["account_id"],
        ledger_account=row["ledger_account"],
        unit=row["unit"],
        sequence=row["sequence"],
        line=row["line"],
        amount=row["amount"],
        balance_after=row["balance_after"],
        hash=row["hash"],
        ledger_entry_id=row["ledger_entry_id"],
        entry=_entry(row) if row["entry_id"] is not None else None,
    )
