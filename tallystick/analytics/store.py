"""The SQL of what staff look at; under the staff's scope."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from tallystick.analytics.model import ChargeRow, Counted, SubscriptionRow
from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest

COUNTED: Final = """
SELECT plan_version_id, tier, currency, status, count(*) AS count,
    sum(quantity)::bigint AS quantity, sum(monthly_minor) AS monthly_minor
FROM all_subscriptions WHERE status IN ('active', 'past_due', 'trialing')
GROUP BY plan_version_id, tier, currency, status
"""
ACCOUNTS: Final = "SELECT count(*) FROM accounts"
SUBSCRIPTIONS: Final = """
SELECT * FROM all_subscriptions
WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR currency = $2)
    AND ($3::text IS NULL OR gateway = $3)
ORDER BY created_at DESC, coalesce(subscription_id::text, reference) DESC LIMIT $4 OFFSET $5
"""
SUBSCRIPTION_COUNT: Final = """
SELECT count(*) FROM all_subscriptions
WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR currency = $2)
    AND ($3::text IS NULL OR gateway = $3)
"""
CHARGES: Final = """
SELECT * FROM all_charges
WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR currency = $2)
    AND ($3::text IS NULL OR gateway = $3)
ORDER BY created_at DESC, coalesce(payment_id::text, reference) DESC LIMIT $4 OFFSET $5
"""
CHARGE_COUNT: Final = """
SELECT count(*) FROM all_charges
WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR currency = $2)
    AND ($3::text IS NULL OR gateway = $3)
"""
TIERS: Final = """
SELECT DISTINCT ON (account_id) account_id, plan_version_id, tier FROM all_subscriptions
WHERE account_id = ANY ($1::uuid[]) AND status IN ('active', 'past_due', 'trialing', 'paused')
ORDER BY account_id, created_at
"""
GATEWAY_CUSTOMERS: Final = """
SELECT account_id, gateway, token FROM gateway_customers WHERE account_id = ANY ($1::uuid[])
ORDER BY account_id, gateway
"""
Filters = tuple[str | None, str | None, str | None]
"""Status, currency, gateway; None: any."""


async def counted(conn: Connection) -> list[Counted]:
    """Return all live subscriptions and trials, grouped."""
    return [Counted(**dict(row)) for row in await conn.fetch(COUNTED)]


async def account_count(conn: Connection) -> int:
    """Return how many accounts there are."""
    return int(await conn.fetchval(ACCOUNTS))


async def subscriptions(
    conn: Connection, filters: Filters, request: PageRequest
) -> tuple[list[SubscriptionRow], int]:
    """Return one page, newest first, and how many there are."""
    rows = await conn.fetch(SUBSCRIPTIONS, *filters, request.limit, request.offset)
    total = int(await conn.fetchval(SUBSCRIPTION_COUNT, *filters))
    return [SubscriptionRow(**dict(row)) for row in rows], total


async def charges(
    conn: Connection, filters: Filters, request: PageRequest
) -> tuple[list[ChargeRow], int]:
    """Return one page, newest first, and how many there are."""
    rows = await conn.fetch(CHARGES, *filters, request.limit, request.offset)
    total = int(await conn.fetchval(CHARGE_COUNT, *filters))
    return [ChargeRow(**dict(row)) for row in rows], total


async def tiers(
    conn: Connection, account_ids: Sequence[UUID]
) -> dict[UUID, tuple[UUID | None, str | None]]:
    """Return the plan version or the tier that each account has had longest."""
    rows = await conn.fetch(TIERS, account_ids)
    return {row["account_id"]: (row["plan_version_id"], row["tier"]) for row in rows}


async def gateway_customers(
    conn: Connection, account_ids: Sequence[UUID]
) -> dict[UUID, dict[str, str]]:
    """Return what each gateway calls these accounts."""
    found: dict[UUID, dict[str, str]] = {}
    row: Any
    for row in await conn.fetch(GATEWAY_CUSTOMERS, account_ids):
        found.setdefault(row["account_id"], {})[row["gateway"]] = row["token"]
    return found
