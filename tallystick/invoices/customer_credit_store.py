"""SQL of what credit notes left accounts for their later invoices."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from tallystick.invoices.customer_credit_model import CustomerCredit, Use
from tallystick.kernel.db import Connection
from tallystick.money.amount import Money

KEEP: Final = """
INSERT INTO customer_credits (account_id, customer_credit_id, number, currency, amount_minor,
    left_minor, created_at)
VALUES ($1, $2, $3, $4, $5, $5, $6)
"""
OPEN: Final = """
SELECT customer_credit_id, number, left_minor, currency::text AS currency FROM customer_credits
WHERE account_id = $1 AND currency = $2 AND left_minor > 0 ORDER BY created_at, customer_credit_id
"""
LOCK_OF_ALL: Final = """
SELECT account_id, customer_credit_id, number, left_minor, currency::text AS currency
FROM customer_credits WHERE account_id = ANY ($1::uuid[]) AND left_minor > 0
ORDER BY account_id, created_at, customer_credit_id FOR NO KEY UPDATE
"""
USE: Final = """
WITH used AS (
    INSERT INTO customer_credit_uses (account_id, invoice_id, customer_credit_id, amount_minor,
        used_at)
    SELECT $1, $2, u.id, u.minor, $5 FROM unnest($3::uuid[], $4::bigint[]) AS u (id, minor)
    RETURNING customer_credit_id, amount_minor)
UPDATE customer_credits AS c SET left_minor = c.left_minor - used.amount_minor
FROM used WHERE c.account_id = $1 AND c.customer_credit_id = used.customer_credit_id
"""
USED_ON: Final = """
SELECT coalesce(sum(amount_minor), 0)::bigint FROM customer_credit_uses
WHERE account_id = $1 AND invoice_id = $2
"""
# Of an invoice that is void; the rows of its uses say what was used then.
GIVE_BACK: Final = """
UPDATE customer_credits AS c SET left_minor = c.left_minor + u.amount_minor
FROM customer_credit_uses AS u
WHERE u.account_id = $1 AND u.invoice_id = $2
  AND c.account_id = u.account_id AND c.customer_credit_id = u.customer_credit_id
"""
# Only what is whole: what an invoice used stays used.
WITHDRAW: Final = """
UPDATE customer_credits SET left_minor = 0
WHERE account_id = $1 AND customer_credit_id = $2 AND left_minor = amount_minor
RETURNING customer_credit_id
"""


async def keep(conn: Connection, account_id: UUID, credit: CustomerCredit, at: datetime) -> None:
    """Write what a note left."""
    left = credit.left
    await conn.execute(
        KEEP, account_id, credit.customer_credit_id, credit.number, left.currency, left.minor, at
    )


async def open_credit(
    conn: Connection, account_id: UUID, currency: str
) -> tuple[CustomerCredit, ...]:
    """Return what is left in this currency, oldest first."""
    return tuple(_credit(row) for row in await conn.fetch(OPEN, account_id, currency))


async def lock_of_all(
    conn: Connection, account_ids: Collection[UUID]
) -> dict[UUID, list[CustomerCredit]]:
    """Lock all that is left of these accounts' credits, and return it by account, oldest first."""
    found: dict[UUID, list[CustomerCredit]] = {}
    for row in await conn.fetch(LOCK_OF_ALL, list(account_ids)):
        found.setdefault(row["account_id"], []).append(_credit(row))
    return found


async def use(
    conn: Connection, account_id: UUID, invoice_id: UUID, uses: Sequence[Use], at: datetime
) -> None:
    """Take off what an invoice used, and note it."""
    ids = [one.customer_credit_id for one in uses]
    await conn.execute(USE, account_id, invoice_id, ids, [one.amount.minor for one in uses], at)


async def used_on(conn: Connection, account_id: UUID, invoice_id: UUID) -> int:
    """Return what an invoice used, in minor units."""
    used: int = await conn.fetchval(USED_ON, account_id, invoice_id)
    return used


async def withdraw(conn: Connection, account_id: UUID, customer_credit_id: UUID) -> bool:
    """Take a credit back; False if some of it was used."""
    return await conn.fetchval(WITHDRAW, account_id, customer_credit_id) is not None


def _credit(row: asyncpg.Record) -> CustomerCredit:
    return CustomerCredit(
        customer_credit_id=row["customer_credit_id"],
        number=row["number"],
        left=Money(row["left_minor"], row["currency"]),
    )


async def give_back(conn: Connection, account_id: UUID, invoice_id: UUID) -> None:
    """Leave to later invoices again what this one used."""
    await conn.execute(GIVE_BACK, account_id, invoice_id)
