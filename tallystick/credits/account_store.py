"""The SQL of what an account holds over all its grants, and of what is set for it."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.credits.model import Balance, Settings
from tallystick.kernel.db import Connection

OPEN: Final = "INSERT INTO credit_accounts (account_id) VALUES ($1) ON CONFLICT DO NOTHING"
LOCK: Final = """
SELECT account_id, owed, reserved, overdraft_max, alert_below, top_up_below, top_up_package_id,
    top_up_month_max_minor, is_low, is_top_up_due
FROM credit_accounts WHERE account_id = $1 FOR NO KEY UPDATE
"""
SAVE: Final = """
UPDATE credit_accounts SET owed = $2, reserved = $3, overdraft_max = $4, alert_below = $5,
    top_up_below = $6, top_up_package_id = $7, top_up_month_max_minor = $8, is_low = $9,
    is_top_up_due = $10
WHERE account_id = $1
"""
# A reservation that ran out holds nothing, whether or not it was released by now.
BALANCE: Final = """
SELECT coalesce((SELECT sum(usable_credits(g.remaining, g.effective_at, g.expires_at, g.cap_at,
                                           g.cap, $2))
                 FROM credit_grants AS g WHERE g.account_id = $1 AND NOT g.is_spent), 0)::bigint
           AS usable,
       coalesce((SELECT sum(r.amount) FROM credit_reservations AS r
                 WHERE r.account_id = $1 AND r.status = 'active' AND r.expires_at > $2), 0)::bigint
           AS reserved,
       coalesce(a.owed, 0) AS owed, coalesce(a.overdraft_max, 0) AS overdraft_max
FROM (SELECT $1::uuid AS account_id) AS wanted
LEFT JOIN credit_accounts AS a ON a.account_id = wanted.account_id
"""
SETTINGS: Final = """
SELECT overdraft_max, alert_below, top_up_below, top_up_package_id, top_up_month_max_minor
FROM credit_accounts WHERE account_id = $1
"""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """An account's row; whoever has it has locked it."""

    account_id: UUID
    owed: int
    reserved: int
    overdraft_max: int
    alert_below: int | None
    top_up_below: int | None
    top_up_package_id: UUID | None
    top_up_month_max_minor: int | None
    is_low: bool
    is_top_up_due: bool


async def lock(conn: Connection, account_id: UUID) -> State:
    """Return the account's row and lock it, made if it was not there."""
    row = await conn.fetchrow(LOCK, account_id)
    if row is None:
        await conn.execute(OPEN, account_id)
        row = await conn.fetchrow(LOCK, account_id)
    assert row is not None  # noqa: S101 - it was just written
    return State(**row)


async def save(conn: Connection, state: State) -> None:
    """Write a row that is locked."""
    await conn.execute(SAVE, *msgspec.structs.astuple(state))


async def balance(conn: Connection, account_id: UUID, at: datetime) -> Balance:
    """Return what the account has at `at`; zeros when it never had anything."""
    row = await conn.fetchrow(BALANCE, account_id, at)
    assert row is not None  # noqa: S101 - the query has one row whatever there is
    return Balance(**row)


async def settings(conn: Connection, account_id: UUID) -> Settings:
    """Return what is set for the account."""
    row = await conn.fetchrow(SETTINGS, account_id)
    return Settings(**row) if row else Settings()
