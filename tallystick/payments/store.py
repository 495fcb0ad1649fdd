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
from tallystick.payments.lifecycle import LIVE_PAYMENTS
from tallystick.payments.model import Part, Payment, PaymentStatus

_WHOLE: Final = """
SELECT p.*, (SELECT coalesce(jsonb_agg(to_jsonb(i) ORDER BY i.place), '[]')
             FROM (SELECT invoice_id, amount_minor, paid_minor, place FROM payment_invoices
                   WHERE account_id = p.account_id AND payment_id = p.payment_id) i) AS parts
FROM payments p"""
# A payment of its request key is there: nothing. A live one of an invoice: a unique violation.
# The parts by invoice id, so that two payments of the same invoices wait for each other in order.
INSERT: Final = """
WITH made AS (
    INSERT INTO payments (account_id, payment_id, request_key, gateway, payment_method_id,
        currency, amount_minor, status, reference, failure_code, note, next_attempt_at, created_at,
        settled_at, received_minor, method_code, proof_note, reference_key)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
    ON CONFLICT (account_id, request_key) DO NOTHING RETURNING account_id, payment_id
), parts AS (
    INSERT INTO payment_invoices (account_id, payment_id, invoice_id, place, amount_minor,
        paid_minor, live)
    SELECT m.account_id, m.payment_id, n.invoice_id, n.place, n.amount_minor, n.paid_minor, $22
    FROM made m, unnest($19::uuid[], $20::bigint[], $21::bigint[]) WITH ORDINALITY
        AS n (invoice_id, amount_minor, paid_minor, place)
    ORDER BY n.invoice_id
)
SELECT payment_id FROM made
"""
FIND: Final = f"{_WHOLE} WHERE p.account_id = $1 AND p.payment_id = $2"
LOCK: Final = """
SELECT payment_id FROM payments WHERE account_id = $1 AND payment_id = $2 FOR NO KEY UPDATE
"""
FIND_BY_KEY: Final = f"{_WHOLE} WHERE p.account_id = $1 AND p.request_key = $2"
FIND_LIVE: Final = f"""
{_WHOLE} JOIN payment_invoices l USING (account_id, payment_id)
WHERE p.account_id = $1 AND l.invoice_id = $2 AND l.live
"""
LIVE_OF: Final = """
SELECT DISTINCT payment_id FROM payment_invoices
WHERE account_id = $1 AND invoice_id = ANY ($2::uuid[]) AND live ORDER BY payment_id
"""
LIVE_INVOICES: Final = """
SELECT invoice_id FROM payment_invoices
WHERE account_id = $1 AND invoice_id = ANY ($2::uuid[]) AND live
"""
# A payment that was not tried yet, or waits for its payer, is put away for another one.
STUCK_INVOICES: Final = """
SELECT invoice_id FROM payment_invoices i JOIN payments p USING (account_id, payment_id)
WHERE i.account_id = $1 AND i.invoice_id = ANY ($2::uuid[]) AND i.live AND p.status <> 'pending'
    AND NOT EXISTS (
        SELECT FROM payment_attempts a WHERE a.account_id = i.account_id
            AND a.payment_id = i.payment_id AND a.outcome = 'needs_action')
"""
# `balance:USD:` has twelve letters, and the caller's key is the rest.
OF_BALANCE_KEY: Final = f"""
{_WHOLE}
WHERE p.account_id = $1 AND p.request_key ^@ 'balance:' AND substr(p.request_key, 13) = $2
ORDER BY p.currency
"""
# A person who rejects what never came by hand says nothing of the payer's means.
DECLINED: Final = """
SELECT DISTINCT i.invoice_id FROM payment_invoices i JOIN payments USING (account_id, payment_id)
WHERE i.account_id = $1 AND i.invoice_id = ANY ($2::uuid[]) AND status = 'failed'
    AND failure_code <> 'rejected'
"""
METHODS_REFUSED: Final = """
SELECT DISTINCT payment_method_id FROM payment_invoices JOIN payments USING (account_id, payment_id)
WHERE account_id = $1 AND invoice_id = $2 AND status = 'failed' AND payment_method_id IS NOT NULL
"""
PAGE: Final = f"""
{_WHOLE}
WHERE p.account_id = $1
    AND ($2::timestamptz IS NULL OR (p.created_at, p.payment_id) < ($2, $3::uuid))
ORDER BY p.created_at DESC, p.payment_id DESC LIMIT $4 OFFSET $5
"""
CAME: Final = f"""
{_WHOLE} JOIN payment_invoices o USING (account_id, payment_id)
WHERE p.account_id = $1 AND o.invoice_id = $2 AND o.paid_minor > 0
    AND p.settled_at IS NOT NULL AND p.status = ANY($3)
ORDER BY p.settled_at, p.payment_id LIMIT $4
"""
COUNT: Final = "SELECT count(*) FROM payments WHERE account_id = $1"
PENDING_SUMS: Final = """
SELECT currency, sum(amount_minor)::bigint AS minor FROM payments
WHERE account_id = $1 AND status IN ('pending', 'pending_approval', 'processing')
GROUP BY currency ORDER BY currency
"""
# Staff name a payment alone; the account it belongs to is the answer.
OWNER: Final = "SELECT account_id FROM payments WHERE payment_id = $1"
AWAITING_APPROVAL: Final = f"""
{_WHOLE}
WHERE p.status = 'pending_approval' AND ($1::uuid IS NULL OR p.account_id = $1)
ORDER BY p.created_at, p.payment_id LIMIT $2
"""
MOVE: Final = """
UPDATE payments SET status = $4, reference = coalesce($5, reference), failure_code = $6,
    settled_at = coalesce($7, settled_at), received_minor = coalesce($8, received_minor),
    next_attempt_at = NULL
WHERE account_id = $1 AND payment_id = $2 AND status = $3 RETURNING payment_id
"""
SET_AMOUNT: Final = """
UPDATE payments SET amount_minor = $3
WHERE account_id = $1 AND payment_id = $2 AND status = 'pending'
"""
DROP_PARTS: Final = """
DELETE FROM payment_invoices
WHERE account_id = $1 AND payment_id = $2 AND invoice_id <> ALL ($3::uuid[])
"""
SET_PARTS: Final = """
UPDATE payment_invoices i SET amount_minor = n.amount_minor, paid_minor = n.paid_minor
FROM unnest($3::uuid[], $4::bigint[], $5::bigint[]) AS n (invoice_id, amount_minor, paid_minor)
WHERE i.account_id = $1 AND i.payment_id = $2 AND i.invoice_id = n.invoice_id
"""
SET_NOTE: Final = "UPDATE payments SET note = $3 WHERE account_id = $1 AND payment_id = $2"
# The oldest wish first; what another worker holds is skipped, not waited for.
LOCK_DUE: Final = f"""
{_WHOLE}
WHERE p.status = 'pending' AND p.next_attempt_at <= $1 AND p.gateway = ANY($3)
    AND EXISTS (SELECT FROM accounts a WHERE a.account_id = p.account_id
                AND a.test_clock_id IS NOT DISTINCT FROM $2::uuid)
ORDER BY p.next_attempt_at LIMIT $4 FOR NO KEY UPDATE OF p SKIP LOCKED
"""  # noqa: S608 -- put together from constants
NEXT_DUE: Final = """
SELECT min(next_attempt_at) FROM payments JOIN accounts USING (account_id)
WHERE test_clock_id = $1 AND status = 'pending' AND gateway = ANY($2)
"""


