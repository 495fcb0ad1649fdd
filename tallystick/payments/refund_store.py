"""The SQL of refunds at gateways, and of payments as who gives back sees them."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.credit_notes import disputes
from tallystick.kernel.db import Connection
from tallystick.money.amount import Money
from tallystick.payments.model import PaymentStatus
from tallystick.payments.refund_model import Gave, Giver, RefundAttempt

_LIVE: Final = "('created', 'pending', 'unknown')"
_COUNTS: Final = "('created', 'pending', 'unknown', 'succeeded')"
INSERT: Final = """
INSERT INTO refund_attempts (account_id, refund_attempt_id, refund_id, invoice_id, payment_id,
    number, idempotency_key, gateway, charge_reference, currency, amount_minor, outcome,
    gateway_reference, code, resolve_after, resolve_count, created_at, ended_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
"""
LAST_NUMBER: Final = """
SELECT coalesce(max(number), 0) FROM refund_attempts WHERE account_id = $1 AND refund_id = $2
"""
FIND: Final = "SELECT * FROM refund_attempts WHERE account_id = $1 AND refund_attempt_id = $2"
LOCK: Final = f"{FIND} FOR NO KEY UPDATE"
OWNER: Final = "SELECT account_id FROM refund_attempts WHERE refund_attempt_id = $1"
OF_REFUND: Final = """
SELECT * FROM refund_attempts WHERE account_id = $1 AND refund_id = $2 ORDER BY number
"""
# One of the gateway's names may stand for several rows: a share of each invoice.
NAMED: Final = """
SELECT * FROM refund_attempts WHERE account_id = $1 AND payment_id = $2 AND gateway_reference = $3
ORDER BY refund_attempt_id
"""
UPDATE: Final = """
UPDATE refund_attempts SET outcome = $3, gateway_reference = $4, code = $5, resolve_after = $6,
    ended_at = $7
WHERE account_id = $1 AND refund_attempt_id = $2
"""
# A look takes a lease: when its process dies, another one looks after it has run out.
LEASE_DUE: Final = f"""
UPDATE refund_attempts
SET resolve_after = $1::timestamptz + $2::interval, resolve_count = resolve_count + 1
WHERE (account_id, refund_attempt_id) IN (
    SELECT account_id, refund_attempt_id FROM refund_attempts
    WHERE resolve_after <= $1 AND gateway = ANY($3) AND outcome IN {_LIVE}
    ORDER BY resolve_after LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING *
"""  # noqa: S608 - our own words
POSTPONE: Final = """
UPDATE refund_attempts
SET resolve_after = $3, gateway_reference = coalesce(gateway_reference, $5)
WHERE account_id = $1 AND refund_attempt_id = $2 AND outcome = $4 AND resolve_after IS NOT NULL
"""
LIVE_OF_REFUND: Final = f"""
SELECT count(*) FROM refund_attempts
WHERE account_id = $1 AND refund_id = $2 AND outcome IN {_LIVE}
"""  # noqa: S608 - our own words
SUCCEEDED: Final = """
SELECT coalesce(sum(amount_minor), 0)::bigint FROM refund_attempts
WHERE account_id = $1 AND payment_id = $2 AND outcome = 'succeeded'
"""
GIVERS: Final = """
SELECT account_id, payment_id, gateway, coalesce(reference, '') AS charge_reference, status,
    currency::text AS currency, received_minor, settled_at
FROM payments
WHERE account_id = $1 AND settled_at IS NOT NULL AND payment_id IN (
    SELECT payment_id FROM payment_invoices
    WHERE account_id = $1 AND invoice_id = ANY($2::uuid[]))
ORDER BY payment_id
"""
# Always in the order of the ids, so that two who lock the same ones never wait for each other.
LOCK_GIVERS: Final = f"{GIVERS} FOR NO KEY UPDATE"
INVOICES_OF: Final = """
SELECT invoice_id FROM payment_invoices WHERE account_id = $1 AND payment_id = $2 ORDER BY place
"""
GAVE: Final = f"""
SELECT p.payment_id, p.invoice_id, p.paid_minor, (
        SELECT coalesce(sum(r.amount_minor), 0)::bigint FROM refund_attempts AS r
        WHERE r.account_id = p.account_id AND r.payment_id = p.payment_id
            AND r.invoice_id = p.invoice_id AND r.outcome IN {_COUNTS}) AS refunded_minor
FROM payment_invoices AS p WHERE p.account_id = $1 AND p.payment_id = ANY($2::uuid[])
ORDER BY p.payment_id, p.place
"""  # noqa: S608 - our own words
SET_REFUNDED: Final = f"""
UPDATE payments SET refunded_minor = (
    SELECT coalesce(sum(amount_minor), 0)::bigint FROM refund_attempts AS r
    WHERE r.account_id = $1 AND r.payment_id = $2 AND r.outcome IN {_COUNTS})
WHERE account_id = $1 AND payment_id = $2
"""  # noqa: S608 - our own words
SET_STATUS: Final = """
UPDATE payments SET status = $3, failure_code = $4
WHERE account_id = $1 AND payment_id = $2 AND status <> $3
"""
RECEIVED: Final = """
SELECT received_minor AS minor, currency::text AS currency FROM payments
WHERE account_id = $1 AND payment_id = $2
"""
BY_CHARGE: Final = """
SELECT account_id, payment_id, settled_at IS NOT NULL AS came FROM payments
WHERE gateway = $1 AND reference = $2
UNION
SELECT a.account_id, a.payment_id, p.settled_at IS NOT NULL FROM payment_attempts AS a
JOIN payments AS p USING (account_id, payment_id)
WHERE a.gateway = $1 AND a.gateway_reference = $2
LIMIT 2
"""


class Named(msgspec.Struct, frozen=True):
    """The payment that a gateway's charge is of; `came`: its money was booked."""

    account_id: UUID
    payment_id: UUID
    came: bool


async def insert(conn: Connection, attempt: RefundAttempt) -> None:
    """Write a refund; the database refuses what goes beyond what its payment took."""
    await conn.execute(INSERT, *msgspec.structs.astuple(attempt))
    await _count(conn, attempt)


async def next_number(conn: Connection, account_id: UUID, refund_id: UUID) -> int:
    """Return the number of the wish's next refund; the wish must be locked."""
    return int(await conn.fetchval(LAST_NUMBER, account_id, refund_id)) + 1


async def find(conn: Connection, account_id: UUID, attempt_id: UUID) -> RefundAttempt | None:
    """Return a refund."""
    return _attempt(await conn.fetchrow(FIND, account_id, attempt_id))


async def lock(conn: Connection, account_id: UUID, attempt_id: UUID) -> RefundAttempt | None:
    """Return a refund, which nobody else changes until the transaction ends."""
    return _attempt(await conn.fetchrow(LOCK, account_id, attempt_id))


async def owner(conn: Connection, attempt_id: UUID) -> UUID | None:
    """Return whose refund it is, under the writer's scope."""
    account_id: UUID | None = await conn.fetchval(OWNER, attempt_id)
    return account_id


async def of_refund(
    conn: Connection, account_id: UUID, refund_id: UUID
) -> tuple[RefundAttempt, ...]:
    """Return all refunds of a wish, the first one first."""
    return _attempts(await conn.fetch(OF_REFUND, account_id, refund_id))


async def named(
    conn: Connection, account_id: UUID, payment_id: UUID, reference: str
) -> tuple[RefundAttempt, ...]:
    """Return what a gateway calls so, of a payment."""
    return _attempts(await conn.fetch(NAMED, account_id, payment_id, reference))


async def update(conn: Connection, attempt: RefundAttempt) -> None:
    """Write what is known of a refund now."""
    await conn.execute(
        UPDATE, attempt.account_id, attempt.refund_attempt_id, attempt.outcome,
        attempt.gateway_reference, attempt.code, attempt.resolve_after, attempt.ended_at,
    )  # fmt: skip
    await _count(conn, attempt)


async def lease_due(
    conn: Connection, now: datetime, lease: timedelta, gateways: Sequence[str], limit: int
) -> tuple[RefundAttempt, ...]:
    """Take refunds whose answer is overdue; nobody else looks until the lease has run out."""
    return _attempts(await conn.fetch(LEASE_DUE, now, lease, list(gateways), limit))


async def postpone(
    conn: Connection, attempt: RefundAttempt, until: datetime | None, reference: str | None
) -> None:
    """Look again later, unless something became known meanwhile."""
    key = (attempt.account_id, attempt.refund_attempt_id)
    await conn.execute(POSTPONE, *key, until, attempt.outcome, reference)


async def has_live(conn: Connection, account_id: UUID, refund_id: UUID) -> bool:
    """Return whether a refund of the wish is under way."""
    return int(await conn.fetchval(LIVE_OF_REFUND, account_id, refund_id)) > 0


async def succeeded(conn: Connection, account_id: UUID, payment_id: UUID) -> int:
    """Return how much of a payment went back by refunds, in minor units."""
    return int(await conn.fetchval(SUCCEEDED, account_id, payment_id))


async def invoices_of(conn: Connection, account_id: UUID, payment_id: UUID) -> list[UUID]:
    """Return the invoices that a payment is for."""
    rows = await conn.fetch(INVOICES_OF, account_id, payment_id)
    return [row["invoice_id"] for row in rows]


async def lock_givers(
    conn: Connection, account_id: UUID, invoice_ids: Sequence[UUID]
) -> tuple[Giver, ...]:
    """Return the payments that came in for these invoices, locked until the transaction ends."""
    return await _givers(conn, account_id, await conn.fetch(LOCK_GIVERS, account_id, invoice_ids))


async def givers(
    conn: Connection, account_id: UUID, invoice_ids: Sequence[UUID]
) -> tuple[Giver, ...]:
    """Return the payments that came in for these invoices, to be looked at."""
    return await _givers(conn, account_id, await conn.fetch(GIVERS, account_id, invoice_ids))


async def _givers(
    conn: Connection, account_id: UUID, rows: Sequence[asyncpg.Record]
) -> tuple[Giver, ...]:
    gave = await conn.fetch(GAVE, account_id, [row["payment_id"] for row in rows])
    parts = [(row["payment_id"], await _gave(conn, account_id, row)) for row in gave]
    return tuple(
        msgspec.convert(
            {**dict(row), "gave": [part for of, part in parts if of == row["payment_id"]]}, Giver
        )
        for row in rows
    )


async def set_status(
    conn: Connection, giver: Giver, status: PaymentStatus, failure_code: str | None
) -> None:
    """Write the status of a locked payment, by what went back of it."""
    await conn.execute(SET_STATUS, giver.account_id, giver.payment_id, status, failure_code)


async def received(conn: Connection, account_id: UUID, payment_id: UUID) -> Money:
    """Return what came with a payment that is there."""
    row = await conn.fetchrow(RECEIVED, account_id, payment_id)
    assert row is not None  # noqa: S101 - a refund refers to it
    return Money(row["minor"], row["currency"])


async def by_charge(conn: Connection, gateway: str, reference: str) -> Named | None:
    """Return the payment that a gateway's charge is of, under the writer's scope."""
    rows = await conn.fetch(BY_CHARGE, gateway, reference)
    return Named(**dict(rows[0])) if len(rows) == 1 else None


async def _gave(conn: Connection, account_id: UUID, row: asyncpg.Record) -> Gave:
    payment_id, invoice_id = row["payment_id"], row["invoice_id"]
    return Gave(
        invoice_id=invoice_id,
        paid_minor=row["paid_minor"],
        refunded_minor=row["refunded_minor"],
        disputed_minor=await disputes.disputed_of_part(conn, account_id, payment_id, invoice_id),
    )


async def _count(conn: Connection, attempt: RefundAttempt) -> None:
    """Keep on the payment what went back or may have; its check refuses more than it took."""
    await conn.execute(SET_REFUNDED, attempt.account_id, attempt.payment_id)


def _attempts(rows: Iterable[asyncpg.Record]) -> tuple[RefundAttempt, ...]:
    return tuple(msgspec.convert(dict(row), RefundAttempt) for row in rows)


def _attempt(row: "asyncpg.Record | None") -> RefundAttempt | None:
    return None if row is None else msgspec.convert(dict(row), RefundAttempt)
