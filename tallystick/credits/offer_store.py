"""The SQL of what the business sets: costs, packages, and what was bought of them."""

from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.credits.costs import Cost
from tallystick.credits.model import Package, Purchase
from tallystick.kernel.db import Connection

EPOCH: Final = "SELECT epoch FROM credit_cost_epoch"
LOCK_EPOCH: Final = "SELECT epoch FROM credit_cost_epoch FOR NO KEY UPDATE"
COSTS: Final = "SELECT * FROM credit_costs"
OVERRIDES: Final = "SELECT * FROM credit_cost_overrides"
COST: Final = "SELECT * FROM credit_costs WHERE credit_cost_id = $1"
OVERRIDE: Final = "SELECT * FROM credit_cost_overrides WHERE credit_cost_id = $1"
INSERT_COST: Final = """
INSERT INTO credit_costs (credit_cost_id, operation, model, version, unit, unit_size,
    credits_per_unit, minimum, rounding, step, effective_at, is_active, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
INSERT_OVERRIDE: Final = """
INSERT INTO credit_cost_overrides (credit_cost_id, operation, model, version, unit,
    unit_size, credits_per_unit, minimum, rounding, step, effective_at, is_active, created_at,
    account_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""
LAST_VERSION: Final = """
SELECT coalesce(max(version), 0) FROM credit_costs
WHERE operation = $1 AND model IS NOT DISTINCT FROM $2
"""
LAST_OVERRIDE: Final = """
SELECT coalesce(max(version), 0) FROM credit_cost_overrides
WHERE operation = $1 AND model IS NOT DISTINCT FROM $2 AND account_id = $3
"""
INSERT_PACKAGE: Final = """
INSERT INTO credit_packages (credit_package_id, code, name, credits, currency, amount_minor,
    priority, expires_after_days, is_active, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (code) DO NOTHING RETURNING credit_package_id
"""
SAVE_PACKAGE: Final = """
UPDATE credit_packages SET name = $2, credits = $3, amount_minor = $4, priority = $5,
    expires_after_days = $6, is_active = $7
WHERE credit_package_id = $1
"""
PACKAGES: Final = """
SELECT * FROM credit_packages
WHERE ($1::text IS NULL OR currency = $1) AND (is_active OR NOT $2::boolean)
ORDER BY currency, amount_minor, code
"""
PACKAGE: Final = "SELECT * FROM credit_packages WHERE credit_package_id = $1"
# Nothing is written for a key that was used, nor while a top-up is in flight.
INSERT_PURCHASE: Final = """
INSERT INTO credit_purchases (account_id, credit_purchase_id, request_key, credit_package_id,
    invoice_id, credits, currency, amount_minor, priority, expires_after_days, is_top_up,
    status, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT DO NOTHING RETURNING credit_purchase_id
"""
LOCK_BY_INVOICE: Final = """
SELECT * FROM credit_purchases WHERE account_id = $1 AND invoice_id = $2
FOR NO KEY UPDATE
"""
PURCHASE_BY_KEY: Final = """
SELECT * FROM credit_purchases WHERE account_id = $1 AND request_key = $2
"""
SET_STATUS: Final = """
UPDATE credit_purchases SET status = $3 WHERE account_id = $1 AND credit_purchase_id = $2
"""
TOPPED_UP: Final = """
SELECT coalesce(sum(amount_minor), 0)::bigint AS spent,
    coalesce(bool_or(status = 'open'), false) AS in_flight
FROM credit_purchases
WHERE account_id = $1 AND is_top_up AND (created_at >= $2 OR status = 'open')
"""


async def epoch(conn: Connection) -> int:
    """Return how often costs have changed."""
    count: int = await conn.fetchval(EPOCH)
    return count


async def lock_epoch(conn: Connection) -> None:
    """Let nobody else change costs until the transaction ends."""
    await conn.fetchval(LOCK_EPOCH)


async def costs(conn: Connection) -> tuple[Cost, ...]:
    """Return all versions of all costs that the scope may see."""
    general = [{**row, "account_id": None} for row in await conn.fetch(COSTS)]
    own = [dict(row) for row in await conn.fetch(OVERRIDES)]
    return tuple(msgspec.convert(fields, Cost) for fields in (*general, *own))


async def cost(conn: Connection, cost_id: UUID) -> Cost | None:
    """Return one version of a cost that the scope may see."""
    row = await conn.fetchrow(COST, cost_id)
    if row is not None:
        return msgspec.convert({**row, "account_id": None}, Cost)
    own = await conn.fetchrow(OVERRIDE, cost_id)
    return msgspec.convert(dict(own), Cost) if own else None


async def last_version(
    conn: Connection, account_id: UUID | None, operation: str, model: str | None
) -> int:
    """Return the number of the newest version, 0 if there is none."""
    if account_id is None:
        number: int = await conn.fetchval(LAST_VERSION, operation, model)
    else:
        number = await conn.fetchval(LAST_OVERRIDE, operation, model, account_id)
    return number


async def insert_cost(conn: Connection, cost: Cost) -> None:
    """Write a version."""
    fields = msgspec.structs.asdict(cost)
    account_id = fields.pop("account_id")
    if account_id is None:
        await conn.execute(INSERT_COST, *fields.values())
    else:
        await conn.execute(INSERT_OVERRIDE, *fields.values(), account_id)


async def insert_package(conn: Connection, package: Package) -> bool:
    """Write a package; False when its code is taken."""
    fields = msgspec.structs.astuple(package)
    return None is not await conn.fetchval(INSERT_PACKAGE, *fields)


async def save_package(conn: Connection, package: Package) -> None:
    """Write what may change of a package."""
    await conn.execute(
        SAVE_PACKAGE, package.credit_package_id, package.name, package.credits,
        package.amount_minor, package.priority, package.expires_after_days, package.is_active,
    )  # fmt: skip


async def packages(
    conn: Connection, currency: str | None, *, active_only: bool
) -> tuple[Package, ...]:
    """Return the packages in a currency, or in all, cheapest first."""
    rows = await conn.fetch(PACKAGES, currency, active_only)
    return tuple(Package(**row) for row in rows)


async def package(conn: Connection, package_id: UUID) -> Package | None:
    """Return one package, on sale or not."""
    row = await conn.fetchrow(PACKAGE, package_id)
    return Package(**row) if row else None


async def insert_purchase(conn: Connection, purchase: Purchase) -> bool:
    """Write a purchase; False if its key was used, or another top-up is in flight."""
    fields = msgspec.structs.astuple(purchase)
    return None is not await conn.fetchval(INSERT_PURCHASE, *fields)


async def lock_purchase(conn: Connection, account_id: UUID, invoice_id: UUID) -> Purchase | None:
    """Return the purchase of this invoice and lock it."""
    return _purchase(await conn.fetchrow(LOCK_BY_INVOICE, account_id, invoice_id))


async def purchase_by_key(conn: Connection, account_id: UUID, key: str) -> Purchase | None:
    """Return the purchase that this request made."""
    return _purchase(await conn.fetchrow(PURCHASE_BY_KEY, account_id, key))


async def set_status(conn: Connection, purchase: Purchase, status: str) -> None:
    """Write where a purchase stands."""
    await conn.execute(SET_STATUS, purchase.account_id, purchase.credit_purchase_id, status)


async def topped_up(conn: Connection, account_id: UUID, since: datetime) -> tuple[int, bool]:
    """Return what top-ups cost since then, and whether one is in flight."""
    row = await conn.fetchrow(TOPPED_UP, account_id, since)
    assert row is not None  # noqa: S101 - an aggregate has one row
    return row["spent"], row["in_flight"]


def _purchase(row: asyncpg.Record | None) -> Purchase | None:
    return Purchase(**row) if row else None
