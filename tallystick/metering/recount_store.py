"""SQL that makes the roll-ups of a stretch of time anew, and that compares them with the events."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.metering.fold_store import (
    ADD_GROUPS,
    ADD_HOURS,
    ADD_VALUES,
    GROUPS,
    HOURS,
    VALUES,
    of,
)
from tallystick.metering.model import Difference
from tallystick.metering.usage_sql import fill

STATEMENT_TIMEOUT_S: Final = 3600.0
"""A month of one account's events may be many."""

_OF_SPAN: Final = """e.account_id = $1 AND m.meter_id = ANY ($2::uuid[])
      AND e.at >= $3 AND e.at < $4"""
_WHERE_SPAN: Final = """
WHERE account_id = $1 AND meter_id = ANY ($2::uuid[]) AND hour >= $3 AND hour < $4"""
FORGET_SPAN: Final = (
    fill("DELETE FROM usage_totals {where_span}", where_span=_WHERE_SPAN),
    fill("DELETE FROM usage_groups {where_span}", where_span=_WHERE_SPAN),
    fill("DELETE FROM usage_values {where_span}", where_span=_WHERE_SPAN),
)
COUNT_SPAN: Final = tuple(
    of(add, _OF_SPAN + " AND e.tx < $5") for add in (ADD_HOURS, ADD_GROUPS, ADD_VALUES)
)
# Months are merged from hours: $3 and $4 are then the first and the one after the last.
FORGET_MONTHS: Final = """
DELETE FROM usage_months
WHERE account_id = $1 AND meter_id = ANY ($2::uuid[]) AND month >= $3 AND month < $4
"""
_MONTHS_OF_HOURS: Final = fill(
    """
    SELECT account_id, meter_id, date_trunc('month', hour, 'UTC') AS month,
        sum(event_count)::bigint AS event_count, sum(total) AS total, usage_last(last) AS last
    FROM usage_totals JOIN meters USING (meter_id) {where_span} AND recurring
    GROUP BY 1, 2, 3""",
    where_span=_WHERE_SPAN,
)
MERGE_MONTHS: Final = fill(
    """
INSERT INTO usage_months (account_id, meter_id, month, event_count, total, last)
{months_of_hours}
""",
    months_of_hours=_MONTHS_OF_HOURS,
)
METERS_OF_TYPES: Final = "SELECT meter_id FROM meters WHERE event_type = ANY ($1::text[])"
ALL_METERS: Final = "SELECT meter_id FROM meters"
ARCHIVED_BEFORE: Final = """
SELECT CASE WHEN isfinite(archived_before) THEN archived_before END FROM usage_fold
"""
# The first and the last hour of each account that has events or totals, by skips over an index.
EXTENTS: Final = """
WITH RECURSIVE one AS (
    (SELECT account_id FROM usage_events ORDER BY account_id LIMIT 1)
    UNION ALL
    SELECT (SELECT e.account_id FROM usage_events e WHERE e.account_id > one.account_id
            ORDER BY e.account_id LIMIT 1)
    FROM one WHERE one.account_id IS NOT NULL),
two AS (
    (SELECT account_id FROM usage_totals ORDER BY account_id LIMIT 1)
    UNION ALL
    SELECT (SELECT t.account_id FROM usage_totals t WHERE t.account_id > two.account_id
            ORDER BY t.account_id LIMIT 1)
    FROM two WHERE two.account_id IS NOT NULL)
SELECT a.account_id,
    least((SELECT min(at) FROM usage_events e WHERE e.account_id = a.account_id),
          (SELECT min(hour) FROM usage_totals t WHERE t.account_id = a.account_id),
          (SELECT min(hour) FROM usage_values v WHERE v.account_id = a.account_id)) AS first,
    greatest((SELECT max(at) FROM usage_events e WHERE e.account_id = a.account_id),
             (SELECT max(hour) FROM usage_totals t WHERE t.account_id = a.account_id),
             (SELECT max(hour) FROM usage_values v WHERE v.account_id = a.account_id)) AS last
FROM (SELECT account_id FROM one UNION SELECT account_id FROM two) AS a
WHERE a.account_id IS NOT NULL ORDER BY 1
"""
_FOLDED_SPAN: Final = fill("{span} AND e.tx < (SELECT upto FROM usage_fold)", span=_OF_SPAN)
_NO_KEY: Final = "'00000000-0000-0000-0000-000000000000'::uuid"
# jsonb takes 6 and 6.0 for the same number.
DIFFERENCES: Final = fill(
    """
WITH kept AS (
    SELECT 'hour' AS what, meter_id, hour, {no_key} AS dimension_key, '' AS value,
        to_jsonb(t) AS state
    FROM usage_totals t {where_span}
    UNION ALL
    SELECT 'group', meter_id, hour, dimension_key, '', to_jsonb(t)
    FROM usage_groups t {where_span}
    UNION ALL
    SELECT 'value', meter_id, hour, dimension_key, value, to_jsonb(t)
    FROM usage_values t {where_span}
    UNION ALL
    SELECT 'month', meter_id, month, {no_key}, '', to_jsonb(t) FROM usage_months t
    WHERE account_id = $1 AND meter_id = ANY ($2::uuid[]) AND month >= $3 AND month < $4),
summed AS (
    SELECT 'hour' AS what, meter_id, hour, {no_key} AS dimension_key, '' AS value,
        to_jsonb(s) AS state
    FROM ({hours_of_span}) AS s
    UNION ALL
    SELECT 'group', meter_id, hour, dimension_key, '', to_jsonb(s)
    FROM ({groups_of_span}) AS s
    UNION ALL
    SELECT 'value', meter_id, hour, dimension_key, value, to_jsonb(s)
    FROM ({values_of_span}) AS s
    UNION ALL
    SELECT 'month', meter_id, month, {no_key}, '', to_jsonb(s) FROM ({months_of_hours}) AS s)
SELECT what, $1 AS account_id, meter_id, hour, k.state::text AS kept, s.state::text AS summed
FROM kept k FULL JOIN summed s USING (what, meter_id, hour, dimension_key, value)
WHERE k.state IS DISTINCT FROM s.state ORDER BY what, meter_id, hour, dimension_key, value
""",
    no_key=_NO_KEY,
    where_span=_WHERE_SPAN,
    hours_of_span=of(HOURS, _FOLDED_SPAN),
    groups_of_span=of(GROUPS, _FOLDED_SPAN),
    values_of_span=of(VALUES, _FOLDED_SPAN),
    months_of_hours=_MONTHS_OF_HOURS,
)


