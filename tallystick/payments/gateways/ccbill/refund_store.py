"""SQL of refunds at CCBill under our keys, for its service knows none."""

from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.kernel.db import Connection
from tallystick.money.amount import Money
from tallystick.payments.outcomes import Outcome

# A second one of the same subscription meets the unique index, and waits.
INSERT: Final = """
INSERT INTO ccbill_refunds (account_id, idempotency_key, refund_id, subscription_id,
    charge_reference, currency, amount_minor, reversed_before, sent_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (account_id, idempotency_key) DO NOTHING RETURNING idempotency_key
"""
FIND: Final = """
SELECT account_id, idempotency_key, refund_id, subscription_id, charge_reference, currency,
    amount_minor, reversed_before, sent_at, outcome::text AS outcome
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


# The oldest of ours that no webhook has told of, or the one that this webhook told of before; which
# account's it is follows from the charge, under the writer's scope.
TELL: Final = """
UPDATE ccbill_refunds SET told_by = $1 WHERE (account_id, idempotency_key) = (
    SELECT account_id, idempotency_key FROM ccbill_refunds
    WHERE charge_reference = $2 AND currency = $3 AND amount_minor = $4
        AND (told_by IS NULL OR told_by = $1)
        AND (outcome IS NULL OR outcome ->> 'type' = 'Succeeded')
    ORDER BY told_by NULLS LAST, sent_at LIMIT 1 FOR NO KEY UPDATE)
RETURNING refund_id
"""
# By both ids, else the newest charge of the sale that is as large as what went back.
CHARGE_OF: Final = """
SELECT reference FROM payments
WHERE gateway = 'ccbill' AND settled_at IS NOT NULL AND (reference = $1 OR (currency = $3
    AND received_minor >= $4 AND (reference = $2 OR starts_with(reference, $2 || '/'))))
ORDER BY reference = $1 DESC, settled_at DESC LIMIT 1
"""


class RefundRow(msgspec.Struct, frozen=True, kw_only=True):
    """A refund that was sent; `reversed_before` counts refunds and voids until then."""

    account_id: UUID
    idempotency_key: str
    refund_id: UUID
    subscription_id: str
    charge_reference: str
    currency: str
    amount_minor: int
    reversed_before: int
    sent_at: datetime
    outcome: Outcome | None = None


async def insert(conn: Connection, row: RefundRow) -> bool:
    """Note that it is sent now; False if its key is known, or another one is under way."""
    values = msgspec.structs.astuple(row)[:-1]
    try:
        async with conn.transaction():
            made = await conn.fetchval(INSERT, *values)
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


async def tell(conn: Connection, name: str, charge_reference: str, amount: Money) -> UUID | None:
    """Return our id of the refund that the webhook `name` tells of; None: it is not ours."""
    values = (name, charge_reference, amount.currency, amount.minor)
    found: UUID | None = await conn.fetchval(TELL, *values)
    return found


async def charge_of(
    conn: Connection, charge_reference: str, subscription_id: str, amount: Money
) -> str | None:
    """Return our name of the charge of which so much went back; None: it is not ours."""
    values = (charge_reference, subscription_id, amount.currency, amount.minor)
    found: str | None = await conn.fetchval(CHARGE_OF, *values)
    return found
