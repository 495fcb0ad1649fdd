"""The SQL of what is to be paid back, and of the parts in which that was done."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.credit_notes.model import Refund, RefundPart, RefundStatus
from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest
from tallystick.money.amount import Money

_REFUND: Final = """
account_id, refund_id, credit_note_id, invoice_id, currency::text AS currency, amount_minor,
made_minor, status, problem, made_through, reference, requested_at, made_at
"""
_PART: Final = """
account_id, refund_part_id, refund_id, amount_minor, through, reference, made_at, failed_at
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
SAVE: Final = """
UPDATE refunds SET made_minor = $3, status = $4, problem = $5, made_through = $6, reference = $7,
    made_at = $8
WHERE account_id = $1 AND refund_id = $2
"""
CANCEL: Final = """
UPDATE refunds SET status = 'canceled', problem = NULL
WHERE account_id = $1 AND credit_note_id = $2 AND status = 'requested' AND made_minor = 0
RETURNING refund_id
"""
OF_NOTES: Final = f"""
SELECT {_REFUND} FROM refunds WHERE account_id = $1 AND credit_note_id = ANY ($2::uuid[])
"""  # noqa: S608 - our own columns
OF_INVOICE: Final = f"""
SELECT {_REFUND} FROM refunds WHERE account_id = $1 AND invoice_id = $2
ORDER BY requested_at, refund_id
"""  # noqa: S608 - our own columns
WAITING: Final = f"""
SELECT {_REFUND} FROM refunds
WHERE status IN ('requested', 'processing') AND ($1::uuid IS NULL OR account_id = $1)
ORDER BY requested_at, refund_id LIMIT $2
"""  # noqa: S608 - our own columns
DUE: Final = f"""
SELECT {_REFUND} FROM refunds WHERE status = 'requested' AND problem IS NULL
ORDER BY requested_at, refund_id LIMIT $1
"""  # noqa: S608 - our own columns
_WHICH: Final = "($1::uuid IS NULL OR account_id = $1) AND status = ANY ($2::text[])"
PAGE: Final = f"""
SELECT {_REFUND} FROM refunds
WHERE {_WHICH} AND ($3::timestamptz IS NULL OR (requested_at, refund_id) < ($3, $4::uuid))
ORDER BY requested_at DESC, refund_id DESC LIMIT $5 OFFSET $6
"""  # noqa: S608 - our own columns
COUNT: Final = f"SELECT count(*) FROM refunds WHERE {_WHICH}"  # noqa: S608
INSERT_PART: Final = """
INSERT INTO refund_parts (account_id, refund_part_id, refund_id, amount_minor, through, reference,
    made_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (account_id, refund_part_id) DO NOTHING RETURNING refund_part_id
"""
FAIL_PART: Final = f"""
UPDATE refund_parts SET failed_at = $4
WHERE account_id = $1 AND refund_id = $2 AND refund_part_id = $3 AND failed_at IS NULL
RETURNING {_PART}
"""  # noqa: S608 - our own columns
PARTS: Final = f"""
SELECT {_PART} FROM refund_parts WHERE account_id = $1 AND refund_id = $2
ORDER BY made_at, refund_part_id
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


async def save(conn: Connection, refund: Refund) -> None:
    """Write where a locked wish stands."""
    await conn.execute(
        SAVE, refund.account_id, refund.refund_id, refund.made.minor, refund.status,
        refund.problem, refund.made_through, refund.reference, refund.made_at,
    )  # fmt: skip


async def cancel(conn: Connection, account_id: UUID, credit_note_id: UUID) -> bool:
    """Take back the wish of a note; False if it is under way, or some of it was made."""
    return await conn.fetchval(CANCEL, account_id, credit_note_id) is not None


async def of_notes(
    conn: Connection, account_id: UUID, credit_note_ids: list[UUID]
) -> dict[UUID, Refund]:
    """Return the wishes of these notes, by note."""
    rows = await conn.fetch(OF_NOTES, account_id, credit_note_ids)
    return {row["credit_note_id"]: _refund(row) for row in rows}


async def of_invoice(conn: Connection, account_id: UUID, invoice_id: UUID) -> tuple[Refund, ...]:
    """Return the wishes of an invoice, the first one first."""
    return _refunds(await conn.fetch(OF_INVOICE, account_id, invoice_id))


async def waiting(conn: Connection, account_id: UUID | None, limit: int) -> tuple[Refund, ...]:
    """Return the oldest wishes that are not paid back whole yet; None: of all accounts."""
    return _refunds(await conn.fetch(WAITING, account_id, limit))


async def due(conn: Connection, limit: int) -> tuple[Refund, ...]:
    """Return the oldest wishes that nobody looked at yet, of all accounts."""
    return _refunds(await conn.fetch(DUE, limit))


async def page(
    conn: Connection,
    account_id: UUID | None,
    statuses: Sequence[RefundStatus],
    request: PageRequest,
) -> tuple[Refund, ...]:
    """Return one row more than the page has, newest first."""
    at, last = (request.after.at, request.after.id) if request.after else (None, None)
    which = account_id, list(statuses)
    rows = await conn.fetch(PAGE, *which, at, last, request.limit + 1, request.offset)
    return _refunds(rows)


async def count(conn: Connection, account_id: UUID | None, statuses: Sequence[RefundStatus]) -> int:
    """Return how many wishes there are."""
    return int(await conn.fetchval(COUNT, account_id, list(statuses)))


async def insert_part(conn: Connection, part: RefundPart) -> bool:
    """Write a part that was paid back; False if it was written before."""
    written = await conn.fetchval(
        INSERT_PART, part.account_id, part.refund_part_id, part.refund_id, part.amount.minor,
        part.through, part.reference, part.made_at,
    )  # fmt: skip
    return written is not None


async def fail_part(
    conn: Connection, refund: Refund, refund_part_id: UUID, at: datetime
) -> RefundPart | None:
    """Write that a part came back; None if that was written before, or there is no such part."""
    row = await conn.fetchrow(FAIL_PART, refund.account_id, refund.refund_id, refund_part_id, at)
    return _part(row, refund.currency) if row else None


async def parts_of(conn: Connection, account_id: UUID, refund_id: UUID) -> tuple[RefundPart, ...]:
    """Return the parts of a wish, the first one first."""
    refund = await find(conn, account_id, refund_id)
    if refund is None:
        return ()
    rows = await conn.fetch(PARTS, account_id, refund_id)
    return tuple(_part(row, refund.currency) for row in rows)


def _refunds(rows: Iterable[asyncpg.Record]) -> tuple[Refund, ...]:
    return tuple(_refund(row) for row in rows)


def _refund(row: asyncpg.Record) -> Refund:
    fields = dict(row)
    fields["amount"] = Money(fields.pop("amount_minor"), fields["currency"])
    fields["made"] = Money(fields.pop("made_minor"), fields["currency"])
    return msgspec.convert(fields, Refund)


def _part(row: asyncpg.Record, currency: str) -> RefundPart:
    fields = dict(row)
    fields["amount"] = Money(fields.pop("amount_minor"), currency)
    return msgspec.convert(fields, RefundPart)
