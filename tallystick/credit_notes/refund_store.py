"""The SQL of what is to be paid back."""

from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.credit_notes.model import Refund
from tallystick.kernel.db import Connection
from tallystick.money.amount import Money

_REFUND: Final = """
account_id, refund_id, credit_note_id, invoice_id, currency::text AS currency, amount_minor,
status, made_through, reference, requested_at, made_at
"""
INSERT: Final = """
INSERT INTO refunds (account_id, refund_id, credit_note_id, invoice_id, currency, amount_minor,
    status, requested_at)
VALUES ($1, $2, $3, $4, $5, $6, 'requested', $7)
"""
REFUNDED: Final = """
SELECT coalesce(sum(amount_minor), 0)::bigint FROM refunds
WHERE account_id = $1 AND invoice_id = $2 AND status <> 'canceled'
"""
FIND: Final = f"SELECT {_REFUND} FROM refunds WHERE account_id = $1 AND refund_id = $2"  # noqa: S608
LOCK: Final = f"{FIND} FOR NO KEY UPDATE"
OWNER: Final = "SELECT account_id FROM refunds WHERE refund_id = $1"
MAKE: Final = """
UPDATE refunds SET status = 'made', made_through = $3, reference = $4, made_at = $5
WHERE account_id = $1 AND refund_id = $2 AND status = 'requested' RETURNING refund_id
"""
CANCEL: Final = """
UPDATE refunds SET status = 'canceled'
WHERE account_id = $1 AND credit_note_id = $2 AND status = 'requested' RETURNING refund_id
"""
OF_NOTES: Final = f"""
SELECT {_REFUND} FROM refunds WHERE account_id = $1 AND credit_note_id = ANY ($2::uuid[])
"""  # noqa: S608 - our own columns
WAITING: Final = f"""
SELECT {_REFUND} FROM refunds
WHERE status = 'requested' AND ($1::uuid IS NULL OR account_id = $1)
ORDER BY requested_at, refund_id LIMIT $2
"""  # noqa: S608 - our own columns


async def insert(conn: Connection, refund: Refund) -> None:
    """Write a wish."""
    await conn.execute(
        INSERT, refund.account_id, refund.refund_id, refund.credit_note_id, refund.invoice_id,
        refund.currency, refund.amount.minor, refund.requested_at,
    )  # fmt: skip


async def refunded(conn: Connection, account_id: UUID, invoice_id: UUID) -> int:
    """Return how much of an invoice is to be, or was, paid back, in minor units."""
    minor: int = await conn.fetchval(REFUNDED, account_id, invoice_id)
    return minor


async def find(conn: Connection, account_id: UUID, refund_id: UUID) -> Refund | None:
    """Return one wish."""
    row = await conn.fetchrow(FIND, account_id, refund_id)
    return _refund(row) if row else None


async def lock(conn: Connection, account_id: UUID, refund_id: UUID) -> Refund | None:
    """Return one wish, and lock its row."""
    row = await conn.fetchrow(LOCK, account_id, refund_id)
    return _refund(row) if row else None


async def owner(conn: Connection, refund_id: UUID) -> UUID | None:
    """Return whose it is, for staff who name it alone."""
    found: UUID | None = await conn.fetchval(OWNER, refund_id)
    return found


async def make(
    conn: Connection, refund: Refund, through: str, reference: str, at: datetime
) -> bool:
    """Write that it was paid back; False if it is no longer requested."""
    done = await conn.fetchval(MAKE, refund.account_id, refund.refund_id, through, reference, at)
    return done is not None


async def cancel(conn: Connection, account_id: UUID, credit_note_id: UUID) -> bool:
    """Take back the wish of a note; False if it was made already."""
    return await conn.fetchval(CANCEL, account_id, credit_note_id) is not None


async def of_notes(
    conn: Connection, account_id: UUID, credit_note_ids: list[UUID]
) -> dict[UUID, Refund]:
    """Return the wishes of these notes, by note."""
    rows = await conn.fetch(OF_NOTES, account_id, credit_note_ids)
    return {row["credit_note_id"]: _refund(row) for row in rows}


async def waiting(conn: Connection, account_id: UUID | None, limit: int) -> tuple[Refund, ...]:
    """Return the oldest wishes that nobody has paid back yet; None: of all accounts."""
    return tuple(_refund(row) for row in await conn.fetch(WAITING, account_id, limit))


def _refund(row: asyncpg.Record) -> Refund:
    fields = dict(row)
    fields["amount"] = Money(fields.pop("amount_minor"), fields["currency"])
    return msgspec.convert(fields, Refund)