async def insert(conn: Connection, payment: Payment) -> bool:
    """Write a wish; False if its key exists, or a live payment of that invoice."""
    fields = msgspec.structs.asdict(payment)
    del fields["parts"]
    live = payment.status in LIVE_PAYMENTS
    try:
        async with conn.transaction():
            made = await conn.fetchval(INSERT, *fields.values(), *_columns(payment.parts), live)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "payments_reference":
            detail = "A payment with this transaction reference is there already; look at it first."
            raise Conflict("transaction_reference_used", detail) from error
        if error.constraint_name != "payment_invoices_live":
            raise
        return False
    return made is not None


async def find(conn: Connection, account_id: UUID, payment_id: UUID) -> Payment | None:
    """Return a payment."""
    return _payment(await conn.fetchrow(FIND, account_id, payment_id))


async def lock(conn: Connection, account_id: UUID, payment_id: UUID) -> Payment | None:
    """Return a payment, which nobody else changes until the transaction ends."""
    # In two statements: one that had to wait for the lock would show its parts as they were.
    await conn.execute(LOCK, account_id, payment_id)
    return await find(conn, account_id, payment_id)


async def find_by_key(conn: Connection, account_id: UUID, request_key: str) -> Payment | None:
    """Return the payment that this request made."""
    return _payment(await conn.fetchrow(FIND_BY_KEY, account_id, request_key))


