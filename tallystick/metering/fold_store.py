"""SQL that makes roll-ups of events: the fold, and all that makes them anew or checks them.

Four tables are made of the same events: hours of all meters; months of recurring ones; hours by
group of those with group_by; unique values. `{which}` stands for the choice of events.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.metering.usage_sql import (
    COUNTS,
    GATHERED,
    IS_THERE,
    NOT_VOIDED,
    SUMMED,
    UNIQUE,
    VALUE,
    fill,
)

# Every transaction below `settled` has ended, and no later one will be below it.
FIND_BACKLOG: Final = """
SELECT settled, next,
    (SELECT tx FROM usage_events WHERE tx >= $1 AND tx < settled ORDER BY tx LIMIT 1) AS first,
    (SELECT tx FROM usage_events WHERE tx >= $1 AND tx < settled ORDER BY tx
     OFFSET $2 LIMIT 1) AS cut
FROM (SELECT pg_snapshot_xmin(s) AS settled, pg_snapshot_xmax(s) AS next
      FROM pg_current_snapshot() AS s) AS snapshot
"""
# What can be left out, for most installations sum and count and nothing more: looking up each event
# among those voided, what only some aggregations need, the rarer tables. Who voids events counts
# their hours anew under the mark's lock, so what is seen here holds until the fold ends.
FIND_KINDS: Final = """
SELECT EXISTS (SELECT FROM usage_voids) AS voids,
    bool_or(aggregation IN ('min', 'max', 'latest', 'weighted_sum')) AS states,
    bool_or(recurring AND aggregation <> 'unique_count') AS months,
    bool_or(group_by <> '{}' AND aggregation <> 'unique_count') AS groups,
    bool_or(aggregation = 'unique_count') AS uniques
FROM meters
"""
FORGET: Final = (
    "DELETE FROM usage_totals WHERE hour >= (SELECT archived_before FROM usage_fold)",
    "DELETE FROM usage_months WHERE month >= (SELECT archived_before FROM usage_fold)",
    "DELETE FROM usage_groups WHERE hour >= (SELECT archived_before FROM usage_fold)",
    "DELETE FROM usage_values WHERE hour >= (SELECT archived_before FROM usage_fold)",
)

_COUNTED: Final = fill(
    """
    SELECT e.account_id, m.meter_id, m.aggregation, m.group_by, m.recurring, e.at, e.key,
        date_trunc('hour', e.at, 'UTC') AS hour, e.properties, {value} AS value
    FROM usage_events e JOIN meters m USING (event_type)
    WHERE m.aggregation <> 'unique_count' AND {counts}""",
    value=VALUE,
    counts=COUNTS,
)
HOURS: Final = fill(
    """
SELECT c.account_id, c.meter_id, c.hour, {gathered}
FROM ({counted} AND {which} OFFSET 0) AS c WHERE c.value IS NOT NULL
GROUP BY 1, 2, 3
""",
    gathered=GATHERED,
    counted=_COUNTED,
)
MONTHS: Final = fill(
    """
SELECT c.account_id, c.meter_id, date_trunc('month', c.at, 'UTC') AS month,
    count(*) AS event_count, sum(c.value) AS total,
    usage_last(ROW(c.at, c.key, c.value)::usage_point) FILTER (WHERE c.aggregation = 'latest')
        AS last
FROM ({counted} AND m.recurring AND {which} OFFSET 0) AS c WHERE c.value IS NOT NULL
GROUP BY 1, 2, 3
""",
    counted=_COUNTED,
)
GROUPS: Final = fill(
    """
SELECT c.account_id, c.meter_id, c.hour, usage_dimension_key(c.dimensions) AS dimension_key,
    c.dimensions, {gathered}
FROM (SELECT d.*, usage_dimensions(d.group_by, d.properties) AS dimensions
      FROM ({counted} AND m.group_by <> '{}' AND {which} OFFSET 0) AS d
      WHERE d.value IS NOT NULL OFFSET 0) AS c
GROUP BY 1, 2, 3, 5
""",
    gathered=GATHERED,
    counted=_COUNTED,
)
VALUES: Final = fill(
    """
SELECT c.account_id, c.meter_id, c.hour, usage_dimension_key(c.dimensions) AS dimension_key,
    c.value, c.dimensions, usage_last(c.point) AS last
FROM (SELECT e.account_id, m.meter_id, date_trunc('hour', e.at, 'UTC') AS hour, {unique} AS value,
          usage_dimensions(m.group_by, e.properties) AS dimensions,
          ROW(e.at, e.key, {is_there})::usage_point AS point
      FROM usage_events e JOIN meters m USING (event_type)
      WHERE m.aggregation = 'unique_count' AND {counts} AND {which} OFFSET 0) AS c
WHERE c.value IS NOT NULL GROUP BY 1, 2, 3, 5, 6
""",
    unique=UNIQUE,
    is_there=IS_THERE,
    counts=COUNTS,
)
_STATE: Final = "event_count, total, low, high, last, held"
_MERGE_STATE: Final = """DO UPDATE SET event_count = t.event_count + excluded.event_count,
    total = t.total + excluded.total, low = least(t.low, excluded.low),
    high = greatest(t.high, excluded.high), last = greatest(t.last, excluded.last),
    held = t.held + excluded.held"""
ADD_HOURS: Final = fill(
    """
