"""The SQL of grants and allocations. Whoever writes has locked the account's row."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.credits.model import Allocation, Grant
from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest

INSERT: Final = """
INSERT INTO credit_grants (account_id, credit_grant_id, idempotency_key, ledger_entry_id,
    source, amount, remaining, priority, effective_at, expires_at, cap_at, cap, reference,
    reason, created_at, refunded_entry_id, refunded_grant_id, due_at, is_spent)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
    $7::bigint = 0)
"""
SAVE: Final = """
UPDATE credit_grants
SET remaining = $3, cap_at = $4, cap = $5, due_at = $6, is_spent = $3::bigint = 0
WHERE account_id = $1 AND credit_grant_id = $2
"""
BY_KEYS: Final = """
SELECT * FROM credit_grants WHERE account_id = $1 AND idempotency_key = ANY ($2::text[])
ORDER BY idempotency_key
"""
BY_IDS: Final = """
SELECT * FROM credit_grants WHERE account_id = $1 AND credit_grant_id = ANY ($2::uuid[])
"""
BY_REFERENCE: Final = """
SELECT * FROM credit_grants WHERE account_id = $1 AND reference = $2 AND source = $3
ORDER BY created_at, credit_grant_id
"""
BY_ENTRY: Final = """
SELECT * FROM credit_grants WHERE account_id = $1 AND created_at = $2 AND ledger_entry_id = $3
"""
REFUNDS: Final = """
SELECT * FROM credit_grants WHERE account_id = $1 AND refunded_entry_id = $2
ORDER BY created_at, credit_grant_id
"""
LIVE: Final = """
SELECT * FROM credit_grants WHERE account_id = $1 AND NOT is_spent
"""
DUE_OF_ACCOUNT: Final = """
SELECT * FROM credit_grants WHERE account_id = $1 AND due_at <= $2
ORDER BY due_at, credit_grant_id
"""
PAGE: Final = """
SELECT * FROM credit_grants
WHERE account_id = $1 AND ($2::timestamptz IS NULL OR (created_at, credit_grant_id) < ($2, $3))
ORDER BY created_at DESC, credit_grant_id DESC LIMIT $4 OFFSET $5
"""
COUNT: Final = "SELECT count(*) FROM credit_grants WHERE account_id = $1"
ALLOCATE: Final = """
INSERT INTO credit_allocations (account_id, ledger_entry_id, credit_grant_id, amount)
VALUES ($1, $2, $3, $4)
"""
ALLOCATIONS: Final = """
SELECT credit_grant_id, amount AS units FROM credit_allocations
WHERE account_id = $1 AND ledger_entry_id = $2
"""
# Two statements, as with subscriptions: one over both could use no index on the clock.
DUE_ACCOUNTS: Final = """
SELECT DISTINCT account_id FROM (
    SELECT g.account_id FROM credit_grants AS g JOIN accounts AS a USING (account_id)
    WHERE g.due_at <= $1 AND a.test_clock_id IS NULL ORDER BY g.due_at LIMIT $2) AS due
ORDER BY account_id
"""
DUE_ACCOUNTS_ON_CLOCK: Final = """
SELECT DISTINCT account_id FROM (
    SELECT g.account_id FROM credit_grants AS g JOIN accounts AS a USING (account_id)
    WHERE g.due_at <= $1 AND a.test_clock_id = $3 ORDER BY g.due_at LIMIT $2) AS due