async def find_live(conn: Connection, account_id: UUID, invoice_id: UUID) -> Payment | None:
    """Return the payment of this invoice that may still bring money."""
    return _payment(await conn.fetchrow(FIND_LIVE, account_id, invoice_id))


async def live_of(
    conn: Connection, account_id: UUID, invoice_ids: Sequence[UUID]
) -> tuple[UUID, ...]:
    """Return the payments of these invoices that may still bring money."""
    rows = await conn.fetch(LIVE_OF, account_id, list(invoice_ids))
    return tuple(row["payment_id"] for row in rows)


async def live_invoices(
    conn: Connection, account_id: UUID, invoice_ids: Sequence[UUID]
) -> frozenset[UUID]:
    """Return those of these invoices of which a payment may still bring money."""
    rows = await conn.fetch(LIVE_INVOICES, account_id, list(invoice_ids))
    return frozenset(row["invoice_id"] for row in rows)


async def stuck_invoices(
    conn: Connection, account_id: UUID, invoice_ids: Sequence[UUID]
) -> frozenset[UUID]:
    """Return those of these invoices whose live payment can not be put away for another one."""
    rows = await conn.fetch(STUCK_INVOICES, account_id, list(invoice_ids))
    return frozenset(row["invoice_id"] for row in rows)


def balance_key(currency: str, request_key: str) -> str:
    """Return the key of a request's payment of all that is due in a currency."""
    return f"balance:{currency}:{request_key}"


async def of_balance_key(conn: Connection, account_id: UUID, request_key: str) -> list[Payment]:
    """Return the payments that a request to pay what is due made, one for each currency."""
    return [_known(row) for row in await conn.fetch(OF_BALANCE_KEY, account_id, request_key)]


async def declined(
    conn: Connection, account_id: UUID, invoice_ids: Sequence[UUID]
) -> frozenset[UUID]:
    """Return those of the invoices for which a payment was declined."""
    rows = await conn.fetch(DECLINED, account_id, list(invoice_ids))
    return frozenset(row["invoice_id"] for row in rows)


async def methods_refused(conn: Connection, account_id: UUID, invoice_id: UUID) -> frozenset[UUID]:
    """Return the methods with which a payment of the invoice failed."""
    rows = await conn.fetch(METHODS_REFUSED, account_id, invoice_id)
    return frozenset(row["payment_method_id"] for row in rows)


async def came(
    conn: Connection, account_id: UUID, invoice_id: UUID, statuses: Sequence[str], limit: int
) -> list[Payment]:
    """Return payments with one of these statuses that paid on the invoice, oldest first."""
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
    received_minor: int | None = None,
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
        received_minor,
    )
    if moved is None:
        raise Conflict("payment_changed", "The payment changed meanwhile; look at it again.")


async def set_amount(conn: Connection, payment: Payment) -> None:
    """Wish for another amount and its parts, before anything was asked of a gateway."""
    await conn.execute(SET_AMOUNT, payment.account_id, payment.payment_id, payment.amount_minor)
    await set_parts(conn, payment)


async def set_parts(conn: Connection, payment: Payment) -> None:
    """Write what the payment's invoices are to get and got; those that it lacks are let go."""
    key, columns = (payment.account_id, payment.payment_id), _columns(payment.parts)
    await conn.execute(DROP_PARTS, *key, columns[0])
    await conn.execute(SET_PARTS, *key, *columns)


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
    parts = msgspec.json.decode(row["parts"], type=tuple[Part, ...])
    return msgspec.convert({**row, "parts": parts}, Payment)


def _columns(parts: Sequence[Part]) -> tuple[list[UUID], list[int], list[int]]:
    return (
        [part.invoice_id for part in parts],
        [part.amount_minor for part in parts],
        [part.paid_minor for part in parts],
    )
