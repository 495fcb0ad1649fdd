"""SQL of the schedules that gateways keep of subscriptions."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.money.amount import Money
from tallystick.subscriptions.model import ScheduleOwner

# One that a gateway keeps already is not wished for anew.
WISH: Final = """
INSERT INTO gateway_schedules (account_id, subscription_id, gateway, initial_days, currency,
    recurring_minor, period_days, rebills, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (account_id, subscription_id) DO UPDATE SET gateway = excluded.gateway,
    initial_days = excluded.initial_days, currency = excluded.currency,
    recurring_minor = excluded.recurring_minor, period_days = excluded.period_days,
    rebills = excluded.rebills
WHERE gateway_schedules.reference IS NULL
"""
FIND: Final = """
SELECT * FROM gateway_schedules WHERE account_id = $1 AND subscription_id = $2
"""
LINK: Final = """
UPDATE gateway_schedules SET reference = $3
WHERE account_id = $1 AND subscription_id = $2 AND reference IS NULL RETURNING subscription_id
"""
AHEAD: Final = """
UPDATE gateway_schedules SET next_renewal_at = coalesce($3, next_renewal_at), retry_at = $4
WHERE account_id = $1 AND subscription_id = $2
"""


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway renews: `recurring` every `period_days` days; `rebills` None: until cancelled.

    `reference` None: it was not begun yet.
    """

    account_id: UUID
    subscription_id: UUID
    gateway: ScheduleOwner
    initial_days: int
    currency: str
    recurring_minor: int
    period_days: int
    rebills: int | None
    reference: str | None = None
    next_renewal_at: datetime | None = None
    retry_at: datetime | None = None
    created_at: datetime

    @property
    def recurring(self) -> Money:
        """What each renewal costs."""
        return Money(self.recurring_minor, self.currency)


async def wish(conn: Connection, new: Schedule) -> None:
    """Write what shall be renewed; a wish that nobody carried out yet is replaced."""
    values = (
        new.account_id, new.subscription_id, new.gateway, new.initial_days, new.currency,
        new.recurring_minor, new.period_days, new.rebills, new.created_at,
    )  # fmt: skip
    await conn.execute(WISH, *values)


async def find(conn: Connection, account_id: UUID, subscription_id: UUID) -> Schedule | None:
    """Return the schedule of a subscription."""
    row = await conn.fetchrow(FIND, account_id, subscription_id)
    return None if row is None else msgspec.convert(dict(row), Schedule)


async def link(conn: Connection, schedule: Schedule, reference: str) -> bool:
    """Note the gateway's name of it; False if it has one."""
    key = (schedule.account_id, schedule.subscription_id)
    return await conn.fetchval(LINK, *key, reference) is not None


async def look_ahead(
    conn: Connection,
    account_id: UUID,
    subscription_id: UUID,
    *,
    next_renewal_at: datetime | None,
    retry_at: datetime | None,
) -> None:
    """Note what the gateway says comes next; None as next renewal: as it was."""
    await conn.execute(AHEAD, account_id, subscription_id, next_renewal_at, retry_at)
