"""SQL around DataLink's extracts: whose turn it is, and which of its sales are ours."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final

from tallystick.kernel.db import Connection

# The row is locked by the insert: two processes never both get the turn.
TAKE_TURN: Final = """
INSERT INTO ccbill_extracts (username, asked_at) VALUES ($1, $2)
ON CONFLICT (username) DO UPDATE SET asked_at = excluded.asked_at
WHERE ccbill_extracts.asked_at <= excluded.asked_at - $3::interval
RETURNING asked_at
"""
ASKED_AT: Final = "SELECT asked_at FROM ccbill_extracts WHERE username = $1"
# Across accounts, under the writer's scope: an extract is of the whole merchant.
OURS: Final = """
SELECT a.gateway_reference AS id FROM payment_attempts a
WHERE a.gateway = 'ccbill' AND a.gateway_reference = ANY($1)
"""
CURRENCIES: Final = """
SELECT a.gateway_reference AS id, p.currency
FROM payment_attempts a JOIN payments p USING (account_id, payment_id)
WHERE a.gateway = 'ccbill' AND a.gateway_reference = ANY($1)
"""


async def take_turn(
    conn: Connection, username: str, now: datetime, gap: timedelta
) -> datetime | None:
    """Take the hour's one request; return None, or when somebody else did."""
    if await conn.fetchval(TAKE_TURN, username, now, gap) is not None:
        return None
    asked_at: datetime = await conn.fetchval(ASKED_AT, username)
    return asked_at


async def ours(conn: Connection, ids: Collection[str]) -> frozenset[str]:
    """Return those of CCBill's subscription ids that are linked to something here."""
    return frozenset(row["id"] for row in await conn.fetch(OURS, sorted(ids)))


async def currencies_of(conn: Connection, ids: Collection[str]) -> Mapping[str, str]:
    """Return the currencies of our charges with these ids."""
    rows = await conn.fetch(CURRENCIES, sorted(ids))
    return {row["id"]: row["currency"] for row in rows}
