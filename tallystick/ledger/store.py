"""The SQL of the books. All writing goes through the database's `post_entries`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest
from tallystick.ledger.model import Balance, Entry, Posted, PostedEntry, ReceivableSums

# Arrays of all entries' fields, then of all postings' fields with the position of their entry.
POST_ENTRIES: Final = """
SELECT post_entries($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[],
    $7::timestamptz[], $8::integer[], $9::text[], $10::text[], $11::bigint[])
"""
BALANCE: Final = """
SELECT balance FROM ledger_balances WHERE account_id = $1 AND ledger_account = $2 AND unit = $3
"""
# What is prepaid by many accounts; a posting that takes of it waits.
LOCK_PREPAID: Final = """
SELECT account_id, unit, -balance AS amount FROM ledger_balances
WHERE account_id = ANY ($1::uuid[]) AND ledger_account = 'prepaid' AND balance < 0
ORDER BY account_id, unit FOR NO KEY UPDATE
"""
BALANCES: Final = """
SELECT ledger_account, unit, balance AS amount FROM ledger_balances
WHERE account_id = $1 ORDER BY ledger_account, unit
"""
SET_FLOOR: Final = """
INSERT INTO ledger_balances AS b (account_id, ledger_account, unit, balance, sequence, floor)
VALUES ($1, 'credits', 'CREDIT', 0, 0, $2)
ON CONFLICT (account_id, ledger_account, unit) DO UPDATE SET floor = excluded.floor
WHERE -b.balance >= excluded.floor
"""
RECEIVABLE_SUMS: Final = """
SELECT unit, coalesce(sum(amount) FILTER (WHERE NOT is_payment), 0)::bigint AS owed,
       coalesce(-sum(amount) FILTER (WHERE is_payment), 0)::bigint AS paid
FROM (SELECT p.unit, p.amount, EXISTS (
             SELECT FROM ledger_postings AS q
             WHERE q.account_id = p.account_id AND q.ledger_entry_id = p.ledger_entry_id
                   AND (q.ledger_account IN ('prepaid', 'customer_credit', 'chargebacks')
                        OR q.ledger_account LIKE 'clearing:%')
             ) AS is_payment
      FROM ledger_postings AS p
      WHERE p.account_id = $1 AND p.ledger_account = 'receivable') AS moves
GROUP BY unit
"""
SUM: Final = """
SELECT coalesce(sum(amount), 0)::bigint FROM ledger_postings
WHERE account_id = $1 AND ledger_account = $2 AND unit = $3
"""
COUNT: Final = """
SELECT count(*) FROM ledger_entries AS e
WHERE account_id = $1
  AND ($2::text IS NULL OR EXISTS (
      SELECT FROM ledger_postings AS p
      WHERE p.account_id = $1 AND p.ledger_entry_id = e.ledger_entry_id AND p.ledger_account = $2))
"""
LATEST_AT: Final = "SELECT max(at) FROM ledger_entries WHERE account_id = $1"
ENTRIES: Final = """
SELECT ledger_entry_id, idempotency_key, kind, reference, reason, at, recorded_at
FROM ledger_entries AS e
WHERE account_id = $1 AND ($2::uuid IS NULL OR ledger_entry_id < $2)
  AND ($5::text IS NULL OR EXISTS (
      SELECT FROM ledger_postings AS p
      WHERE p.account_id = $1 AND p.ledger_entry_id = e.ledger_entry_id AND p.ledger_account = $5))
ORDER BY ledger_entry_id DESC LIMIT $3 OFFSET $4
"""
ENTRY_BY_KEY: Final = """
SELECT ledger_entry_id, idempotency_key, kind, reference, reason, at, recorded_at
FROM ledger_entries WHERE account_id = $1 AND idempotency_key = $2
"""
ENTRY: Final = """
SELECT ledger_entry_id, idempotency_key, kind, reference, reason, at, recorded_at
FROM ledger_entries WHERE account_id = $1 AND ledger_entry_id = $2
"""
POSTINGS: Final = """
SELECT ledger_entry_id, ledger_account, unit, amount, sequence, balance_after
FROM ledger_postings WHERE account_id = $1 AND ledger_entry_id = ANY($2::uuid[])
ORDER BY ledger_entry_id, line
"""


class NewEntry(msgspec.Struct, frozen=True):
    """An entry on its way into the books, under the id that it will have."""

    account_id: UUID
    ledger_entry_id: UUID
    entry: Entry


async def post_entries(conn: Connection, batch: Sequence[NewEntry]) -> list[str]:
    """Post a batch whose keys differ; answer by position: posted, replayed, conflict, overdrawn.

    Locks the customers' balances that it touches, lowest first. Raises asyncpg's
    SerializationError when a batch of several met another one and must be sent again.
    """
    entries = [new.entry for new in batch]
    flat = [(at, p) for at, entry in enumerate(entries, 1) for p in entry.postings]
    outcomes: list[str] = await conn.fetchval(
        POST_ENTRIES,
        [new.account_id for new in batch],
        [new.ledger_entry_id for new in batch],
        [entry.idempotency_key for entry in entries],
        [entry.kind for entry in entries],
        [entry.reference for entry in entries],
        [entry.reason for entry in entries],
        [entry.at for entry in entries],
        [at for at, _ in flat],
        [posting.ledger_account for _, posting in flat],
        [posting.unit for _, posting in flat],
        [posting.amount for _, posting in flat],
    )
    return outcomes


async def kept_balance(conn: Connection, account_id: UUID, ledger_account: str, unit: str) -> int:
    """Return the running balance of a customer's ledger account, zero if it was never touched."""
    return await conn.fetchval(BALANCE, account_id, ledger_account, unit) or 0


