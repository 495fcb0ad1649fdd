"""SQL that reads one meter over many spans of time at once, by groups if wanted; one snapshot.

Spans are half-open, in order, and do not overlap.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.metering.hours import whole_hours
from tallystick.metering.quantities import State
from tallystick.metering.totals_store import to_state
from tallystick.metering.usage_sql import AS_STATE, COUNTS, IS_THERE, MERGED, UNIQUE, VALUE, fill
from tallystick.metering.usage_store import Dimensions, SpanState, SpanValue, group_rows_max

_WITH: Final = """
WITH mark AS MATERIALIZED (SELECT upto FROM usage_fold),
wanted AS (SELECT * FROM meters WHERE meter_id = $2),
spans AS (
    SELECT * FROM unnest($3::timestamptz[], $4::timestamptz[], $5::timestamptz[],
                         $6::timestamptz[]) WITH ORDINALITY
        AS s (start, stop, first, last, position))"""
# The span of a tail's event is found by search, not by a join: both may be many.
_TAIL: Final = """
    FROM usage_events e JOIN wanted m USING (event_type)
    WHERE e.account_id = $1 AND {counts}
      AND e.tx >= (SELECT upto FROM mark) AND e.tx <= '18446744073709551615'
      AND e.at < ($4::timestamptz[])[width_bucket(e.at, $3::timestamptz[])]"""
_EDGE: Final = """
    FROM spans s CROSS JOIN wanted m CROSS JOIN LATERAL (
        SELECT * FROM usage_events e
        WHERE e.account_id = $1 AND e.event_type = m.event_type AND e.at >= {since}
          AND e.at < {until} AND e.tx < (SELECT upto FROM mark) OFFSET 0) AS e
    WHERE s.start < s.stop AND {counts}"""


_UNFOLDED_AND_EDGES: Final = fill(
    """
    SELECT width_bucket(e.at, $3::timestamptz[]) AS position, {columns} {tail}
    UNION ALL SELECT s.position, {columns} {first}
    UNION ALL SELECT s.position, {columns} {last}""",
    tail=_TAIL,
    first=fill(_EDGE, since="s.start", until="s.first"),
    last=fill(_EDGE, since="s.last", until="s.stop"),
    counts=COUNTS,
)


def _states(table: str, of_row: str, of_event: str) -> str:
    columns = fill(
        "m.aggregation, date_trunc('hour', e.at, 'UTC') AS hour, e.at, e.key, {value} AS value,"
        " {of_event} AS dimensions",
        value=VALUE,
        of_event=of_event,
    )
    events = fill(_UNFOLDED_AND_EDGES, columns=columns)
    return fill(
        """{head},
parts AS (
    SELECT s.position, {of_row} AS dimensions, t.hour, t.event_count, t.total, t.low, t.high,
        t.last, t.held
    FROM spans s JOIN {table} t ON t.account_id = $1 AND t.meter_id = $2
        AND t.hour >= s.first AND t.hour < s.last
    UNION ALL
    SELECT c.position, c.dimensions, c.hour, {as_state}
    FROM ({events} OFFSET 0) AS c WHERE c.value IS NOT NULL)
SELECT position, dimensions, {merged},
    sum(held + total * extract(epoch FROM ($4::timestamptz[])[position] - hour - interval '1 hour'))
        FILTER (WHERE held IS NOT NULL) AS integral
FROM parts GROUP BY position, dimensions ORDER BY position, dimensions
""",
        head=_WITH,
        of_row=of_row,
        table=table,
        as_state=AS_STATE,
        events=events,
        merged=MERGED,
    )


def _seen(of_row: str, of_event: str) -> str:
    columns = fill(
        "{unique} AS value, ROW(e.at, e.key, {is_there})::usage_point AS last,"
        " {of_event} AS dimensions",
        unique=UNIQUE,
        is_there=IS_THERE,
        of_event=of_event,
    )
    events = fill(_UNFOLDED_AND_EDGES, columns=columns)
    return fill(
        """{head},
parts AS (
    SELECT s.position, {of_row} AS dimensions, t.value, t.last
    FROM spans s JOIN usage_values t ON t.account_id = $1 AND t.meter_id = $2
        AND t.hour >= s.first AND t.hour < s.last
    UNION ALL
    SELECT c.position, c.dimensions, c.value, c.last
    FROM ({events} OFFSET 0) AS c WHERE c.value IS NOT NULL),
seen AS (
    SELECT position, dimensions, value, (usage_last(last)).value = 1 AS is_there
    FROM parts GROUP BY position, dimensions, value)