INSERT INTO usage_totals AS t (account_id, meter_id, hour, {state})
{hours} ORDER BY 1, 2, 3
ON CONFLICT (account_id, meter_id, hour) {merge_state}
""",
    state=_STATE,
    hours=HOURS,
    merge_state=_MERGE_STATE,
)
ADD_MONTHS: Final = fill(
    """
INSERT INTO usage_months AS t (account_id, meter_id, month, event_count, total, last)
{months} ORDER BY 1, 2, 3
ON CONFLICT (account_id, meter_id, month) DO UPDATE
SET event_count = t.event_count + excluded.event_count, total = t.total + excluded.total,
    last = greatest(t.last, excluded.last)
""",
    months=MONTHS,
)
ADD_GROUPS: Final = fill(
    """
INSERT INTO usage_groups AS t (account_id, meter_id, hour, dimension_key, dimensions, {state})
{groups} ORDER BY 1, 2, 3, 4
ON CONFLICT (account_id, meter_id, hour, dimension_key) {merge_state}
""",
    state=_STATE,
    groups=GROUPS,
    merge_state=_MERGE_STATE,
)
ADD_VALUES: Final = fill(
    """
INSERT INTO usage_values AS t
    (account_id, meter_id, hour, dimension_key, value, dimensions, last)
{values} ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (account_id, meter_id, hour, dimension_key, value) DO UPDATE
SET last = greatest(t.last, excluded.last)
""",
    values=VALUES,
)
ADDS: Final = (ADD_HOURS, ADD_MONTHS, ADD_GROUPS, ADD_VALUES)

# Of months with archived events totals stand, and events that came late to them are still there:
# what is counted twice is taken out of the totals before the fold adds all events again. The rest
# of a total is the same however often an event is added.
LATE: Final = "e.at < (SELECT archived_before FROM usage_fold) AND e.tx < $1"
_TAKEN: Final = """
SET event_count = t.event_count - s.event_count, total = t.total - s.total"""
TAKE_OUT: Final = (
    fill(
        """
UPDATE usage_totals t {taken}, held = t.held - s.held FROM ({late}) AS s
WHERE (t.account_id, t.meter_id, t.hour) = (s.account_id, s.meter_id, s.hour)
""",
        taken=_TAKEN,
        late=fill(HOURS, which=LATE),
    ),
    fill(
        """
UPDATE usage_months t {taken} FROM ({late}) AS s
WHERE (t.account_id, t.meter_id, t.month) = (s.account_id, s.meter_id, s.month)
""",
        taken=_TAKEN,
        late=fill(MONTHS, which=LATE),
    ),
    fill(
        """
UPDATE usage_groups t {taken}, held = t.held - s.held FROM ({late}) AS s
WHERE (t.account_id, t.meter_id, t.hour, t.dimension_key)
    = (s.account_id, s.meter_id, s.hour, s.dimension_key)
""",
        taken=_TAKEN,
        late=fill(GROUPS, which=LATE),
    ),
)

NEW: Final = "e.tx >= $1 AND e.tx < $2"
"""The events of a range of transactions."""
OF_METER: Final = "m.meter_id = $1 AND e.tx < $2"
"""One meter's of all transactions before the mark."""


class Backlog(msgspec.Struct, frozen=True):
    """What waits to be folded, in transaction numbers.

    `settled`: all below it have ended. `next`: the next to be given out. `first`: the first with
    events; `cut`: where the fold's bound on events is reached.
    """

    settled: int
    next: int
    first: int | None
    cut: int | None


def of(statement: str, which: str) -> str:
    """Return one of the statements above for some events."""
    return fill(statement, which=which)


FOLD: Final = tuple(of(add, NEW) for add in ADDS)
BACKFILL: Final = tuple(of(add, OF_METER) for add in ADDS)


async def find_backlog(conn: Connection, upto: int, events_max: int) -> Backlog:
    """Return what waits from the mark on."""
    (row,) = await conn.fetch(FIND_BACKLOG, upto, events_max)
    return Backlog(**row)


async def fold(conn: Connection, old: int, new: int) -> None:
    """Add the events of transactions [old, new) to the roll-ups; the mark is locked."""
    await _run(conn, FOLD, old, new)


async def backfill(conn: Connection, meter_id: UUID, upto: int) -> None:
    """Write a new meter's roll-ups of the events before the mark, which is locked."""
    await _run(conn, BACKFILL, meter_id, upto)


async def forget(conn: Connection, upto: int) -> None:
    """Empty all roll-ups of the events there are, to make them anew; the mark `upto` is locked."""
    for statement in FORGET:
        await conn.execute(statement)
    for statement in TAKE_OUT:
        await conn.execute(statement, upto)


async def _run(conn: Connection, adds: Sequence[str], *args: object) -> None:
    ((has_voids, has_states, *rarer),) = await conn.fetch(FIND_KINDS)
    for add, is_needed in zip(adds, (True, *rarer), strict=True):
        if is_needed:
            counted = add if has_voids else add.replace(NOT_VOIDED, "true")
            lean = counted if has_states else counted.replace(GATHERED, SUMMED)
            await conn.execute(lean, *args)
