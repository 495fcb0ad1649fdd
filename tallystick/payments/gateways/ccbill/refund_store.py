"""SQL of refunds at CCBill under our keys, for its service knows none."""

from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.kernel.db import Connection
from tallystick.payments.outcomes import Outcome

# A second one of the same subscription meets the unique index, and waits.
INSERT: Final = """
INSERT INTO ccbill_refunds (account_id, idempotency_key, subscription_id, reversed_before, sent_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id, idempotency_key) DO NOTHING RETURNING idempotency_key
"""
FIND: Final = """
SELECT account_id, idempotency_key, subscription_id, reversed_before, sent_at,
    outcome::text AS outcome
FROM ccbill_refunds WHERE account_id = $1 AND idempotency_key = $2
"""
FORGET: Final = """
DELETE FROM ccbill_refunds
WHERE account_id = $1 AND idempotency_key = $2 AND outcome IS NULL
"""
FINISH: Final = """
UPDATE ccbill_refunds SET outcome = $3::text::jsonb
WHERE account_id = $1 AND idempotency_key = $2 AND outcome IS NULL
"""


class RefundRow(msgspec.Struct, frozen=True, kw_only=True):
    """A refund that was sent; `reversed_before` counts refunds and voids until then."""

    account_id: UUID
    idempotency_key: str
    subscription_id: str
    reversed_before: int
    sent_at: datetime
    outcome: Outcome | None = None


async def insert(conn: Connection, row: RefundRow) -> bool:
    """Note that it is sent now; False if its key is known, or another one is under way."""
    values = (row.subscription_id, row.reversed_before, row.sent_at)
    try:
        async with conn.transaction():
            made = await conn.fetchval(INSERT, row.account_id, row.idempotency_key, *values)
    except asyncpg.UniqueViolationError:
        return False
    return made is not None


async def find(conn: Connection, account_id: UUID, key: str) -> RefundRow | None:
    """Return the refund under a key."""
    row = await conn.fetchrow(FIND, account_id, key)
    if row is None:
        return None
    outcome = row["outcome"]
    known = None if outcome is None else msgspec.json.decode(outcome, type=Outcome)
    return RefundRow(**{**dict(row), "outcome": known})


async def forget(conn: Connection, row: RefundRow) -> None:
    """Note that nothing was sent after all."""
    await conn.execute(FORGET, row.account_id, row.idempotency_key)


async def finish(conn: Connection, row: RefundRow, outcome: Outcome) -> None:
    """Note what became of it, once."""
    said = msgspec.json.encode(outcome).decode()
    await conn.execute(FINISH, row.account_id, row.idempotency_key, said)