""",
        head=_WITH,
        of_row=of_row,
        events=events,
    )


_ALL: Final = "'{}'::jsonb"
_OF_ROW: Final = "usage_dimensions($7::text[], t.dimensions)"
_OF_EVENT: Final = "usage_dimensions($7::text[], e.properties)"
_COUNT_SEEN: Final = """
SELECT position, dimensions, count(*) AS event_count FROM seen WHERE is_there
GROUP BY position, dimensions ORDER BY position, dimensions
"""
_LIST_SEEN: Final = "SELECT * FROM seen ORDER BY position"
# What is cut off is only counted: whoever asked for so many groups is refused.
_LIMIT: Final = "LIMIT $8"
SPAN_STATES: Final = _states("usage_totals", _ALL, _ALL)
GROUP_STATES: Final = _states("usage_groups", _OF_ROW, _OF_EVENT) + _LIMIT
SPAN_UNIQUES: Final = _seen(_ALL, _ALL) + _COUNT_SEEN
GROUP_UNIQUES: Final = _seen(_OF_ROW, _OF_EVENT) + _COUNT_SEEN + _LIMIT
SPAN_VALUES: Final = _seen(_ALL, _ALL) + _LIST_SEEN
GROUP_VALUES: Final = _seen(_OF_ROW, _OF_EVENT) + _LIST_SEEN
# By nearest rank: the smallest value that so large a share of all values does not exceed.
PERCENTILES: Final = fill(
    """
WITH counted AS (
    SELECT c.value FROM (
        SELECT {value} AS value FROM usage_events e JOIN meters m USING (event_type)
        WHERE e.account_id = $1 AND m.meter_id = $2 AND e.at >= $3 AND e.at < $4 AND {counts}
        OFFSET 0) AS c WHERE c.value IS NOT NULL),
ordered AS (SELECT array_agg(value ORDER BY value) AS found, count(*) AS size FROM counted)
SELECT found[greatest(1, ceil(share * size))::integer] AS value
FROM ordered, unnest($5::numeric[]) WITH ORDINALITY AS p (share, position) ORDER BY position
""",
    value=VALUE,
    counts=COUNTS,
)


async def states(
    conn: Connection,
    account_id: UUID,
    meter_id: UUID,
    spans: Sequence[tuple[datetime, datetime]],
    group_by: Sequence[str],
) -> tuple[SpanState, ...]:
    """Return what the events of each span come to, by group; without any, absent."""
    sql = GROUP_STATES if group_by else SPAN_STATES
    rows = await conn.fetch(sql, *_limited(account_id, meter_id, spans, group_by))
    return tuple(
        SpanState(row["position"], _read(row["dimensions"]), to_state(row)) for row in rows
    )


async def uniques(
    conn: Connection,
    account_id: UUID,
    meter_id: UUID,
    spans: Sequence[tuple[datetime, datetime]],
    group_by: Sequence[str],
) -> tuple[SpanState, ...]:
    """Return how many values of each span are there at its end, by group, as its total."""
    sql = GROUP_UNIQUES if group_by else SPAN_UNIQUES
    rows = await conn.fetch(sql, *_limited(account_id, meter_id, spans, group_by))
    return tuple(
        SpanState(
            row["position"], _read(row["dimensions"]), State(total=Decimal(row["event_count"]))
        )
        for row in rows
    )


async def values(
    conn: Connection,
    account_id: UUID,
    meter_id: UUID,
    spans: Sequence[tuple[datetime, datetime]],
    group_by: Sequence[str],
) -> tuple[SpanValue, ...]:
    """Return every value seen in each span, in the order of spans."""
    sql = GROUP_VALUES if group_by else SPAN_VALUES
    rows = await conn.fetch(sql, *arguments(account_id, meter_id, spans, group_by))
    return tuple(
        SpanValue(row["position"], _read(row["dimensions"]), row["value"], row["is_there"])
        for row in rows
    )


async def percentiles(
    conn: Connection,
    account_id: UUID,
    meter_id: UUID,
    span: tuple[datetime, datetime],
    shares: Sequence[Decimal],
) -> list[Decimal | None]:
    """Return the values at these shares (0 to 1) of all values; None where there are none."""
    rows = await conn.fetch(PERCENTILES, account_id, meter_id, *span, list(shares))
    return [row["value"] for row in rows]


def arguments(
    account_id: UUID,
    meter_id: UUID,
    spans: Sequence[tuple[datetime, datetime]],
    group_by: Sequence[str],
) -> Iterator[Any]:
    """Yield what the statements above but the last take; those with a limit take it behind."""
    hours = [whole_hours(*span) for span in spans]
    yield from (account_id, meter_id)
    yield from ([span[at] for span in spans] for at in (0, 1))
    yield from ([span[at] for span in hours] for at in (0, 1))
    if group_by:
        yield list(group_by)


def _limited(
    account_id: UUID,
    meter_id: UUID,
    spans: Sequence[tuple[datetime, datetime]],
    group_by: Sequence[str],
) -> Iterator[Any]:
    yield from arguments(account_id, meter_id, spans, group_by)
    if group_by:
        yield group_rows_max(spans) + 1


def _read(dimensions: str) -> Dimensions:
    return msgspec.json.decode(dimensions, type=Dimensions)
