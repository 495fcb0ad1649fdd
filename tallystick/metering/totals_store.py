"""SQL of totals: what is read of them, and the fold that makes them of events.

Hours are those of UTC, whatever the session's time zone.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.metering.model import Difference, HourlyTotal

# One statement, so one snapshot: the totals of whole hours, what is not folded yet, and the
# folded events of the edges. Two things stand here for the planner's sake, which must walk the
# tail by transaction, for it is short, and not the account's whole period: its time is tested in a
# CASE, and with an end (the largest number) it is taken as a small range, not as a third of all.
USAGE: Final = """
WITH mark AS MATERIALIZED (SELECT upto FROM usage_fold),
wanted AS (SELECT meter_id, event_type, aggregation, property FROM meters
           WHERE meter_id = ANY ($2::uuid[])),
parts AS (
    SELECT t.meter_id, t.hour, t.quantity FROM usage_totals t
    WHERE t.account_id = $1 AND t.meter_id = ANY ($2::uuid[]) AND t.hour >= $5 AND t.hour < $6
    UNION ALL
    SELECT m.meter_id, date_trunc('hour', e.at, 'UTC'),
        CASE WHEN e.at >= $3 AND e.at < $4
             THEN usage_quantity(m.aggregation, m.property, e.properties) END
    FROM usage_events e JOIN wanted m USING (event_type)
    WHERE e.account_id = $1 AND e.tx >= (SELECT upto FROM mark)
      AND e.tx <= '18446744073709551615'
    UNION ALL
    SELECT m.meter_id, date_trunc('hour', e.at, 'UTC'),
        usage_quantity(m.aggregation, m.property, e.properties)
    FROM usage_events e JOIN wanted m USING (event_type)
    WHERE e.account_id = $1 AND e.at >= $3 AND e.at < $5 AND e.tx < (SELECT upto FROM mark)
    UNION ALL
    SELECT m.meter_id, date_trunc('hour', e.at, 'UTC'),
        usage_quantity(m.aggregation, m.property, e.properties)
    FROM usage_events e JOIN wanted m USING (event_type)
    WHERE e.account_id = $1 AND e.at >= $6 AND e.at < $4 AND e.tx < (SELECT upto FROM mark))
"""
PERIOD_TOTALS: Final = (
    USAGE
    + """
SELECT meter_id, coalesce(sum(quantity), 0) AS quantity FROM parts GROUP BY meter_id
"""
)
HOURLY_TOTALS: Final = (
    USAGE
    + """
SELECT hour, sum(quantity) AS quantity FROM parts
GROUP BY hour HAVING sum(quantity) IS NOT NULL ORDER BY hour
"""
)
LOCK_MARK: Final = "SELECT upto FROM usage_fold FOR UPDATE"
LOCK_FREE_MARK: Final = "SELECT upto FROM usage_fold FOR UPDATE SKIP LOCKED"
# Every transaction below `settled` has ended, and no later one will be below it.
FIND_BACKLOG: Final = """
SELECT settled, next,
    (SELECT tx FROM usage_events WHERE tx >= $1 AND tx < settled ORDER BY tx LIMIT 1) AS first,
    (SELECT tx FROM usage_events WHERE tx >= $1 AND tx < settled ORDER BY tx
     OFFSET $2 LIMIT 1) AS cut
FROM (SELECT pg_snapshot_xmin(s) AS settled, pg_snapshot_xmax(s) AS next
      FROM pg_current_snapshot() AS s) AS snapshot
"""
FOLD: Final = """
INSERT INTO usage_totals AS t (account_id, meter_id, hour, quantity, event_count)
SELECT e.account_id, m.meter_id, date_trunc('hour', e.at, 'UTC'),
    sum(usage_quantity(m.aggregation, m.property, e.properties)), count(*)
