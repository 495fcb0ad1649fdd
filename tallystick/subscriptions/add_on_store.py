"""The SQL of add-ons that subscriptions have."""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.kernel.db import Connection
from tallystick.subscriptions.model import AttachedAddOn

INSERT: Final = """
INSERT INTO subscription_add_ons (account_id, subscription_add_on_id, subscription_id, add_on_id,
    code, name, charge, amount, features, quantity, starts_at, ends_at, attached_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
OF_ACCOUNTS: Final = """
SELECT * FROM subscription_add_ons WHERE account_id = ANY ($1::uuid[])
ORDER BY account_id, attached_at, subscription_add_on_id
"""
LOCK: Final = """
SELECT * FROM subscription_add_ons WHERE account_id = $1 AND subscription_add_on_id = $2
FOR NO KEY UPDATE
"""
END: Final = """
UPDATE subscription_add_ons SET ends_at = $3 WHERE account_id = $1 AND subscription_add_on_id = $2
"""


async def insert(conn: Connection, new: AttachedAddOn) -> None:
    """Write an add-on that a subscription has now."""
    await conn.execute(
        INSERT, new.account_id, new.subscription_add_on_id, new.subscription_id, new.add_on_id,
        new.code, new.name, new.charge, new.amount, msgspec.json.encode(new.features).decode(),
        new.quantity, new.starts_at, new.ends_at, new.attached_at,
    )  # fmt: skip


async def of_accounts(conn: Connection, account_ids: Collection[UUID]) -> tuple[AttachedAddOn, ...]:
    """Return all add-ons of these accounts' subscriptions, in the order in which they came."""
    return tuple(_add_on(row) for row in await conn.fetch(OF_ACCOUNTS, list(account_ids)))


async def lock(conn: Connection, account_id: UUID, named: UUID) -> AttachedAddOn | None:
    """Return one add-on and lock its row."""
    row = await conn.fetchrow(LOCK, account_id, named)
    return _add_on(row) if row else None


async def end(conn: Connection, account_id: UUID, named: UUID, ends_at: datetime) -> None:
    """Note when an add-on ends."""
    await conn.execute(END, account_id, named, ends_at)


def _add_on(row: asyncpg.Record) -> AttachedAddOn:
    fields = dict(row)
    fields["features"] = msgspec.json.decode(fields["features"])
    return msgspec.convert(fields, AttachedAddOn)
