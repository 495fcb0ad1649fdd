"""The SQL of disputes."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.credit_notes.model import Dispute, DisputeStatus
from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest
from tallystick.money.amount import Money

_DISPUTE: Final = """
account_id, dispute_id, invoice_id, payment_id, gateway, reference, kind, code,
currency::text AS currency, amount_minor, paid_minor, status, respond_by, opened_at, ended_at
"""
INSERT: Final = """
INSERT INTO disputes (account_id, dispute_id, invoice_id, payment_id, gateway, reference, kind,
    code, currency, amount_minor, paid_minor, status, respond_by, opened_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (account_id, gateway, reference, invoice_id) DO NOTHING RETURNING dispute_id
"""
FIND: Final = f"SELECT {_DISPUTE} FROM disputes WHERE account_id = $1 AND dispute_id = $2"  # noqa: S608
# One reference may stand for several invoices; always locked in the order of their ids.
LOCK: Final = f"""
SELECT {_DISPUTE} FROM disputes WHERE account_id = $1 AND gateway = $2 AND reference = $3
ORDER BY invoice_id FOR NO KEY UPDATE
"""  # noqa: S608 - our own columns
SAVE: Final = """
UPDATE disputes SET status = $3, ended_at = $4, code = $5, respond_by = $6
WHERE account_id = $1 AND dispute_id = $2
"""
TAKEN: Final = """
SELECT coalesce(sum(amount_minor), 0)::bigint FROM disputes
WHERE account_id = $1 AND payment_id = $2 AND status IN ('opened', 'lost')
    AND ($3::text IS NULL OR kind = $3)
"""
TAKEN_OF_INVOICE: Final = """
SELECT coalesce(sum(amount_minor), 0)::bigint FROM disputes
WHERE account_id = $1 AND payment_id = $2 AND invoice_id = $3 AND status IN ('opened', 'lost')
"""
_WHICH: Final = "($1::uuid IS NULL OR account_id = $1) AND ($2::text IS NULL OR status = $2)"
PAGE: Final = f"""
SELECT {_DISPUTE} FROM disputes
WHERE {_WHICH} AND ($3::timestamptz IS NULL OR (opened_at, dispute_id) < ($3, $4::uuid))
ORDER BY opened_at DESC, dispute_id DESC LIMIT $5 OFFSET $6
"""  # noqa: S608 - our own columns
COUNT: Final = f"SELECT count(*) FROM disputes WHERE {_WHICH}"  # noqa: S608
OF_INVOICE: Final = f"""
SELECT {_DISPUTE} FROM disputes WHERE account_id = $1 AND invoice_id = $2
ORDER BY opened_at, dispute_id
"""  # noqa: S608 - our own columns


async def insert(conn: Connection, dispute: Dispute) -> bool:
    """Write a dispute; False if the gateway told of it before."""
    written = await conn.fetchval(
        INSERT, dispute.account_id, dispute.dispute_id, dispute.invoice_id, dispute.payment_id,
        dispute.gateway, dispute.reference, dispute.kind, dispute.code, dispute.currency,
        dispute.amount.minor, dispute.paid.minor, dispute.status, dispute.respond_by,
        dispute.opened_at,
    )  # fmt: skip
    return written is not None


async def find(conn: Connection, account_id: UUID, dispute_id: UUID) -> Dispute | None:
    """Return one dispute."""
    row = await conn.fetchrow(FIND, account_id, dispute_id)
    return _dispute(row) if row else None


async def lock(
    conn: Connection, account_id: UUID, gateway: str, reference: str
) -> tuple[Dispute, ...]:
    """Return what a gateway calls so, one for each invoice, and lock the rows."""
    return _disputes(await conn.fetch(LOCK, account_id, gateway, reference))


async def save(conn: Connection, dispute: Dispute) -> None:
    """Write how a locked dispute stands."""
    await conn.execute(
        SAVE, dispute.account_id, dispute.dispute_id, dispute.status, dispute.ended_at,
        dispute.code, dispute.respond_by,
    )  # fmt: skip


async def taken(
    conn: Connection, account_id: UUID, payment_id: UUID, kind: str | None = None
) -> int:
    """Return what banks have of a payment, in minor units."""
    minor: int = await conn.fetchval(TAKEN, account_id, payment_id, kind)
    return minor


async def taken_of_invoice(
    conn: Connection, account_id: UUID, payment_id: UUID, invoice_id: UUID
) -> int:
    """Return what banks have of an invoice's part of a payment, in minor units."""
    minor: int = await conn.fetchval(TAKEN_OF_INVOICE, account_id, payment_id, invoice_id)
    return minor


async def page(
    conn: Connection, account_id: UUID | None, status: DisputeStatus | None, request: PageRequest
) -> tuple[Dispute, ...]:
    """Return one row more than the page has, newest first."""
    at, last = (request.after.at, request.after.id) if request.after else (None, None)
    which = account_id, status
    rows = await conn.fetch(PAGE, *which, at, last, request.limit + 1, request.offset)
    return _disputes(rows)


async def count(conn: Connection, account_id: UUID | None, status: DisputeStatus | None) -> int:
    """Return how many disputes there are."""
    return int(await conn.fetchval(COUNT, account_id, status))


async def of_invoice(conn: Connection, account_id: UUID, invoice_id: UUID) -> tuple[Dispute, ...]:
    """Return the disputes of an invoice, the first one first."""
    return _disputes(await conn.fetch(OF_INVOICE, account_id, invoice_id))


def _disputes(rows: Iterable[asyncpg.Record]) -> tuple[Dispute, ...]:
    return tuple(_dispute(row) for row in rows)


def _dispute(row: asyncpg.Record) -> Dispute:
    fields = dict(row)
    for name in ("amount", "paid"):
        fields[name] = Money(fields.pop(f"{name}_minor"), fields["currency"])
    return msgspec.convert(fields, Dispute)
