"""SQL of what invoices gave back beyond what they billed."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg

from tallystick.invoices.adjustments import Adjustment, Kept
from tallystick.kernel.db import Connection
from tallystick.money.amount import Money

KEEP: Final = """
INSERT INTO invoice_adjustments (account_id, invoice_id, currency, kind, amount_minor, left_minor,
    created_at)
VALUES ($1, $2, $3, $4, $5, $5, $6)
"""
OPEN: Final = """
SELECT a.invoice_id, i.number, a.left_minor, a.currency::text AS currency
FROM invoice_adjustments a JOIN invoices i USING (account_id, invoice_id)
WHERE a.account_id = $1 AND a.left_minor > 0 AND a.kind = 'credit'
ORDER BY a.created_at, a.invoice_id
"""
LOCK_OPEN: Final = f"{OPEN} FOR NO KEY UPDATE OF a"
USE: Final = """
UPDATE invoice_adjustments a SET left_minor = a.left_minor - u.minor
FROM unnest($2::uuid[], $3::bigint[]) AS u (invoice_id, minor)
WHERE a.account_id = $1 AND a.invoice_id = u.invoice_id
"""


async def keep(conn: Connection, account_id: UUID, invoice_id: UUID, kept: Kept) -> None:
    """Keep what an invoice gave back beyond what it billed."""
    amount = kept.amount
    await conn.execute(
        KEEP, account_id, invoice_id, amount.currency, kept.kind, amount.minor, kept.at
    )


async def lock_open(conn: Connection, account_id: UUID) -> tuple[Adjustment, ...]:
    """Return what can be taken off the account's invoices, oldest first, and lock it."""
    return tuple(_adjustment(row) for row in await conn.fetch(LOCK_OPEN, account_id))


async def open_credit(conn: Connection, account_id: UUID) -> tuple[Adjustment, ...]:
    """Return the same without a lock, for who takes nothing."""
    return tuple(_adjustment(row) for row in await conn.fetch(OPEN, account_id))


async def use(conn: Connection, account_id: UUID, used: Sequence[tuple[UUID, Money]]) -> None:
    """Take off what an invoice used."""
    if not used:
        return
    ids = [invoice_id for invoice_id, _ in used]
    await conn.execute(USE, account_id, ids, [amount.minor for _, amount in used])


def _adjustment(row: asyncpg.Record) -> Adjustment:
    return Adjustment(
        invoice_id=row["invoice_id"],
        number=row["number"],
        left=Money(row["left_minor"], row["currency"]),
    )
