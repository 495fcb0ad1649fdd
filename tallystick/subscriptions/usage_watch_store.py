"""SQL of watching usage that is billed as it comes."""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection

# One row for all accounts on no test clock (the zero id), and one for each clock.
ADD_MARK: Final = "INSERT INTO usage_advance_marks (clock_id) VALUES ($1) ON CONFLICT DO NOTHING"
LOCK_MARK: Final = """
SELECT snapshot FROM usage_advance_marks WHERE clock_id = $1 FOR UPDATE SKIP LOCKED
"""
MOVE_MARK: Final = "UPDATE usage_advance_marks SET snapshot = $2 WHERE clock_id = $1"
WATCHED: Final = """
SELECT DISTINCT s.account_id FROM subscriptions s JOIN accounts a USING (account_id)
WHERE s.plan_version_id = ANY ($1::uuid[]) AND s.status IN ('trialing', 'active', 'past_due')
  AND a.test_clock_id IS NOT DISTINCT FROM $2
"""
# Waits for who bills the subscription now: it may have read usage before the new event was there.
# Ordered, so that two who wait for each other's rows never do so crosswise.
FLAG: Final = """
WITH due AS (
    SELECT account_id, subscription_id FROM subscriptions
    WHERE account_id = ANY ($1::uuid[]) AND plan_version_id = ANY ($2::uuid[])
      AND status IN ('trialing', 'active', 'past_due') AND next_bill_at IS NOT NULL
    ORDER BY account_id, subscription_id FOR NO KEY UPDATE)
UPDATE subscriptions s
SET usage_bill_at = least(s.usage_bill_at, greatest($3, s.period_start)),
    next_bill_at = least(s.next_bill_at, greatest($3, s.period_start)),
    revision = s.revision + 1
FROM due d WHERE s.account_id = d.account_id AND s.subscription_id = d.subscription_id
RETURNING 1
"""


class Mark(msgspec.Struct, frozen=True):
    """Up to which snapshot of the server events were seen; None: none were."""

    snapshot: str | None


async def lock_mark(conn: Connection, clock_id: UUID) -> Mark | None:
    """Return what was seen and lock it; None while another one looks."""
    await conn.execute(ADD_MARK, clock_id)
    row = await conn.fetchrow(LOCK_MARK, clock_id)
    return Mark(row["snapshot"]) if row else None


async def move_mark(conn: Connection, clock_id: UUID, snapshot: str) -> None:
    """Note up to what events were seen."""
    await conn.execute(MOVE_MARK, clock_id, snapshot)


async def watched_accounts(
    conn: Connection, version_ids: Collection[UUID], test_clock_id: UUID | None
) -> tuple[UUID, ...]:
    """Return the accounts with a running subscription to one of these versions."""
    rows = await conn.fetch(WATCHED, list(version_ids), test_clock_id)
    return tuple(row["account_id"] for row in rows)


async def flag(
    conn: Connection, account_ids: Collection[UUID], version_ids: Collection[UUID], now: datetime
) -> int:
    """Let these accounts' subscriptions to these versions be billed at `now`; count them."""
    return len(await conn.fetch(FLAG, list(account_ids), list(version_ids), now))
