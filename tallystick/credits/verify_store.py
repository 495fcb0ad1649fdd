"""The SQL that reads the whole of credits, for who holds them against the books."""

from collections.abc import AsyncIterator
from typing import Final

import asyncpg

from tallystick.credits.verify import (
    CreditAccountRecord,
    CreditClaimRecord,
    DebitClaim,
    GrantClaim,
)
from tallystick.kernel.db import Connection

ROWS_AT_ONCE: Final = 500
TIMEOUT_S: Final = 86_400.0

ACCOUNTS: Final = """
SELECT coalesce(a.account_id, r.account_id) AS account_id, coalesce(a.owed, 0) AS owed,
       coalesce(a.reserved, 0) AS reserved, coalesce(r.held, 0) AS held
FROM credit_accounts AS a
FULL JOIN (SELECT account_id, sum(amount)::bigint AS held FROM credit_reservations
           WHERE status = 'active' GROUP BY account_id) AS r ON r.account_id = a.account_id
ORDER BY 1
"""
# One row for each entry that anything here names; two where two things claim the same entry.
CLAIMS: Final = """
SELECT account_id, ledger_entry_id, coalesce(p.amount, 0) AS allocated,
       g.credit_grant_id, g.idempotency_key AS grant_key, g.amount AS granted, g.remaining,
       g.taken, l.idempotency_key AS debit_key, l.kind, l.credits
FROM (SELECT c.*, coalesce(t.taken, 0) AS taken
      FROM credit_grants AS c
      LEFT JOIN (SELECT account_id, credit_grant_id, sum(amount)::bigint AS taken
                 FROM credit_allocations GROUP BY account_id, credit_grant_id) AS t
           USING (account_id, credit_grant_id)) AS g
FULL JOIN credit_usage_log AS l USING (account_id, ledger_entry_id)
FULL JOIN (SELECT account_id, ledger_entry_id, sum(amount)::bigint AS amount
           FROM credit_allocations GROUP BY account_id, ledger_entry_id) AS p
     USING (account_id, ledger_entry_id)
ORDER BY account_id, ledger_entry_id
"""
COUNT: Final = """
SELECT (SELECT count(*) FROM credit_accounts) + (SELECT count(*) FROM credit_grants)
       + (SELECT count(*) FROM credit_usage_log)
"""


async def accounts(conn: Connection) -> AsyncIterator[CreditAccountRecord]:
    """Yield what each account owes and reserves, by account."""
    async for row in conn.cursor(ACCOUNTS, prefetch=ROWS_AT_ONCE, timeout=TIMEOUT_S):
        yield CreditAccountRecord(**dict(row))


async def claims(conn: Connection) -> AsyncIterator[CreditClaimRecord]:
    """Yield what grants, usage log and allocations say of each ledger entry, by account and it."""
    async for row in conn.cursor(CLAIMS, prefetch=ROWS_AT_ONCE, timeout=TIMEOUT_S):
        yield _claim(row)


async def record_count(conn: Connection) -> int:
    """Return about how many records there are, for whoever shows progress."""
    count: int = await conn.fetchval(COUNT, timeout=TIMEOUT_S)
    return count


def _claim(row: asyncpg.Record) -> CreditClaimRecord:
    grant = debit = None
    if row["credit_grant_id"] is not None:
        grant = GrantClaim(
            credit_grant_id=row["credit_grant_id"],
            idempotency_key=row["grant_key"],
            amount=row["granted"],
            remaining=row["remaining"],
            taken=row["taken"],
        )
    if row["debit_key"] is not None:
        debit = DebitClaim(row["debit_key"], row["kind"], row["credits"])
    ids = row["account_id"], row["ledger_entry_id"]
    return CreditClaimRecord(*ids, row["allocated"], grant, debit)
