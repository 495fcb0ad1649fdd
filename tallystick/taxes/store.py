"""SQL of tax rates, exemptions, and what is known of tax numbers."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.taxes.model import Exemption, NumberCheck, TaxRate

INSERT: Final = """
INSERT INTO tax_rates (tax_rate_id, country, region, tax_code, name, percent, category, reason,
    inclusive, replaces_national, valid_from, valid_until, source, looked_up_on, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
"""
# Two changes of one tax must not pass each other; there are few of them.
LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('tax_rates', 0))"
FIND: Final = "SELECT * FROM tax_rates WHERE tax_rate_id = $1"
SAME_TAX: Final = """
SELECT * FROM tax_rates
WHERE country = $1 AND region IS NOT DISTINCT FROM $2 AND tax_code = $3 AND name = $4
  AND (valid_until IS NULL OR valid_until > valid_from)
ORDER BY valid_from
"""
END: Final = """
UPDATE tax_rates SET valid_until = $2 WHERE tax_rate_id = $1 AND valid_until IS NULL RETURNING *
"""
LIST: Final = """
SELECT * FROM tax_rates
WHERE ($1::text IS NULL OR country = $1)
  AND ($2::date IS NULL OR (valid_from <= $2 AND (valid_until IS NULL OR valid_until > $2)))
ORDER BY country, region NULLS FIRST, tax_code, name, valid_from DESC, tax_rate_id
LIMIT $3
"""
OF_COUNTRIES: Final = """
SELECT * FROM tax_rates WHERE country = ANY ($1::text[])
ORDER BY country, region NULLS FIRST, tax_code, name, valid_from
"""
INSERT_EXEMPTION: Final = """
INSERT INTO tax_exemptions (account_id, tax_exemption_id, reason, certificate, country, region,
    valid_from, valid_until, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
END_EXEMPTION: Final = """
UPDATE tax_exemptions SET valid_until = $3
WHERE account_id = $1 AND tax_exemption_id = $2 AND valid_until IS NULL RETURNING *
"""
FIND_EXEMPTION: Final = """
SELECT * FROM tax_exemptions WHERE account_id = $1 AND tax_exemption_id = $2
"""
EXEMPTIONS: Final = """
SELECT * FROM tax_exemptions WHERE account_id = ANY ($1::uuid[])
ORDER BY account_id, valid_from, tax_exemption_id
"""
CHECKS: Final = "SELECT * FROM tax_number_checks WHERE account_id = ANY ($1::uuid[])"
# Whoever claims a check has so long for it; another process takes it up then.
CLAIM_CHECKS: Final = """
UPDATE tax_number_checks SET next_check_at = $3
WHERE account_id IN (
    SELECT account_id FROM tax_number_checks
    WHERE next_check_at <= $2 AND country = ANY ($1::text[])
    ORDER BY next_check_at LIMIT $4 FOR UPDATE SKIP LOCKED)
RETURNING *
"""
# A number that was changed meanwhile is another one, and is asked for itself.
SAVE_CHECK: Final = """
UPDATE tax_number_checks
SET outcome = $3, checked_at = $4, try_count = $5, next_check_at = $6
WHERE account_id = $1 AND tax_number = $2
"""


async def lock_all(conn: Connection) -> None:
    """Let no other transaction change rates before this one ends."""
    await conn.execute(LOCK)


async def insert(conn: Connection, rate: TaxRate) -> None:
    """Write a rate; asyncpg.ExclusionViolationError where another one holds."""
    await conn.execute(
        INSERT, rate.tax_rate_id, rate.country, rate.region, rate.tax_code, rate.name,
        rate.percent, rate.category, rate.reason, rate.inclusive, rate.replaces_national,
        rate.valid_from, rate.valid_until, rate.source, rate.looked_up_on, rate.created_at,
    )  # fmt: skip


async def find(conn: Connection, tax_rate_id: UUID) -> TaxRate | None:
    """Return one rate."""
    row = await conn.fetchrow(FIND, tax_rate_id)
    return None if row is None else msgspec.convert(dict(row), TaxRate)


async def of_same_tax(
    conn: Connection, country: str, region: str | None, tax_code: str, name: str
) -> tuple[TaxRate, ...]:
    """Return the rates that one tax has had, oldest first; not those that never held."""
    rows = await conn.fetch(SAME_TAX, country, region, tax_code, name)
    return tuple(msgspec.convert(dict(row), TaxRate) for row in rows)


async def end(conn: Connection, tax_rate_id: UUID, on: date) -> TaxRate | None:
    """Say when a rate ends; None when that is said already."""
    row = await conn.fetchrow(END, tax_rate_id, on)
    return None if row is None else msgspec.convert(dict(row), TaxRate)


async def rates(
    conn: Connection, country: str | None, day: date | None, limit: int
) -> tuple[TaxRate, ...]:
    """Return rates by place and tax, the newest of each first."""
    rows = await conn.fetch(LIST, country, day, limit)
    return tuple(msgspec.convert(dict(row), TaxRate) for row in rows)


async def of_countries(conn: Connection, countries: Collection[str]) -> tuple[TaxRate, ...]:
    """Return all rates of these countries."""
    rows = await conn.fetch(OF_COUNTRIES, sorted(countries))
    return tuple(msgspec.convert(dict(row), TaxRate) for row in rows)


async def insert_exemption(conn: Connection, new: Exemption) -> None:
    """Write an exemption."""
    await conn.execute(
        INSERT_EXEMPTION, new.account_id, new.tax_exemption_id, new.reason, new.certificate,
        new.country, new.region, new.valid_from, new.valid_until, new.created_at,
    )  # fmt: skip


async def end_exemption(
    conn: Connection, account_id: UUID, exemption_id: UUID, on: date
) -> Exemption | None:
    """Say when an exemption ends; None when that is said already, or there is none."""
    row = await conn.fetchrow(END_EXEMPTION, account_id, exemption_id, on)
    return None if row is None else msgspec.convert(dict(row), Exemption)


async def find_exemption(
    conn: Connection, account_id: UUID, exemption_id: UUID
) -> Exemption | None:
    """Return one exemption of an account."""
    row = await conn.fetchrow(FIND_EXEMPTION, account_id, exemption_id)
    return None if row is None else msgspec.convert(dict(row), Exemption)


async def exemptions(conn: Connection, account_ids: Collection[UUID]) -> tuple[Exemption, ...]:
    """Return the exemptions of these accounts, oldest first."""
    rows = await conn.fetch(EXEMPTIONS, list(account_ids))
    return tuple(msgspec.convert(dict(row), Exemption) for row in rows)


async def checks(conn: Connection, account_ids: Collection[UUID]) -> tuple[NumberCheck, ...]:
    """Return what is known of the tax numbers of these accounts."""
    rows = await conn.fetch(CHECKS, list(account_ids))
    return tuple(msgspec.convert(dict(row), NumberCheck) for row in rows)


async def claim_checks(
    conn: Connection, countries: Collection[str], now: datetime, until: datetime, limit: int
) -> tuple[NumberCheck, ...]:
    """Take checks that are due; they are due again at `until`."""
    rows = await conn.fetch(CLAIM_CHECKS, sorted(countries), now, until, limit)
    return tuple(msgspec.convert(dict(row), NumberCheck) for row in rows)


async def save_check(conn: Connection, check: NumberCheck) -> None:
    """Write what came of a check, unless the account has another number by now."""
    await conn.execute(
        SAVE_CHECK, check.account_id, check.tax_number, check.outcome, check.checked_at,
        check.try_count, check.next_check_at,
    )  # fmt: skip
