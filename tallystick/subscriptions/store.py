"""The SQL of subscriptions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.kernel.db import Connection
from tallystick.subscriptions.model import Subscription

# The partial unique index lets an account have one active subscription.
INSERT: Final = """
INSERT INTO subscriptions (account_id, subscription_id, plan_version_id, status, started_at,
    timezone, period_index, period_start, period_end, next_bill_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (account_id) WHERE status = 'active' DO NOTHING RETURNING subscription_id
"""
FIND: Final = """
SELECT * FROM subscriptions WHERE account_id = $1 AND subscription_id = $2
"""
LOCK: Final = f"{FIND} FOR NO KEY UPDATE"
FIND_ACTIVE: Final = """
SELECT * FROM subscriptions WHERE account_id = $1 AND status = 'active'
"""
ACTIVE_OF: Final = """
SELECT * FROM subscriptions WHERE account_id = ANY ($1::uuid[]) AND status = 'active'
"""
LIST: Final = """
SELECT * FROM subscriptions WHERE account_id = $1
ORDER BY created_at DESC, subscription_id DESC LIMIT $2
"""
# Moves only from the status and the period that the change was decided on.
SAVE: Final = """
UPDATE subscriptions SET status = $3, period_index = $4, period_start = $5, period_end = $6,
    next_bill_at = $7, bill_error = $8, bill_try_count = $9, bill_retry_at = $10,
    cancel_at_period_end = $11, ends_at = $12
WHERE account_id = $1 AND subscription_id = $2 AND status = $13 AND period_index = $14
RETURNING subscription_id
"""
# The accounts table says who lives by which clock. Another worker's rows are skipped, and so are
# parked ones until their time (wall time) comes. Two statements, because one with IS NOT DISTINCT
# FROM can use no index on the clock: one that stands in the future would read every subscription.
CLAIM_DUE: Final = """
SELECT s.* FROM subscriptions AS s JOIN accounts AS a USING (account_id)
WHERE s.next_bill_at <= $1 AND a.test_clock_id IS NULL
  AND (s.bill_retry_at IS NULL OR s.bill_retry_at <= $2)
ORDER BY s.next_bill_at, s.subscription_id LIMIT $3 FOR NO KEY UPDATE OF s SKIP LOCKED
"""
CLAIM_DUE_ON_CLOCK: Final = """
SELECT s.* FROM subscriptions AS s JOIN accounts AS a USING (account_id)
WHERE s.next_bill_at <= $1 AND a.test_clock_id = $4
  AND (s.bill_retry_at IS NULL OR s.bill_retry_at <= $2)
ORDER BY s.next_bill_at, s.subscription_id LIMIT $3 FOR NO KEY UPDATE OF s SKIP LOCKED
"""
NEXT_DUE: Final = """
SELECT min(s.next_bill_at) FROM subscriptions AS s JOIN accounts AS a USING (account_id)
WHERE a.test_clock_id = $1 AND s.bill_error IS NULL
"""


async def insert(conn: Connection, new: Subscription) -> bool:
    """Write a new subscription; False if the account has an active one."""
    written = await conn.fetchval(
        INSERT,
        new.account_id,
        new.subscription_id,
        new.plan_version_id,
        new.status,
        new.started_at,
        new.timezone,
        new.period_index,
        new.period_start,
        new.period_end,
        new.next_bill_at,
        new.created_at,
    )
    return written is not None


async def find(conn: Connection, account_id: UUID, subscription_id: UUID) -> Subscription | None:
    """Return one subscription of the account."""
    row = await conn.fetchrow(FIND, account_id, subscription_id)
    return _subscription(row) if row else None


async def lock(conn: Connection, account_id: UUID, subscription_id: UUID) -> Subscription | None:
    """Return one subscription and lock its row."""
    row = await conn.fetchrow(LOCK, account_id, subscription_id)
    return _subscription(row) if row else None


async def find_active(conn: Connection, account_id: UUID) -> Subscription | None:
    """Return the account's active subscription."""
    row = await conn.fetchrow(FIND_ACTIVE, account_id)
    return _subscription(row) if row else None


async def active_of(conn: Connection, account_ids: Sequence[UUID]) -> tuple[Subscription, ...]:
    """Return the active subscriptions of these accounts."""
    return tuple(_subscription(row) for row in await conn.fetch(ACTIVE_OF, list(account_ids)))


async def newest(conn: Connection, account_id: UUID, limit: int) -> tuple[Subscription, ...]:
    """Return the account's newest subscriptions."""
    return tuple(_subscription(row) for row in await conn.fetch(LIST, account_id, limit))


async def save(conn: Connection, was: Subscription, now: Subscription) -> bool:
    """Write what changed; False if the row is no longer as it `was`."""
    written = await conn.fetchval(
        SAVE,
        was.account_id,
        was.subscription_id,
        now.status,
        now.period_index,
        now.period_start,
        now.period_end,
        now.next_bill_at,
        now.bill_error,
        now.bill_try_count,
        now.bill_retry_at,
        now.cancel_at_period_end,
        now.ends_at,
        was.status,
        was.period_index,
    )
    return written is not None


async def lock_due(
    conn: Connection, now: datetime, wall: datetime, test_clock_id: UUID | None, limit: int
) -> tuple[Subscription, ...]:
    """Return the subscriptions due longest on that clock, and lock them."""
    if test_clock_id is None:
        rows = await conn.fetch(CLAIM_DUE, now, wall, limit)
    else:
        rows = await conn.fetch(CLAIM_DUE_ON_CLOCK, now, wall, limit, test_clock_id)
    return tuple(_subscription(row) for row in rows)


async def next_due_at(conn: Connection, test_clock_id: UUID) -> datetime | None:
    """Return when the next subscription on that clock is billed; parked ones do not count."""
    at: datetime | None = await conn.fetchval(NEXT_DUE, test_clock_id)
    return at


def _subscription(row: asyncpg.Record) -> Subscription:
    return msgspec.convert(dict(row), Subscription)
