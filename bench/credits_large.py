"""Whether a debit gets slower when the books are long: before and after so many entries more.

The entries go in set-wise, as the owner of the tables: entry, postings, usage log and allocation of
each, and what they took from grants and balances, so that sums still agree. The chain of hashes is
broken by it (no debit reads it), so the database is good for measuring only.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg
from rich.console import Console

from bench.credit_accounts import AT

ACCOUNTS_EACH_TIME: Final = 200
UNITS: Final = 150_000
_MADE: Final = """
CREATE TEMP TABLE made ON COMMIT DROP AS
SELECT a.id AS account_id, ('01960000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid AS id,
       'old:' || n AS key, $2::timestamptz + n * interval '1 second' AS at, 1 + n AS sequence
FROM unnest($1::uuid[]) AS a (id), generate_series(1, $3::bigint) AS n ORDER BY 1, 2
"""
_ENTRIES: Final = """
INSERT INTO ledger_entries (account_id, ledger_entry_id, idempotency_key, kind, reference, reason,
                            at)
SELECT account_id, id, 'credits:usage:' || key, 'credit_usage', 'write:large', '', at FROM made
"""
_POSTINGS: Final = """
INSERT INTO ledger_postings (account_id, ledger_entry_id, line, ledger_account, unit, amount,
                             sequence, balance_after, hash)
SELECT account_id, id, 1, 'credits', 'CREDIT', $1::bigint, sequence, 0, sha256(uuid_send(id))
FROM made
UNION ALL SELECT account_id, id, 2, 'credits_used', 'CREDIT', -$1, NULL, NULL, NULL FROM made
"""
_LOGGED: Final = """
INSERT INTO credit_usage_log (account_id, idempotency_key, ledger_entry_id, kind, operation, model,
                              credits, description, at, available_after)
SELECT account_id, key, id, 'usage', 'write', 'large', $1, '', at, 0 FROM made
"""
_ALLOCATED: Final = """
INSERT INTO credit_allocations (account_id, ledger_entry_id, credit_grant_id, amount)
SELECT m.account_id, m.id, g.credit_grant_id, $1
FROM made AS m JOIN credit_grants AS g USING (account_id)
"""
_GRANTS: Final = "UPDATE credit_grants SET remaining = remaining - $2 WHERE account_id = ANY ($1)"
_BALANCES: Final = """
UPDATE ledger_balances SET balance = balance + $2, sequence = sequence + $3
WHERE account_id = ANY ($1) AND ledger_account = 'credits'
"""


async def add_entries(dsn: str, accounts: Sequence[UUID], count: int, console: Console) -> None:
    """Write so many debits of the year before, the same number for each account."""
    conn = await asyncpg.connect(dsn)
    try:
        # Not the debits that are measured: nobody waits for these, and their triggers are trusted.
        await conn.execute("SET synchronous_commit = off; SET session_replication_role = replica")
        each = count // len(accounts)
        for first in range(0, len(accounts), ACCOUNTS_EACH_TIME):
            some = accounts[first : first + ACCOUNTS_EACH_TIME]
            async with conn.transaction():
                await _add(conn, some, each)
            console.print(f"entries written: {(first + len(some)) * each:,} of {count:,}")
        await conn.execute("VACUUM (ANALYZE)")
        await conn.execute("CHECKPOINT")
    finally:
        await conn.close()


async def _add(conn: asyncpg.Connection, accounts: Sequence[UUID], each: int) -> None:
    await conn.execute(_MADE, list(accounts), AT - timedelta(days=365), each)
    await conn.execute(_ENTRIES)
    for statement in (_POSTINGS, _LOGGED, _ALLOCATED):
        await conn.execute(statement, UNITS)
    await conn.execute(_GRANTS, list(accounts), each * UNITS)
    await conn.execute(_BALANCES, list(accounts), each * UNITS, each)