FROM usage_events e JOIN meters m USING (event_type)
WHERE e.tx >= $1 AND e.tx < $2 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
ON CONFLICT (account_id, meter_id, hour) DO UPDATE
SET quantity = t.quantity + excluded.quantity, event_count = t.event_count + excluded.event_count
"""
MOVE_MARK: Final = "UPDATE usage_fold SET upto = $1"
FORGET_TOTALS: Final = "DELETE FROM usage_totals"
# A new meter's part of what is folded already.
BACKFILL: Final = """
INSERT INTO usage_totals (account_id, meter_id, hour, quantity, event_count)
SELECT e.account_id, m.meter_id, date_trunc('hour', e.at, 'UTC'),
    sum(usage_quantity(m.aggregation, m.property, e.properties)), count(*)
FROM usage_events e JOIN meters m USING (event_type)
WHERE m.meter_id = $1 AND e.tx < $2 GROUP BY 1, 2, 3
"""
DIFFERENCES: Final = """
WITH summed AS (
    SELECT e.account_id, m.meter_id, date_trunc('hour', e.at, 'UTC') AS hour,
        sum(usage_quantity(m.aggregation, m.property, e.properties)) AS quantity,
        count(*) AS event_count
    FROM usage_events e JOIN meters m USING (event_type)
    WHERE e.tx < (SELECT upto FROM usage_fold) GROUP BY 1, 2, 3)
SELECT account_id, meter_id, hour, t.quantity AS kept, s.quantity AS summed
FROM summed s FULL JOIN usage_totals t USING (account_id, meter_id, hour)
WHERE (t.quantity, t.event_count) IS DISTINCT FROM (s.quantity, s.event_count)
ORDER BY 1, 2, 3
"""


class Backlog(msgspec.Struct, frozen=True):
    """What waits to be folded, in transaction numbers.

    `settled`: all below it have ended. `next`: the next to be given out. `first`: the first with
    events; `cut`: where the fold's bound on events is reached.
    """

    settled: int
    next: int
    first: int | None
    cut: int | None


async def period_totals(
    conn: Connection,
    account_id: UUID,
    meter_ids: Sequence[UUID],
    span: tuple[datetime, datetime],
    hours: tuple[datetime, datetime],
) -> dict[UUID, Decimal]:
    """Return what was counted in a half-open span with these whole hours; zeros are absent."""
    rows = await conn.fetch(PERIOD_TOTALS, account_id, list(meter_ids), *span, *hours)
    return {row["meter_id"]: row["quantity"] for row in rows}


async def hourly_totals(
    conn: Connection,
    account_id: UUID,
    meter_id: UUID,
    span: tuple[datetime, datetime],
    hours: tuple[datetime, datetime],
) -> tuple[HourlyTotal, ...]:
    """Return the same hour by hour; hours without events are absent."""
    rows = await conn.fetch(HOURLY_TOTALS, account_id, [meter_id], *span, *hours)
    return tuple(HourlyTotal(**row) for row in rows)


async def lock_mark(conn: Connection) -> int:
    """Return the mark, which nobody moves before this transaction ends."""
    upto: int = await conn.fetchval(LOCK_MARK)
    return upto


async def lock_free_mark(conn: Connection) -> int | None:
    """Return the mark under lock, or None when another transaction holds it."""
    upto: int | None = await conn.fetchval(LOCK_FREE_MARK)
    return upto


async def find_backlog(conn: Connection, upto: int, events_max: int) -> Backlog:
    """Return what waits from the mark on."""
    (row,) = await conn.fetch(FIND_BACKLOG, upto, events_max)
    return Backlog(**row)


async def fold(conn: Connection, old: int, new: int) -> None:
    """Add the events of [old, new) to the totals and move the mark, which is locked."""
    await conn.execute(FOLD, old, new)
    await conn.execute(MOVE_MARK, new)


async def forget_totals(conn: Connection) -> None:
    """Empty the totals and set the mark, which is locked, back to the beginning."""
    await conn.execute(FORGET_TOTALS)
    await conn.execute(MOVE_MARK, 0)


async def backfill(conn: Connection, meter_id: UUID, upto: int) -> None:
    """Write a new meter's totals of the events before the mark, which is locked."""
    await conn.execute(BACKFILL, meter_id, upto)


async def differences(conn: Connection) -> tuple[Difference, ...]:
    """Return every total that is not the sum of its folded events; reads all events."""
    return tuple(Difference(**row) for row in await conn.fetch(DIFFERENCES))
