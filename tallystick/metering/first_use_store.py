"""SQL of when an account's use of a meter began."""

from datetime import datetime
from typing import Final
from uuid import UUID

from tallystick.kernel.db import Connection

# The first hour of the roll-up, by its key; and what is not folded yet, by the index of the tail.
FIRST_USE: Final = """
SELECT least(
    (SELECT t.hour FROM usage_totals t
     WHERE t.account_id = $1 AND t.meter_id = $2 ORDER BY t.hour LIMIT 1),
    (SELECT date_trunc('hour', min(e.at), 'UTC') FROM usage_events e
     WHERE e.account_id = $1 AND e.tx >= (SELECT upto FROM usage_fold)
       AND e.tx <= '18446744073709551615' AND e.event_type = $3))
"""


async def first_use(
    conn: Connection, account_id: UUID, meter_id: UUID, event_type: str
) -> datetime | None:
    """Return the hour (UTC) of the account's first event of a meter, None without any."""
    found: datetime | None = await conn.fetchval(FIRST_USE, account_id, meter_id, event_type)
    return found