class Extent(msgspec.Struct, frozen=True):
    """An account's first and last instant of which there is anything."""

    account_id: UUID
    first: datetime
    last: datetime


async def meters_of_types(conn: Connection, event_types: Sequence[str]) -> list[UUID]:
    """Return the meters that count events of these types."""
    return [row["meter_id"] for row in await conn.fetch(METERS_OF_TYPES, list(event_types))]


async def all_meters(conn: Connection) -> list[UUID]:
    """Return every meter."""
    return [row["meter_id"] for row in await conn.fetch(ALL_METERS)]


async def archived_before(conn: Connection) -> datetime | None:
    """Return the instant before which events may be gone, None when all are kept."""
    found: datetime | None = await conn.fetchval(ARCHIVED_BEFORE)
    return found


async def extents(conn: Connection) -> tuple[Extent, ...]:
    """Return each account with anything to count, by its id."""
    return tuple(Extent(**row) for row in await conn.fetch(EXTENTS, timeout=STATEMENT_TIMEOUT_S))


async def recount_span(
    conn: Connection,
    account_id: UUID,
    meter_ids: Sequence[UUID],
    hours: tuple[datetime, datetime],
    upto: int,
) -> None:
    """Make the hours of [first, end) anew of the events before the mark, which is locked."""
    span = (account_id, list(meter_ids), *hours)
    for forget in FORGET_SPAN:
        await conn.execute(forget, *span, timeout=STATEMENT_TIMEOUT_S)
    for count in COUNT_SPAN:
        await conn.execute(count, *span, upto, timeout=STATEMENT_TIMEOUT_S)


async def merge_months(
    conn: Connection,
    account_id: UUID,
    meter_ids: Sequence[UUID],
    months: tuple[datetime, datetime],
) -> None:
    """Make the months of [first, end) anew of their hours; the mark is locked."""
    for statement in (FORGET_MONTHS, MERGE_MONTHS):
        await conn.execute(
            statement, account_id, list(meter_ids), *months, timeout=STATEMENT_TIMEOUT_S
        )


async def differences(
    conn: Connection,
    account_id: UUID,
    meter_ids: Sequence[UUID],
    months: tuple[datetime, datetime],
) -> tuple[Difference, ...]:
    """Return what of whole months [first, end) is not what the folded events come to.

    One statement, so one snapshot; reads all events of those months.
    """
    rows = await conn.fetch(
        DIFFERENCES, account_id, list(meter_ids), *months, timeout=STATEMENT_TIMEOUT_S
    )
    return tuple(Difference(**row) for row in rows)
