"""SQL of what invoices left to later ones: credit beyond what they billed, too small amounts."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg

from tallystick.invoices.adjustments import Adjustment, Kept, OpenAdjustment
from tallystick.kernel.db import Connection
from tallystick.money.amount import Money

KEEP: Final = """
INSERT INTO invoice_adjustments (account_id, invoice_id, currency, kind, amount_minor, left_minor,
    created_at)
VALUES ($1, $2, $3, $4, $5, $5, $6)
"""
OPEN: Final = """
SELECT a.account_id, a.invoice_id, a.kind, i.number, a.left_minor, a.currency::text AS currency
FROM invoice_adjustments a JOIN invoices i USING (account_id, invoice_id)
WHERE a.account_id = ANY ($1::uuid[]) AND a.left_minor > 0 AND a.kind IN ('credit', 'carried')
ORDER BY a.account_id, a.created_at, a.invoice_id
"""
LOCK_OPEN: Final = f"{OPEN} FOR NO KEY UPDATE OF a"
LOCK_REFUNDS: Final = """
SELECT a.invoice_id, i.number, a.left_minor, a.currency::text AS currency
FROM invoice_adjustments a JOIN invoices i USING (account_id, invoice_id)
WHERE a.account_id = $1 AND a.left_minor > 0 AND a.kind = 'refund'
ORDER BY a.created_at, a.invoice_id FOR NO KEY UPDATE OF a
"""
TAKE: Final = """
UPDATE invoice_adjustments SET left_minor = left_minor - $3
WHERE account_id = $1 AND invoice_id = $2
"""
USE: Final = """
WITH used AS (
    INSERT INTO invoice_adjustment_uses (account_id, invoice_id, source_invoice_id, amount_minor)
    SELECT $1, $2, u.invoice_id, u.minor FROM unnest($3::uuid[], $4::bigint[])
        AS u (invoice_id, minor)
    RETURNING source_invoice_id, amount_minor)
UPDATE invoice_adjustments a SET left_minor = a.left_minor - used.amount_minor
FROM used WHERE a.account_id = $1 AND a.invoice_id = used.source_invoice_id
"""
# Only what is whole: what a later invoice used stays used.
WITHDRAW: Final = """
UPDATE invoice_adjustments SET left_minor = 0
WHERE account_id = $1 AND invoice_id = $2 AND left_minor = amount_minor RETURNING invoice_id
"""
HAS_LEFT: Final = """
SELECT EXISTS (SELECT FROM invoice_adjustments WHERE account_id = $1 AND invoice_id = $2)
"""
GIVE_BACK: Final = """
UPDATE invoice_adjustments a SET left_minor = a.left_minor + u.amount_minor
FROM invoice_adjustment_uses u
WHERE u.account_id = $1 AND u.invoice_id = $2
  AND a.account_id = u.account_id AND a.invoice_id = u.source_invoice_id
"""


async def keep(conn: Connection, account_id: UUID, invoice_id: UUID, kept: Kept) -> None:
    """Keep what an invoice gave back beyond what it billed."""
    amount = kept.amount
    await conn.execute(
        KEEP, account_id, invoice_id, amount.currency, kept.kind, amount.minor, kept.at
    )


async def open_adjustments(
    conn: Connection, account_ids: Sequence[UUID], *, lock: bool
) -> tuple[OpenAdjustment, ...]:
    """Return what later invoices of these accounts take off or bill, oldest first."""
    rows = await conn.fetch(LOCK_OPEN if lock else OPEN, list(account_ids))
    return tuple(OpenAdjustment(row["account_id"], row["kind"], _adjustment(row)) for row in rows)


async def lock_refunds(conn: Connection, account_id: UUID) -> tuple[Adjustment, ...]:
    """Return what invoices gave back to be paid out and no credit note has yet, oldest first."""
    return tuple(_adjustment(row) for row in await conn.fetch(LOCK_REFUNDS, account_id))


async def take(conn: Connection, account_id: UUID, invoice_id: UUID, minor: int) -> None:
    """Note that so much of what an invoice gave back stands on credit notes now."""
    await conn.execute(TAKE, account_id, invoice_id, minor)


async def use(
    conn: Connection, account_id: UUID, invoice_id: UUID, used: Sequence[tuple[UUID, Money]]
) -> None:
    """Take off, or bill, what an invoice used, and note it."""
    if not used:
        return
    ids = [source for source, _ in used]
    await conn.execute(USE, account_id, invoice_id, ids, [amount.minor for _, amount in used])


async def withdraw(conn: Connection, account_id: UUID, invoice_id: UUID) -> bool:
    """Take back what an invoice left to later ones; False if one of them used some of it."""
    if not await conn.fetchval(HAS_LEFT, account_id, invoice_id):
        return True
    return await conn.fetchval(WITHDRAW, account_id, invoice_id) is not None


async def give_back(conn: Connection, account_id: UUID, invoice_id: UUID) -> None:
    """Leave to later invoices again what this one used."""
    await conn.execute(GIVE_BACK, account_id, invoice_id)


def _adjustment(row: asyncpg.Record) -> Adjustment:
    return Adjustment(
        invoice_id=row["invoice_id"],
        number=row["number"],
        left=Money(row["left_minor"], row["currency"]),
    )
