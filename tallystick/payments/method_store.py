"""The SQL of saved methods, and of the gateways' customers that own them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.kernel.db import Connection
from tallystick.payments.model import PaymentMethod
from tallystick.payments.requests import Bank, Card

# One at a time per account: priorities and the one default are decided on all its methods.
LOCK_ALL: Final = (
    "SELECT pg_advisory_xact_lock(hashtextextended('payment_methods:' || $1::uuid::text, 0))"
)
INSERT: Final = """
INSERT INTO payment_methods (account_id, payment_method_id, gateway, token, type, card,
    bank, priority, is_default, status, created_at, label, details)
VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7::text::jsonb, $8, $9, $10, $11, $12,
    $13::text::jsonb)
"""
FIND: Final = """
SELECT * FROM payment_methods WHERE account_id = $1 AND payment_method_id = $2
"""
FIND_OF_PAYMENT: Final = """
SELECT m.* FROM payments p JOIN payment_methods m USING (account_id, payment_method_id)
WHERE p.account_id = $1 AND p.payment_id = $2
"""
FIND_GATEWAYS: Final = """
SELECT * FROM payment_methods WHERE account_id = $1 AND gateway = $2 AND token = $3
"""
FIND_ACTIVE: Final = """
SELECT * FROM payment_methods
WHERE account_id = $1 AND token = $2 AND status = 'active' ORDER BY priority LIMIT 1
"""
DEFAULT: Final = """
SELECT * FROM payment_methods
WHERE account_id = $1 AND is_default AND status = 'active'
"""
LIST: Final = """
SELECT * FROM payment_methods WHERE account_id = $1 AND status = 'active'
ORDER BY priority, created_at, payment_method_id
"""
LAST_PRIORITY: Final = """
SELECT coalesce(max(priority), 0) FROM payment_methods WHERE account_id = $1 AND status = 'active'
"""
SHOW: Final = """
UPDATE payment_methods SET type = $3, card = $4::text::jsonb, bank = $5::text::jsonb,
    label = $6, details = $7::text::jsonb
WHERE account_id = $1 AND payment_method_id = $2
"""
REMOVE: Final = """
UPDATE payment_methods SET status = 'removed', is_default = false, watch_at = NULL
WHERE account_id = $1 AND payment_method_id = $2
"""
CLEAR_DEFAULT: Final = """
UPDATE payment_methods SET is_default = false WHERE account_id = $1 AND is_default
"""
SET_DEFAULT: Final = """
UPDATE payment_methods SET is_default = true WHERE account_id = $1 AND payment_method_id = $2
"""
SET_PRIORITY: Final = """
UPDATE payment_methods SET priority = $3 WHERE account_id = $1 AND payment_method_id = $2
"""
CUSTOMER: Final = """
SELECT token FROM gateway_customers
WHERE account_id = $1 AND gateway = $2 AND removed_at IS NULL
"""
# News of what a deleted customer did before may still come.
WAS_CUSTOMER: Final = """
SELECT EXISTS (SELECT FROM gateway_customers
               WHERE account_id = $1 AND gateway = $2 AND token = $3)
