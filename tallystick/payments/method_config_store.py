"""The SQL of the ways of paying that are offered."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from tallystick.kernel.db import Connection
from tallystick.payments.method_configs import MethodConfig

ALL: Final = "SELECT * FROM payment_method_configs ORDER BY position, code"
OF_ACCOUNT: Final = """
SELECT * FROM payment_method_configs c
WHERE NOT is_restricted OR EXISTS (SELECT FROM payment_method_config_accounts a
    WHERE a.account_id = $1 AND a.code = c.code)
ORDER BY position, code
"""
PUT: Final = """
INSERT INTO payment_method_configs (code, gateway, type, name, instructions, countries,
    currencies, is_restricted, position, is_active, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (code) DO UPDATE SET gateway = excluded.gateway, type = excluded.type,
    name = excluded.name, instructions = excluded.instructions, countries = excluded.countries,
    currencies = excluded.currencies, is_restricted = excluded.is_restricted,
    position = excluded.position, is_active = excluded.is_active
"""
DELETE: Final = "DELETE FROM payment_method_configs WHERE code = $1 RETURNING code"
ACCOUNTS: Final = """
SELECT account_id, code FROM payment_method_config_accounts ORDER BY code, account_id
"""
ALLOW: Final = """
INSERT INTO payment_method_config_accounts (account_id, code)
SELECT account_id, $2 FROM unnest($1::uuid[]) AS account_id ON CONFLICT DO NOTHING
"""
FORBID_OTHERS: Final = """
DELETE FROM payment_method_config_accounts WHERE code = $2 AND account_id <> ALL($1::uuid[])
"""
MISSING: Final = """
SELECT id FROM unnest($1::uuid[]) AS id WHERE NOT EXISTS
    (SELECT FROM accounts WHERE account_id = id) LIMIT 1
"""


async def all_configs(conn: Connection) -> list[MethodConfig]:
    """Return every way of paying, under the staff's scope."""
    return [_config(row) for row in await conn.fetch(ALL)]


async def configs_of(conn: Connection, account_id: UUID) -> list[MethodConfig]:
    """Return those that this account may use, active or not."""
    return [_config(row) for row in await conn.fetch(OF_ACCOUNT, account_id)]


async def put(conn: Connection, config: MethodConfig, at: datetime) -> None:
    """Write a way of paying, in place of one of the same code."""
    await conn.execute(
        PUT,
        config.code,
        config.gateway,
        config.type,
        config.name,
        config.instructions,
        config.countries,
        config.currencies,
        config.is_restricted,
        config.position,
        config.is_active,
        at,
    )


async def delete(conn: Connection, code: str) -> bool:
    """Remove a way of paying; False when there is none."""
    return await conn.fetchval(DELETE, code) is not None


async def accounts_by_code(conn: Connection) -> dict[str, list[UUID]]:
    """Return for whom restricted ones are, under the staff's scope."""
    named: dict[str, list[UUID]] = {}
    for row in await conn.fetch(ACCOUNTS):
        named.setdefault(row["code"], []).append(row["account_id"])
    return named


async def set_accounts(conn: Connection, code: str, account_ids: Sequence[UUID]) -> None:
    """Let these accounts alone use a restricted one."""
    await conn.execute(FORBID_OTHERS, account_ids, code)
    await conn.execute(ALLOW, account_ids, code)


async def missing_account(conn: Connection, account_ids: Sequence[UUID]) -> UUID | None:
    """Return one of these ids that no account has."""
    found: UUID | None = await conn.fetchval(MISSING, account_ids)
    return found


def _config(row: asyncpg.Record) -> MethodConfig:
    fields = dict(row)
    del fields["created_at"]
    return MethodConfig(
        countries=tuple(fields.pop("countries")),
        currencies=tuple(fields.pop("currencies")),
        **fields,
    )