ORDER BY account_id
"""
NEXT_DUE: Final = """
SELECT min(g.due_at) FROM credit_grants AS g JOIN accounts AS a USING (account_id)
WHERE a.test_clock_id = $1
"""


async def insert(conn: Connection, grant: Grant, due_at: datetime | None) -> None:
    """Write a new grant."""
    await conn.execute(INSERT, *msgspec.structs.astuple(grant), due_at)


async def save(conn: Connection, grant: Grant, due_at: datetime | None) -> None:
    """Write what is left of a grant."""
    ids = grant.account_id, grant.credit_grant_id
    await conn.execute(SAVE, *ids, grant.remaining, grant.cap_at, grant.cap, due_at)


async def by_keys(conn: Connection, account_id: UUID, keys: Sequence[str]) -> tuple[Grant, ...]:
    """Return the grants with these idempotency keys."""
    return _grants(await conn.fetch(BY_KEYS, account_id, list(keys)))


async def by_ids(conn: Connection, account_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Grant]:
    """Return these grants of the account by id."""
    rows = _grants(await conn.fetch(BY_IDS, account_id, list(ids)))
    return {grant.credit_grant_id: grant for grant in rows}


async def by_reference(
    conn: Connection, account_id: UUID, reference: str, source: str
) -> tuple[Grant, ...]:
    """Return the grants that this caused, oldest first."""
    return _grants(await conn.fetch(BY_REFERENCE, account_id, reference, source))


async def by_entry(
    conn: Connection, account_id: UUID, entry_id: UUID, at: datetime
) -> Grant | None:
    """Return the grant that this entry (of this instant) gave."""
    return next(iter(_grants(await conn.fetch(BY_ENTRY, account_id, at, entry_id))), None)


async def refunds_of(conn: Connection, account_id: UUID, entry_id: UUID) -> tuple[Grant, ...]:
    """Return what was given back of a debit, oldest first."""
    return _grants(await conn.fetch(REFUNDS, account_id, entry_id))


async def live(conn: Connection, account_id: UUID) -> tuple[Grant, ...]:
    """Return the grants with anything left, in no order."""
    return _grants(await conn.fetch(LIVE, account_id))


async def due(conn: Connection, account_id: UUID, now: datetime) -> tuple[Grant, ...]:
    """Return the account's grants of which something lapses by `now`."""
    return _grants(await conn.fetch(DUE_OF_ACCOUNT, account_id, now))


async def page(conn: Connection, account_id: UUID, request: PageRequest) -> tuple[Grant, ...]:
    """Return one more grant than asked for, newest first."""
    after = request.after
    at, last = (after.at, after.id) if after else (None, None)
    rows = await conn.fetch(PAGE, account_id, at, last, request.limit + 1, request.offset)
    return _grants(rows)


async def count(conn: Connection, account_id: UUID) -> int:
    """Return how many grants the account ever had."""
    found: int = await conn.fetchval(COUNT, account_id)
    return found


async def allocate(conn: Connection, account_id: UUID, entry_id: UUID, part: Allocation) -> None:
    """Note that an entry took so much from a grant."""
    await conn.execute(ALLOCATE, account_id, entry_id, part.credit_grant_id, part.units)


async def allocations(conn: Connection, account_id: UUID, entry_id: UUID) -> tuple[Allocation, ...]:
    """Return what an entry took from which grants."""
    rows = await conn.fetch(ALLOCATIONS, account_id, entry_id)
    return tuple(Allocation(**row) for row in rows)


async def due_accounts(
    conn: Connection, now: datetime, test_clock_id: UUID | None, limit: int
) -> tuple[UUID, ...]:
    """Return accounts of which something lapses by `now` on that clock, ascending."""
    if test_clock_id is None:
        rows = await conn.fetch(DUE_ACCOUNTS, now, limit)
    else:
        rows = await conn.fetch(DUE_ACCOUNTS_ON_CLOCK, now, limit, test_clock_id)
    return tuple(row["account_id"] for row in rows)


async def next_due_at(conn: Connection, test_clock_id: UUID) -> datetime | None:
    """Return when something lapses next on that clock."""
    at: datetime | None = await conn.fetchval(NEXT_DUE, test_clock_id)
    return at


def _grants(rows: Sequence[asyncpg.Record]) -> tuple[Grant, ...]:
    return tuple(msgspec.convert(dict(row), Grant) for row in rows)
