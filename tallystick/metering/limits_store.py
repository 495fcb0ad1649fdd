"""SQL of limits set for accounts."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec

from tallystick.catalog.model import LimitKind, LimitPeriod
from tallystick.kernel.db import Connection

SAVE: Final = """
INSERT INTO account_limits (account_id, meter_id, per, quantity, kind, reason, set_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (account_id, meter_id, per) DO UPDATE
SET quantity = $4, kind = $5, reason = $6, set_at = $7
"""
REMOVE: Final = """
DELETE FROM account_limits WHERE account_id = $1 AND meter_id = $2 AND per = $3 RETURNING meter_id
"""
LIST: Final = """
SELECT l.account_id, m.code AS meter, l.per, l.quantity AS limit, l.kind, l.reason, l.set_at
FROM account_limits l JOIN meters m USING (meter_id) WHERE l.account_id = ANY ($1::uuid[])
ORDER BY m.code, l.per
"""


class AccountLimit(msgspec.Struct, frozen=True, kw_only=True):
    """A limit set for one account, in place of its plan's; `limit` None: there is none."""

    meter: str
    per: LimitPeriod
    limit: Decimal | None
    kind: LimitKind
    reason: str
    set_at: datetime


async def save(conn: Connection, account_id: UUID, meter_id: UUID, new: AccountLimit) -> None:
    """Write the limit in place of the one that was set before."""
    await conn.execute(
        SAVE, account_id, meter_id, new.per, new.limit, new.kind, new.reason, new.set_at
    )


async def remove(conn: Connection, account_id: UUID, meter_id: UUID, per: LimitPeriod) -> bool:
    """Take a limit away; False when there was none."""
    return await conn.fetchval(REMOVE, account_id, meter_id, per) is not None


async def list_of(
    conn: Connection, account_ids: Collection[UUID]
) -> dict[UUID, tuple[AccountLimit, ...]]:
    """Return what is set for these accounts, by meter; those without are absent."""
    found: dict[UUID, tuple[AccountLimit, ...]] = {}
    for row in await conn.fetch(LIST, list(account_ids)):
        fields = dict(row)
        account_id = fields.pop("account_id")
        one = msgspec.convert(fields, AccountLimit)
        found[account_id] = (*found.get(account_id, ()), one)
    return found
