"""The SQL of one-time charges: which invoice and payment a request made."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.kernel.db import Connection

INSERT: Final = """
INSERT INTO one_time_charges
    (account_id, request_key, invoice_id, payment_id, created_at, end_after)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING request_key
"""
FIND: Final = "SELECT * FROM one_time_charges WHERE account_id = $1 AND request_key = $2"
OF_PAYMENT: Final = "SELECT * FROM one_time_charges WHERE account_id = $1 AND payment_id = $2"
IS_OF: Final = """
SELECT EXISTS (SELECT FROM one_time_charges WHERE account_id = $1 AND invoice_id = $2)
"""

LEASE_TO_END: Final = """
UPDATE one_time_charges SET end_after = $1::timestamptz + $2::interval
WHERE (account_id, request_key) IN (
    SELECT account_id, request_key FROM one_time_charges
    WHERE end_after <= $1 ORDER BY end_after LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING *
"""
ENDED: Final = """
UPDATE one_time_charges SET end_after = NULL WHERE account_id = $1 AND request_key = $2
"""


class OneTimeCharge(msgspec.Struct, frozen=True, kw_only=True):
    """What a request charged; `payment_id` None: what the account had with us paid all of it."""

    account_id: UUID
    request_key: str
    invoice_id: UUID
    payment_id: UUID | None
    created_at: datetime
    end_after: datetime | None
    """When to look whether it was abandoned, in wall time; None: nothing is to be ended."""


async def insert(conn: Connection, made: OneTimeCharge) -> bool:
    """Write what a request made; False when it made something before."""
    return await conn.fetchval(INSERT, *msgspec.structs.astuple(made)) is not None


async def find(conn: Connection, account_id: UUID, request_key: str) -> OneTimeCharge | None:
    """Return what the request made."""
    return _charge(await conn.fetchrow(FIND, account_id, request_key))


async def of_payment(conn: Connection, account_id: UUID, payment_id: UUID) -> OneTimeCharge | None:
    """Return the one-time charge that this payment is to pay."""
    return _charge(await conn.fetchrow(OF_PAYMENT, account_id, payment_id))


async def is_of(conn: Connection, account_id: UUID, invoice_id: UUID) -> bool:
    """Tell whether the invoice was made by a one-time charge."""
    return bool(await conn.fetchval(IS_OF, account_id, invoice_id))


async def lease_to_end(
    conn: Connection, now: datetime, again: timedelta, limit: int
) -> list[OneTimeCharge]:
    """Take those that are to be looked at; nobody else does before `again` has passed."""
    rows = await conn.fetch(LEASE_TO_END, now, again, limit)
    return [OneTimeCharge(**dict(row)) for row in rows]


async def ended(conn: Connection, made: OneTimeCharge) -> None:
    """Write that nothing is to be ended any more."""
    await conn.execute(ENDED, made.account_id, made.request_key)


def _charge(row: "asyncpg.Record | None") -> OneTimeCharge | None:
    return None if row is None else OneTimeCharge(**dict(row))