"""
REMOVED_COUNT: Final = """
SELECT count(*) FROM gateway_customers
WHERE account_id = $1 AND gateway = $2 AND removed_at IS NOT NULL
"""
UNLINK: Final = """
UPDATE gateway_customers SET removed_at = $4
WHERE account_id = $1 AND gateway = $2 AND token = $3 AND removed_at IS NULL RETURNING token
"""
OWNER_OF_ACTIVE: Final = """
SELECT account_id FROM payment_methods WHERE gateway = $1 AND token = $2 AND status = 'active'
"""
# Whom an event is about: its gateway names the customer, and only that.
ACCOUNT_OF: Final = "SELECT account_id FROM gateway_customers WHERE gateway = $1 AND token = $2"
TAKEN_BY: Final = """
SELECT account_id FROM payment_methods WHERE gateway = $1 AND token = $2
"""
ACCOUNTS_OF: Final = """
SELECT token, account_id FROM gateway_customers WHERE gateway = $1 AND token = ANY ($2::text[])
"""
LINK: Final = """
INSERT INTO gateway_customers (account_id, gateway, token, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING token
"""


async def lock_methods(conn: Connection, account_id: UUID) -> None:
    """Let nobody else change the account's methods until the transaction ends."""
    await conn.execute(LOCK_ALL, account_id)


async def insert(conn: Connection, method: PaymentMethod) -> None:
    """Write a method."""
    fields = {**msgspec.structs.asdict(method), **_shown(method)}
    await conn.execute(INSERT, *fields.values())


async def find(conn: Connection, account_id: UUID, method_id: UUID) -> PaymentMethod | None:
    """Return a method, active or removed."""
    return _method(await conn.fetchrow(FIND, account_id, method_id))


async def find_of_payment(
    conn: Connection, account_id: UUID, payment_id: UUID
) -> PaymentMethod | None:
    """Return the method of a payment, active or removed."""
    return _method(await conn.fetchrow(FIND_OF_PAYMENT, account_id, payment_id))


async def find_by_token(
    conn: Connection, account_id: UUID, gateway: str, token: str
) -> PaymentMethod | None:
    """Return the method that this gateway calls so, active or removed."""
    return _method(await conn.fetchrow(FIND_GATEWAYS, account_id, gateway, token))


async def find_active_token(conn: Connection, account_id: UUID, token: str) -> PaymentMethod | None:
    """Return the active method with this token, of whatever gateway."""
    return _method(await conn.fetchrow(FIND_ACTIVE, account_id, token))


async def default(conn: Connection, account_id: UUID) -> PaymentMethod | None:
    """Return the account's default method."""
    return _method(await conn.fetchrow(DEFAULT, account_id))


async def active(conn: Connection, account_id: UUID) -> list[PaymentMethod]:
    """Return the account's methods by priority."""
    return [read_method(row) for row in await conn.fetch(LIST, account_id)]


async def last_priority(conn: Connection, account_id: UUID) -> int:
    """Return the highest priority number in use, 0 without any."""
    return int(await conn.fetchval(LAST_PRIORITY, account_id))


async def show(conn: Connection, method: PaymentMethod) -> None:
    """Write what may be shown of a method."""
    shown = _shown(method)
    await conn.execute(
        SHOW,
        method.account_id,
        method.payment_method_id,
        method.type,
        shown["card"],
        shown["bank"],
        method.label,
        shown["details"],
    )


async def remove(conn: Connection, method: PaymentMethod) -> None:
    """Mark a method as removed; its row stays, for the payments that used it."""
    await conn.execute(REMOVE, method.account_id, method.payment_method_id)


async def set_default(conn: Connection, method: PaymentMethod) -> None:
    """Make this method the only default."""
    await conn.execute(CLEAR_DEFAULT, method.account_id)
    await conn.execute(SET_DEFAULT, method.account_id, method.payment_method_id)


async def set_priority(conn: Connection, method: PaymentMethod, priority: int) -> None:
    """Put a method at its place."""
    await conn.execute(SET_PRIORITY, method.account_id, method.payment_method_id, priority)


async def customer(conn: Connection, account_id: UUID, gateway: str) -> str | None:
    """Return the token of the account's customer at a gateway."""
    token: str | None = await conn.fetchval(CUSTOMER, account_id, gateway)
    return token


async def was_customer(conn: Connection, account_id: UUID, gateway: str, token: str | None) -> bool:
    """Tell whether this is, or was, the account's customer at the gateway."""
    return bool(await conn.fetchval(WAS_CUSTOMER, account_id, gateway, token))


async def removed_count(conn: Connection, account_id: UUID, gateway: str) -> int:
    """Return how many customers of the account were deleted at the gateway."""
    return int(await conn.fetchval(REMOVED_COUNT, account_id, gateway))


async def unlink(
    conn: Connection, account_id: UUID, gateway: str, token: str, at: datetime
) -> bool:
    """Note that a customer was deleted at the gateway; False if that was known."""
    return await conn.fetchval(UNLINK, account_id, gateway, token, at) is not None


async def owner_of_active(conn: Connection, gateway: str, token: str) -> UUID | None:
    """Return whose active method it is, under the writer's scope."""
    account_id: UUID | None = await conn.fetchval(OWNER_OF_ACTIVE, gateway, token)
    return account_id


async def account_of(conn: Connection, gateway: str, token: str) -> UUID | None:
    """Return whose customer it is, under the writer's scope."""
    account_id: UUID | None = await conn.fetchval(ACCOUNT_OF, gateway, token)
    return account_id


async def owner_of_token(conn: Connection, gateway: str, token: str) -> UUID | None:
    """Return who has saved this token, under the writer's scope."""
    account_id: UUID | None = await conn.fetchval(TAKEN_BY, gateway, token)
    return account_id


async def accounts_of(conn: Connection, gateway: str, tokens: Sequence[str]) -> dict[str, UUID]:
    """Return whose customers these are, under the writer's scope; nobody's are absent."""
    rows = await conn.fetch(ACCOUNTS_OF, gateway, tokens)
    return {row["token"]: row["account_id"] for row in rows}


async def link(conn: Connection, account_id: UUID, gateway: str, token: str, at: datetime) -> bool:
    """Keep the account's customer at a gateway; False if it has one, or the token is taken."""
    return await conn.fetchval(LINK, account_id, gateway, token, at) is not None


def _shown(method: PaymentMethod) -> dict[str, str | None]:
    card, bank = method.card, method.bank
    return {
        "card": msgspec.json.encode(card).decode() if card else None,
        "bank": msgspec.json.encode(bank).decode() if bank else None,
        "details": msgspec.json.encode(method.details).decode() if method.details else None,
    }


def _method(row: "asyncpg.Record | None") -> PaymentMethod | None:
    return None if row is None else read_method(row)


def read_method(row: "asyncpg.Record") -> PaymentMethod:
    """Return a whole row as a method."""
    fields: dict[str, Any] = dict(row)
    del fields["watch_at"]
    card, bank, details = fields.pop("card"), fields.pop("bank"), fields.pop("details")
    return PaymentMethod(
        card=msgspec.json.decode(card, type=Card) if card else None,
        bank=msgspec.json.decode(bank, type=Bank) if bank else None,
        details=msgspec.json.decode(details, type=dict[str, str]) if details else None,
        **fields,
    )
