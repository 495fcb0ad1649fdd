"""SQL of what the totals of periods are read from, and of the mark that parts folded from live."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from tallystick.kernel.db import Connection
from tallystick.metering.quantities import ZERO, State
from tallystick.metering.usage_sql import AS_STATE, COUNTS, MERGED, VALUE, fill

Span = tuple[datetime, datetime]

# One statement, so one snapshot: the totals of whole hours, what is not folded yet, and the
# folded events of the edges. Two things stand here for the planner's sake, which must walk the
# tail by transaction, for it is short, and not the account's whole period: its time is tested in a
# CASE, and with an end (the largest number) it is taken as a small range, not as a third of all.
# `OFFSET 0` keeps it from computing each value once for every column that is made of it.
_EVENT: Final = fill(
    """
    SELECT m.meter_id, m.aggregation, date_trunc('hour', e.at, 'UTC') AS hour, e.at, e.key,
        {value} AS value
    FROM usage_events e JOIN wanted m USING (event_type)
    WHERE e.account_id = $1 AND {counts}""",
    value=VALUE,
    counts=COUNTS,
)
_TAIL: Final = """
      AND e.tx >= (SELECT upto FROM mark) AND e.tx <= '18446744073709551615'"""
_IN_SPAN: Final = fill("CASE WHEN e.at >= $3 AND e.at < $4 THEN {value} END", value=VALUE)
_BEFORE: Final = fill("CASE WHEN e.at < $3 THEN {value} END", value=VALUE)
_TAIL_EVENT: Final = _EVENT.replace(VALUE, _IN_SPAN) + _TAIL
_TAIL_BEFORE: Final = _EVENT.replace(VALUE, _BEFORE) + _TAIL
_FOLDED: Final = "AND e.tx < (SELECT upto FROM mark)"
_WITH: Final = """
WITH mark AS MATERIALIZED (SELECT upto FROM usage_fold),
wanted AS (SELECT * FROM meters WHERE meter_id = ANY ($2::uuid[])),"""
_PARTS: Final = fill(
    """
parts AS (
    SELECT t.meter_id, t.hour, t.event_count, t.total, t.low, t.high, t.last, t.held
    FROM usage_totals t
    WHERE t.account_id = $1 AND t.meter_id = ANY ($2::uuid[]) AND t.hour >= $5 AND t.hour < $6
    UNION ALL
    SELECT c.meter_id, c.hour, {as_state}
    FROM ({tail_event}
    UNION ALL {event} AND e.at >= $3 AND e.at < $5 {folded}
    UNION ALL {event} AND e.at >= $6 AND e.at < $4 {folded}
    OFFSET 0) AS c WHERE c.value IS NOT NULL)""",
    as_state=AS_STATE,
    tail_event=_TAIL_EVENT,
    event=_EVENT,
    folded=_FOLDED,
)
PERIOD_STATES: Final = fill(
    """{head}{parts}
SELECT meter_id, {merged}, sum(held + total * extract(epoch FROM $4 - hour - interval '1 hour'))
    FILTER (WHERE held IS NOT NULL) AS integral
FROM parts GROUP BY meter_id
""",
    head=_WITH,
    parts=_PARTS,
    merged=MERGED,
)
# The same with all that was before the period: months, the hours of the month in which it begins
# ($7), and the events of the hour in which it begins ($8). It holds for the whole period.
CARRIED_STATES: Final = fill(
    """{head}
carried AS (
    SELECT meter_id, event_count, total, last FROM usage_months
    WHERE account_id = $1 AND meter_id = ANY ($2::uuid[]) AND month < $7
    UNION ALL
    SELECT meter_id, event_count, total, last FROM usage_totals
    WHERE account_id = $1 AND meter_id = ANY ($2::uuid[]) AND hour >= $7 AND hour < $8
    UNION ALL
    SELECT c.meter_id, 1, c.value, ROW(c.at, c.key, c.value)::usage_point
    FROM ({tail_before}
    UNION ALL {event} AND e.at >= $8 AND e.at < $3 {folded}
    OFFSET 0) AS c WHERE c.value IS NOT NULL),
{parts}
SELECT meter_id, sum(event_count)::bigint AS event_count, sum(total) AS total,
    usage_last(last) AS last, sum(integral) AS integral
FROM (
    SELECT meter_id, event_count, total, last,
        held + total * extract(epoch FROM $4 - hour - interval '1 hour') AS integral FROM parts
    UNION ALL
    SELECT meter_id, event_count, total, last, total * extract(epoch FROM $4::timestamptz - $3)
    FROM carried
) AS whole GROUP BY meter_id
""",
    head=_WITH,
    tail_before=_TAIL_BEFORE,
    event=_EVENT,
    folded=_FOLDED,
    parts=_PARTS,
)
LOCK_MARK: Final = "SELECT upto FROM usage_fold FOR UPDATE"
LOCK_FREE_MARK: Final = "SELECT upto FROM usage_fold FOR UPDATE SKIP LOCKED"
MOVE_MARK: Final = "UPDATE usage_fold SET upto = $1"


async def period_states(
    conn: Connection, account_id: UUID, meter_ids: Sequence[UUID], span: Span, hours: Span
) -> dict[UUID, State]:
    """Return what the events of a half-open span with these whole hours come to, by meter.

    Meters without events are absent.
    """
    rows = await conn.fetch(PERIOD_STATES, account_id, list(meter_ids), *span, *hours)
    return {row["meter_id"]: to_state(row) for row in rows}


async def carried_states(
    conn: Connection,
    account_id: UUID,
    meter_ids: Sequence[UUID],
    *,
    span: Span,
    hours: Span,
    carry: Span,
) -> dict[UUID, State]:
    """Return the same with all events before the span.

    `carry` is the beginning of the month and of the hour in which the span begins.
    """
    rows = await conn.fetch(CARRIED_STATES, account_id, list(meter_ids), *span, *hours, *carry)
    return {row["meter_id"]: to_state(row) for row in rows}


async def lock_mark(conn: Connection) -> int:
    """Return the mark, which nobody moves before this transaction ends."""
    upto: int = await conn.fetchval(LOCK_MARK)
    return upto


async def lock_free_mark(conn: Connection) -> int | None:
    """Return the mark under lock, or None when another transaction holds it."""
    upto: int | None = await conn.fetchval(LOCK_FREE_MARK)
    return upto


async def move_mark(conn: Connection, upto: int) -> None:
    """Set the mark, which is locked."""
    await conn.execute(MOVE_MARK, upto)


def to_state(row: asyncpg.Record) -> State:
    """Return a row of merged states; `last` is a usage_point."""
    last = row["last"]
    return State(
        event_count=row["event_count"],
        total=row["total"] if row["total"] is not None else ZERO,
        low=row.get("low"),
        high=row.get("high"),
        last=last["value"] if last else None,
        integral=row["integral"],
    )
