"""SQL of the hours in which something was used, over all accounts."""

from datetime import datetime
from typing import Final
from uuid import UUID

from tallystick.kernel.db import Connection
from tallystick.metering.model import UsedHour

HORIZON: Final = """
SELECT pg_snapshot_xmin(s), pg_snapshot_xmax(s) FROM pg_current_snapshot() AS s
"""
NEW: Final = """
SELECT DISTINCT account_id, event_type, date_trunc('hour', at, 'UTC') AS hour FROM usage_events
WHERE tx >= $1 AND tx < $2 AND event_type = ANY ($3::text[]) AND at >= $4
"""
# One snapshot: what is folded, and the events that are not yet.
ALL: Final = """
SELECT account_id, $2 AS event_type, hour FROM usage_totals WHERE meter_id = $1 AND hour >= $3
UNION
SELECT account_id, event_type, date_trunc('hour', at, 'UTC') FROM usage_events
WHERE tx >= (SELECT upto FROM usage_fold) AND event_type = $2 AND at >= $3
"""


async def horizon(conn: Connection) -> tuple[int, int]:
    """Return below which number all transactions have ended, and from which none has begun."""
    (row,) = await conn.fetch(HORIZON)
    return row[0], row[1]


async def new(
    conn: Connection, start: int, end: int, event_types: list[str], since: datetime
) -> tuple[UsedHour, ...]:
    """Return the hours of events of transactions from `start` up to `end`, excluded."""
    rows = await conn.fetch(NEW, start, end, event_types, since)
    return tuple(UsedHour(**dict(row)) for row in rows)


async def all_of(
    conn: Connection, meter_id: UUID, event_type: str, since: datetime
) -> tuple[UsedHour, ...]:
    """Return all hours of a meter from `since` on."""
    return tuple(
        UsedHour(**dict(row)) for row in await conn.fetch(ALL, meter_id, event_type, since)
    )
