"""The SQL of checkouts: pages of a gateway that an account was sent to."""

from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.kernel.db import Connection
from tallystick.payments.model import Checkout, CheckoutStatus

INSERT: Final = """
INSERT INTO checkouts (account_id, checkout_id, request_key, gateway, mode, status, reference,
    description, currency, amount_minor, payment_id, payment_attempt_id, subscription_id,
    success_url, cancel_url, expires_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
ON CONFLICT (account_id, request_key) DO NOTHING RETURNING checkout_id
"""
FIND: Final = "SELECT * FROM checkouts WHERE account_id = $1 AND checkout_id = $2"
FIND_BY_KEY: Final = "SELECT * FROM checkouts WHERE account_id = $1 AND request_key = $2"
OF_ATTEMPT: Final = """
SELECT * FROM checkouts WHERE account_id = $1 AND payment_attempt_id = $2
"""
OF_PAYMENT: Final = "SELECT * FROM checkouts WHERE account_id = $1 AND payment_id = $2"
OPEN: Final = """
UPDATE checkouts SET status = 'open', reference = $3
WHERE account_id = $1 AND checkout_id = $2 AND status = 'created'
"""
# What has ended stays so.
END: Final = """
UPDATE checkouts SET status = $3
WHERE account_id = $1 AND checkout_id = $2 AND status IN ('created', 'open')
RETURNING checkout_id
"""


async def insert(conn: Connection, checkout: Checkout) -> bool:
    """Write a checkout; False if its request made one before."""
    return await conn.fetchval(INSERT, *msgspec.structs.astuple(checkout)) is not None


async def find(conn: Connection, account_id: UUID, checkout_id: UUID) -> Checkout | None:
    """Return a checkout."""
    return _checkout(await conn.fetchrow(FIND, account_id, checkout_id))


async def find_by_key(conn: Connection, account_id: UUID, key: str) -> Checkout | None:
    """Return the checkout that this request made."""
    return _checkout(await conn.fetchrow(FIND_BY_KEY, account_id, key))


async def of_attempt(conn: Connection, account_id: UUID, attempt_id: UUID) -> Checkout | None:
    """Return the page that an attempt is made on; None: it needs none."""
    return _checkout(await conn.fetchrow(OF_ATTEMPT, account_id, attempt_id))


async def of_payment(conn: Connection, account_id: UUID, payment_id: UUID) -> Checkout | None:
    """Return the page that a payment is made on; None: it needs none."""
    return _checkout(await conn.fetchrow(OF_PAYMENT, account_id, payment_id))


async def mark_open(conn: Connection, checkout: Checkout, reference: str) -> None:
    """Keep the gateway's name of the page."""
    await conn.execute(OPEN, checkout.account_id, checkout.checkout_id, reference)


async def end(conn: Connection, checkout: Checkout, status: CheckoutStatus) -> bool:
    """End a checkout; False if it had ended."""
    key = checkout.account_id, checkout.checkout_id
    return await conn.fetchval(END, *key, status) is not None


def _checkout(row: "asyncpg.Record | None") -> Checkout | None:
    return None if row is None else msgspec.convert(dict(row), Checkout)
