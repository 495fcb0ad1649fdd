"""The SQL of payments: the wishes to collect an amount."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.kernel.paging import PageRequest
from tallystick.payments.model import Payment, PaymentStatus

# No matter which unique rule stops it: the same request key, or a live payment of that invoice.
INSERT: Final = """
INSERT INTO payments (account_id, payment_id, invoice_id, request_key, gateway, payment_method_id,
    currency, amount_minor, status, reference, failure_code, note, next_attempt_at, created_at,
    settled_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT DO NOTHING RETURNING payment_id
"""
FIND: Final = "SELECT * FROM payments WHERE account_id = $1 AND payment_id = $2"
LOCK: Final = f"{FIND} FOR NO KEY UPDATE"
FIND_BY_KEY: Final = "SELECT * FROM payments WHERE account_id = $1 AND request_key = $2"
FIND_LIVE: Final = """
SELECT * FROM payments WHERE account_id = $1 AND invoice_id = $2
    AND status IN ('pending', 'pending_approval', 'processing')
"""
# A person who rejects what never came by hand says nothing of the payer's means.
DECLINED: Final = """
SELECT DISTINCT invoice_id FROM payments
WHERE account_id = $1 AND invoice_id = ANY ($2::uuid[]) AND status = 'failed'
    AND failure_code <> 'rejected'
"""
PAGE: Final = """
SELECT * FROM payments
WHERE account_id = $1 AND ($2::timestamptz IS NULL OR (created_at, payment_id) < ($2, $3::uuid))
ORDER BY created_at DESC, payment_id DESC LIMIT $4 OFFSET $5
"""
CAME: Final = """
SELECT * FROM payments
WHERE account_id = $1 AND invoice_id = $2 AND settled_at IS NOT NULL AND status = ANY($3)
ORDER BY settled_at, payment_id LIMIT $4
"""
COUNT: Final = "SELECT count(*) FROM payments WHERE account_id = $1"
PENDING_SUMS: Final = """
SELECT currency, sum(amount_minor)::bigint AS minor FROM payments
WHERE account_id = $1 AND status IN ('pending', 'pending_approval', 'processing')
GROUP BY currency ORDER BY currency
"""
# Staff name a payment alone; the account it belongs to is the answer.
OWNER: Final = "SELECT account_id FROM payments WHERE payment_id = $1"
AWAITING_APPROVAL: Final = """
SELECT * FROM payments
WHERE status = 'pending_approval' AND ($1::uuid IS NULL OR account_id = $1)
ORDER BY created_at, payment_id LIMIT $2
"""
MOVE: Final = """
UPDATE payments SET status = $4, reference = coalesce($5, reference), failure_code = $6,
    settled_at = coalesce($7, settled_at), next_attempt_at = NULL
WHERE account_id = $1 AND payment_id = $2 AND status = $3 RETURNING payment_id
"""
SET_AMOUNT: Final = """
UPDATE payments SET amount_minor = $3
WHERE account_id = $1 AND payment_id = $2 AND status = 'pending'
"""
SET_NOTE: Final = "UPDATE payments SET note = $3 WHERE account_id = $1 AND payment_id = $2"
# The oldest wish first; what another worker holds is skipped, not waited for.
LOCK_DUE: Final = """
SELECT p.* FROM payments p
WHERE p.status = 'pending' AND p.next_attempt_at <= $1 AND p.gateway = ANY($3)
    AND EXISTS (SELECT FROM accounts a WHERE a.account_id = p.account_id
                AND a.test_clock_id IS NOT DISTINCT FROM $2::uuid)
ORDER BY p.next_attempt_at LIMIT $4 FOR NO KEY UPDATE OF p SKIP LOCKED
"""
NEXT_DUE: Final = """
SELECT min(next_attempt_at) FROM payments JOIN accounts USING (account_id)
WHERE test_clock_id = $1 AND status = 'pending' AND gateway = ANY($2)
"""


async def insert(conn: Connection, payment: Payment) -> bool:
    """Write a wish; False if its key exists, or a live payment of that invoice."""
    return await conn.fetchval(INSERT, *msgspec.structs.astuple(payment)) is not None


async def find(conn: Connection, account_id: UUID, payment_id: UUID) -> Payment | None:
    """Return a payment."""
    return _payment(await conn.fetchrow(FIND, account_id, payment_id))


async def lock(conn: Connection, account_id: UUID, payment_id: UUID) -> Payment | None:
    """Return a payment, which nobody else changes until the transaction ends."""
    return _payment(await conn.fetchrow(LOCK, account_id, payment_id))


async def find_by_key(conn: Connection, account_id: UUID, request_key: str) -> Payment | None:
    """Return the payment that this request made."""
    return _payment(await conn.fetchrow(FIND_BY_KEY, account_id, request_key))


async def find_live(conn: Connection, account_id: UUID, invoice_id: UUID) -> Payment | None:
    """Return the payment of this invoice that may still bring money."""
    return _payment(await conn.fetchrow(FIND_LIVE, account_id, invoice_id))


async def declined(
    conn: Connection, account_id: UUID, invoice_ids: Sequence[UUID]
) -> frozenset[UUID]:
    """Return those of the invoices for which a payment was declined."""
    rows = await conn.fetch(DECLINED, account_id, list(invoice_ids))
    return frozenset(row["invoice_id"] for row in rows)


async def came(
    conn: Connection, account_id: UUID, invoice_id: UUID, statuses: Sequence[str], limit: int
) -> list[Payment]:
    """Return an invoice's payments that came in and have one of these statuses, oldest first."""
    rows = await conn.fetch(CAME, account_id, invoice_id, list(statuses), limit)
    return [_known(row) for row in rows]


async def page(conn: Connection, account_id: UUID, request: PageRequest) -> list[Payment]:
    """Return one row more than the page has, newest first."""
    at, last = (request.after.at, request.after.id) if request.after else (None, None)
    rows = await conn.fetch(PAGE, account_id, at, last, request.limit + 1, request.offset)
    return [_known(row) for row in rows]


async def count(conn: Connection, account_id: UUID) -> int:
    """Return how many payments the account has."""
    return int(await conn.fetchval(COUNT, account_id))


async def pending_sums(conn: Connection, account_id: UUID) -> Mapping[str, int]:
    """Return what is under way, in minor units by currency."""
    rows = await conn.fetch(PENDING_SUMS, account_id)
    return {row["currency"]: row["minor"] for row in rows}


async def owner(conn: Connection, payment_id: UUID) -> UUID | None:
    """Return whose payment it is, under the writer's or the staff's scope."""
    account_id: UUID | None = await conn.fetchval(OWNER, payment_id)
    return account_id


async def awaiting_approval(conn: Connection, account_id: UUID | None, limit: int) -> list[Payment]:
    """Return what waits for a person, oldest first; None: of all accounts."""
    return [_known(row) for row in await conn.fetch(AWAITING_APPROVAL, account_id, limit)]


async def move(
    conn: Connection,
    was: Payment,
    status: PaymentStatus,
    *,
    reference: str | None = None,
    failure_code: str | None = None,
    settled_at: datetime | None = None,
) -> None:
    """Set the status, from that of `was` alone; raises Conflict when it moved meanwhile."""
    moved = await conn.fetchval(
        MOVE,
        was.account_id,
        was.payment_id,
        was.status,
        status,
        reference,
        failure_code,
        settled_at,
    )
    if moved is None:
        raise Conflict("payment_changed", "The payment changed meanwhile; look at it again.")


async def set_amount(conn: Connection, payment: Payment, minor: int) -> None:
    """Wish for another amount, before anything was asked of a gateway."""
    await conn.execute(SET_AMOUNT, payment.account_id, payment.payment_id, minor)


async def set_note(conn: Connection, payment: Payment, note: str) -> None:
    """Leave words for the people who look at the payment."""
    await conn.execute(SET_NOTE, payment.account_id, payment.payment_id, note)


async def lock_due(
    conn: Connection,
    now: datetime,
    test_clock_id: UUID | None,
    gateways: Sequence[str],
    limit: int,
) -> list[Payment]:
    """Return due wishes of the accounts on that clock (None: on none), locked."""
    rows = await conn.fetch(LOCK_DUE, now, test_clock_id, list(gateways), limit)
    return [_known(row) for row in rows]


async def next_due(
    conn: Connection, test_clock_id: UUID, gateways: Sequence[str]
) -> datetime | None:
    """Return when the next wish on that clock is due."""
    at: datetime | None = await conn.fetchval(NEXT_DUE, test_clock_id, list(gateways))
    return at


def _payment(row: "asyncpg.Record | None") -> Payment | None:
    return None if row is None else _known(row)


def _known(row: "asyncpg.Record") -> Payment:
    return msgspec.convert(dict(row), Payment)