async def set_floor(conn: Connection, account_id: UUID, floor: int) -> bool:
    """Set how far the account's credits may fall; False if they are lower already."""
    done: str = await conn.execute(SET_FLOOR, account_id, floor)
    return done != "INSERT 0 0"


async def summed_balance(conn: Connection, account_id: UUID, ledger_account: str, unit: str) -> int:
    """Return the sum of the account's postings on a ledger account."""
    total: int = await conn.fetchval(SUM, account_id, ledger_account, unit)
    return total


async def kept_balances(conn: Connection, account_id: UUID) -> tuple[Balance, ...]:
    """Return every running balance of the account."""
    rows = await conn.fetch(BALANCES, account_id)
    return tuple(msgspec.convert(dict(row), Balance) for row in rows)


async def lock_prepaid(
    conn: Connection, account_ids: Collection[UUID]
) -> dict[tuple[UUID, str], int]:
    """Lock what these accounts have prepaid, and return it where there is any, above zero."""
    rows = await conn.fetch(LOCK_PREPAID, list(account_ids))
    return {(row["account_id"], row["unit"]): row["amount"] for row in rows}


async def receivable_sums(conn: Connection, account_id: UUID) -> tuple[ReceivableSums, ...]:
    """Return by currency what was charged and what was paid."""
    rows = await conn.fetch(RECEIVABLE_SUMS, account_id)
    return tuple(ReceivableSums(**dict(row)) for row in rows)


async def entry_count(conn: Connection, account_id: UUID, ledger_account: str | None) -> int:
    """Return how many entries the account has."""
    count: int = await conn.fetchval(COUNT, account_id, ledger_account)
    return count


async def latest_entry_at(conn: Connection, account_id: UUID) -> datetime | None:
    """Return the latest instant of any entry of the account."""
    at: datetime | None = await conn.fetchval(LATEST_AT, account_id)
    return at


async def entries(
    conn: Connection, account_id: UUID, request: PageRequest, ledger_account: str | None
) -> tuple[PostedEntry, ...]:
    """Return one more entry than asked for, newest first, each with its postings."""
    after = request.after
    rows = await conn.fetch(
        ENTRIES,
        account_id,
        after.id if after else None,
        request.limit + 1,
        request.offset,
        ledger_account,
    )
    return await _with_postings(conn, account_id, rows)


async def find_entry(
    conn: Connection, account_id: UUID, ledger_entry_id: UUID
) -> PostedEntry | None:
    """Return one entry with its postings."""
    rows = await conn.fetch(ENTRY, account_id, ledger_entry_id)
    found = await _with_postings(conn, account_id, rows)
    return found[0] if found else None


async def find_entry_by_key(conn: Connection, account_id: UUID, key: str) -> PostedEntry | None:
    """Return the entry with this idempotency key, with its postings."""
    rows = await conn.fetch(ENTRY_BY_KEY, account_id, key)
    found = await _with_postings(conn, account_id, rows)
    return found[0] if found else None


async def _with_postings(
    conn: Connection, account_id: UUID, rows: Sequence[asyncpg.Record]
) -> tuple[PostedEntry, ...]:
    postings: dict[UUID, list[Posted]] = {row["ledger_entry_id"]: [] for row in rows}
    for row in await conn.fetch(POSTINGS, account_id, list(postings)):
        fields = dict(row)
        postings[fields.pop("ledger_entry_id")].append(msgspec.convert(fields, Posted))
    return tuple(
        PostedEntry(**dict(row), postings=tuple(postings[row["ledger_entry_id"]])) for row in rows
    )
