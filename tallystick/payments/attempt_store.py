"""The SQL of payment attempts: one try at one gateway."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.kernel.db import Connection
from tallystick.payments.model import Attempt

INSERT: Final = """
INSERT INTO payment_attempts (account_id, payment_attempt_id, payment_id, number,
    idempotency_key, gateway, outcome, gateway_reference, code, hard, resolve_after, resolve_count,
    created_at, ended_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""
LAST_NUMBER: Final = """
SELECT coalesce(max(number), 0) FROM payment_attempts WHERE account_id = $1 AND payment_id = $2
"""
FIND: Final = """
SELECT * FROM payment_attempts WHERE account_id = $1 AND payment_attempt_id = $2
"""
LOCK: Final = f"{FIND} FOR NO KEY UPDATE"
LAST: Final = """
SELECT * FROM payment_attempts WHERE account_id = $1 AND payment_id = $2
ORDER BY number DESC LIMIT 1
"""
LIST: Final = """
SELECT * FROM payment_attempts WHERE account_id = $1 AND payment_id = $2 ORDER BY number
"""
# A gateway's own name for a charge is one charge's, whosever it is.
FIND_BY_REFERENCE: Final = """
SELECT * FROM payment_attempts WHERE gateway = $1 AND gateway_reference = $2
ORDER BY created_at DESC LIMIT 1
"""
# A page of the gateway's own has no reference yet: that page says what to do.
AWAITING_PAYER: Final = """
SELECT payment_id FROM payment_attempts
WHERE account_id = $1 AND payment_id = ANY ($2::uuid[]) AND outcome = 'needs_action'
    AND gateway_reference IS NOT NULL
"""
UPDATE: Final = """
UPDATE payment_attempts SET outcome = $3, gateway_reference = $4, code = $5, hard = $6,
    resolve_after = $7, ended_at = $8
WHERE account_id = $1 AND payment_attempt_id = $2
"""
# A look takes a lease: when its process dies, another one looks after it has run out.
LEASE_DUE: Final = """
UPDATE payment_attempts
SET resolve_after = $1::timestamptz + $2::interval, resolve_count = resolve_count + 1
WHERE (account_id, payment_attempt_id) IN (
    SELECT account_id, payment_attempt_id FROM payment_attempts
    WHERE resolve_after <= $1 AND gateway = ANY($3)
        AND outcome IN ('created', 'needs_action', 'pending', 'unknown')
    ORDER BY resolve_after LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING *
"""
OLDEST_OPEN: Final = """
SELECT min(created_at) FROM payment_attempts
WHERE gateway = $1 AND outcome IN ('created', 'pending', 'unknown')
"""
POSTPONE: Final = """
UPDATE payment_attempts
SET resolve_after = $3, gateway_reference = coalesce(gateway_reference, $5)
WHERE account_id = $1 AND payment_attempt_id = $2 AND outcome = $4 AND resolve_after IS NOT NULL
"""


async def insert(conn: Connection, attempt: Attempt) -> None:
    """Write an attempt; a second live one of its payment is refused by the database."""
    await conn.execute(INSERT, *msgspec.structs.astuple(attempt))


async def next_number(conn: Connection, account_id: UUID, payment_id: UUID) -> int:
    """Return the number of the payment's next try; its row must be locked."""
    return int(await conn.fetchval(LAST_NUMBER, account_id, payment_id)) + 1


async def find(conn: Connection, account_id: UUID, attempt_id: UUID) -> Attempt | None:
    """Return an attempt."""
    return _attempt(await conn.fetchrow(FIND, account_id, attempt_id))


async def lock(conn: Connection, account_id: UUID, attempt_id: UUID) -> Attempt | None:
    """Return an attempt, which nobody else changes until the transaction ends."""
    return _attempt(await conn.fetchrow(LOCK, account_id, attempt_id))


async def last(conn: Connection, account_id: UUID, payment_id: UUID) -> Attempt | None:
    """Return the payment's newest try."""
    return _attempt(await conn.fetchrow(LAST, account_id, payment_id))


async def of_payment(conn: Connection, account_id: UUID, payment_id: UUID) -> list[Attempt]:
    """Return all tries of a payment, the first one first."""
    return [_known(row) for row in await conn.fetch(LIST, account_id, payment_id)]


async def find_by_reference(conn: Connection, gateway: str, reference: str) -> Attempt | None:
    """Return the attempt that the gateway calls so, under the writer's scope."""
    return _attempt(await conn.fetchrow(FIND_BY_REFERENCE, gateway, reference))


async def awaiting_payer(
    conn: Connection, account_id: UUID, payment_ids: Sequence[UUID]
) -> frozenset[UUID]:
    """Return those of the payments that their payer has to confirm with the bank."""
    rows = await conn.fetch(AWAITING_PAYER, account_id, list(payment_ids))
    return frozenset(row["payment_id"] for row in rows)


async def update(conn: Connection, attempt: Attempt) -> None:
    """Write what is known of an attempt now."""
    await conn.execute(
        UPDATE,
        attempt.account_id,
        attempt.payment_attempt_id,
        attempt.outcome,
        attempt.gateway_reference,
        attempt.code,
        attempt.hard,
        attempt.resolve_after,
        attempt.ended_at,
    )


async def lease_due(
    conn: Connection, now: datetime, lease: timedelta, gateways: Sequence[str], limit: int
) -> list[Attempt]:
    """Take attempts whose answer is overdue; nobody else looks until the lease has run out."""
    rows = await conn.fetch(LEASE_DUE, now, lease, list(gateways), limit)
    return [_known(row) for row in rows]


async def oldest_open(conn: Connection, gateway: str) -> datetime | None:
    """Return since when an attempt waits for its gateway; None: none does."""
    at: datetime | None = await conn.fetchval(OLDEST_OPEN, gateway)
    return at


async def postpone(
    conn: Connection, attempt: Attempt, until: datetime | None, reference: str | None
) -> None:
    """Look again later, unless something became known meanwhile."""
    key = (attempt.account_id, attempt.payment_attempt_id)
    await conn.execute(POSTPONE, *key, until, attempt.outcome, reference)


def _attempt(row: "asyncpg.Record | None") -> Attempt | None:
    return None if row is None else _known(row)


def _known(row: "asyncpg.Record") -> Attempt:
    return msgspec.convert(dict(row), Attempt)
