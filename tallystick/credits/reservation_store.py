"""The SQL of reservations. Whoever writes has locked the account's row."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.credits.model import Reservation
from tallystick.kernel.db import Connection

INSERT: Final = """
INSERT INTO credit_reservations (account_id, credit_reservation_id, idempotency_key, amount,
    operation, model, quantity, status, expires_at, settled_key, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
END: Final = """
UPDATE credit_reservations SET status = $3, settled_key = $4
WHERE account_id = $1 AND credit_reservation_id = $2 AND status = 'active'
"""
FIND: Final = """
SELECT * FROM credit_reservations WHERE account_id = $1 AND credit_reservation_id = $2
"""
BY_KEY: Final = """
SELECT * FROM credit_reservations WHERE account_id = $1 AND idempotency_key = $2
"""
EXPIRED: Final = """
SELECT * FROM credit_reservations
WHERE account_id = $1 AND status = 'active' AND expires_at <= $2
ORDER BY expires_at, credit_reservation_id
"""
DUE_ACCOUNTS: Final = """
SELECT DISTINCT account_id FROM (
    SELECT r.account_id FROM credit_reservations AS r JOIN accounts AS a USING (account_id)
    WHERE r.status = 'active' AND r.expires_at <= $1 AND a.test_clock_id IS NULL
    ORDER BY r.expires_at LIMIT $2) AS due
ORDER BY account_id
"""
DUE_ACCOUNTS_ON_CLOCK: Final = """
SELECT DISTINCT account_id FROM (
    SELECT r.account_id FROM credit_reservations AS r JOIN accounts AS a USING (account_id)
    WHERE r.status = 'active' AND r.expires_at <= $1 AND a.test_clock_id = $3
    ORDER BY r.expires_at LIMIT $2) AS due
ORDER BY account_id
"""
NEXT_DUE: Final = """
SELECT min(r.expires_at) FROM credit_reservations AS r JOIN accounts AS a USING (account_id)
WHERE r.status = 'active' AND a.test_clock_id = $1
"""


async def insert(conn: Connection, reservation: Reservation) -> None:
    """Write a new reservation."""
    await conn.execute(INSERT, *msgspec.structs.astuple(reservation))


async def end(conn: Connection, reservation: Reservation) -> None:
    """Write how an active reservation ended."""
    ids = reservation.account_id, reservation.credit_reservation_id
    await conn.execute(END, *ids, reservation.status, reservation.settled_key)


async def find(conn: Connection, account_id: UUID, reservation_id: UUID) -> Reservation | None:
    """Return one reservation."""
    return _optional(await conn.fetchrow(FIND, account_id, reservation_id))


async def find_by_key(conn: Connection, account_id: UUID, key: str) -> Reservation | None:
    """Return the reservation with this idempotency key."""
    return _optional(await conn.fetchrow(BY_KEY, account_id, key))


async def expired(conn: Connection, account_id: UUID, now: datetime) -> tuple[Reservation, ...]:
    """Return the account's active reservations that ran out by `now`."""
    return _reservations(await conn.fetch(EXPIRED, account_id, now))


async def due_accounts(
    conn: Connection, now: datetime, test_clock_id: UUID | None, limit: int
) -> tuple[UUID, ...]:
    """Return accounts with reservations that ran out by `now` on that clock, ascending."""
    if test_clock_id is None:
        rows = await conn.fetch(DUE_ACCOUNTS, now, limit)
    else:
        rows = await conn.fetch(DUE_ACCOUNTS_ON_CLOCK, now, limit, test_clock_id)
    return tuple(row["account_id"] for row in rows)


async def next_due_at(conn: Connection, test_clock_id: UUID) -> datetime | None:
    """Return when the next reservation on that clock runs out."""
    at: datetime | None = await conn.fetchval(NEXT_DUE, test_clock_id)
    return at


def _optional(row: asyncpg.Record | None) -> Reservation | None:
    return msgspec.convert(dict(row), Reservation) if row else None


def _reservations(rows: Sequence[asyncpg.Record]) -> tuple[Reservation, ...]:
    return tuple(msgspec.convert(dict(row), Reservation) for row in rows)
