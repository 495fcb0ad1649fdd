"""SQL of the exact totals of many counters in one statement, so one snapshot."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from tallystick.kernel.db import Connection
from tallystick.metering.hours import whole_hours
from tallystick.metering.limits import Slot
from tallystick.metering.usage_sql import COUNTS, VALUE, fill

_EVENTS: Final = fill(
    """
    FROM usage_events e
    WHERE e.account_id = w.account_id AND e.event_type = m.event_type AND {counts}""",
    counts=COUNTS,
)
# As `totals_store.PERIOD_STATES` reads one account: whole hours, the tail by transaction (its time
# in a CASE, so that the planner walks the short tail), and the folded events of both edges.
COUNTER_TOTALS: Final = fill(
    """
WITH mark AS MATERIALIZED (SELECT upto FROM usage_fold)
SELECT w.account_id, w.meter_id, w.start, w.stop,
    coalesce(kept.total, 0) + coalesce(tail.total, 0) + coalesce(head.total, 0)
        + coalesce(foot.total, 0) AS total
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[],
            $6::timestamptz[]) AS w (account_id, meter_id, start, stop, first, last)
JOIN meters m USING (meter_id)
CROSS JOIN LATERAL (
    SELECT sum(t.total) AS total FROM usage_totals t
    WHERE t.account_id = w.account_id AND t.meter_id = w.meter_id
      AND t.hour >= w.first AND t.hour < w.last) AS kept
CROSS JOIN LATERAL (
    SELECT sum(CASE WHEN e.at >= w.start AND e.at < w.stop THEN {value} END) AS total {events}
      AND e.tx >= (SELECT upto FROM mark) AND e.tx <= '18446744073709551615') AS tail
CROSS JOIN LATERAL (
    SELECT sum({value}) AS total {events} AND e.at >= w.start AND e.at < w.first
      AND e.tx < (SELECT upto FROM mark)) AS head
CROSS JOIN LATERAL (
    SELECT sum({value}) AS total {events} AND e.at >= w.last AND e.at < w.stop
      AND e.tx < (SELECT upto FROM mark)) AS foot
""",
    value=VALUE,
    events=_EVENTS,
)


async def counter_totals(conn: Connection, slots: Sequence[Slot]) -> dict[Slot, Decimal]:
    """Return what each counted, not rounded; their meters are sums or counts, not recurring."""
    if not slots:
        return {}
    hours = [whole_hours(start, end) for _, _, start, end in slots]
    columns = [*zip(*slots, strict=True), *zip(*hours, strict=True)]
    rows = await conn.fetch(COUNTER_TOTALS, *(list(column) for column in columns))
    return {(row[0], row[1], row[2], row[3]): row[4] for row in rows}
