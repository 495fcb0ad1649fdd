"""SQL of totals of many accounts, each in a period of its own: one statement, so one snapshot.

Made of the statements for one account: each runs once for every row of `asked`, whose columns take
the place of the parameters. So there is one text of what a total is.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from tallystick.kernel.db import Connection
from tallystick.metering.hours import floor_hour, floor_month, whole_hours
from tallystick.metering.model import AccountPeriod
from tallystick.metering.quantities import ZERO, State
from tallystick.metering.spans_store import SPAN_UNIQUES
from tallystick.metering.totals_store import CARRIED_STATES, PERIOD_STATES, to_state

_COLUMNS: Final = {
    "$1": "asked.account_id",
    "$3": "asked.start",
    "$4": "asked.stop",
    "$5": "asked.first",
    "$6": "asked.last",
    "$7": "asked.month",
    "$8": "asked.hour",
}


def _of_many(one: str, *, is_array: bool = False) -> str:
    for parameter, column in _COLUMNS.items():
        is_span = is_array and parameter != "$1"
        one = one.replace(parameter, f"(ARRAY[{column}])" if is_span else column)
    return f"""
SELECT asked.position AS asked_position, one.*
FROM unnest($1::uuid[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[],
            $6::timestamptz[], $7::timestamptz[], $8::timestamptz[]) WITH ORDINALITY
    AS asked (account_id, start, stop, first, last, month, hour, position)
CROSS JOIN LATERAL ({one}) AS one
"""  # noqa: S608 -- our own statements


MANY_STATES: Final = _of_many(PERIOD_STATES)
MANY_CARRIED: Final = _of_many(CARRIED_STATES)
MANY_UNIQUES: Final = _of_many(SPAN_UNIQUES, is_array=True)
ARCHIVED_EDGES: Final = """
SELECT DISTINCT edge.position
FROM unnest($1::uuid[], $2::timestamptz[], $3::integer[]) AS edge (account_id, hour, position)
JOIN usage_archived_hours h USING (account_id, hour)
WHERE h.event_type = ANY ($4::text[])
"""


async def states(
    conn: Connection, asked: Sequence[AccountPeriod], meter_ids: Sequence[UUID]
) -> dict[tuple[int, UUID], State]:
    """Return what the events of each period come to, by position and meter; absent without any."""
    return await _read(conn, MANY_STATES, asked, list(meter_ids))


async def carried(
    conn: Connection, asked: Sequence[AccountPeriod], meter_ids: Sequence[UUID]
) -> dict[tuple[int, UUID], State]:
    """Return the same with all events before each period."""
    return await _read(conn, MANY_CARRIED, asked, list(meter_ids))


async def uniques(
    conn: Connection, asked: Sequence[AccountPeriod], meter_id: UUID
) -> dict[int, State]:
    """Return how many values of each period are there at its end, by position, as its total."""
    rows = await conn.fetch(MANY_UNIQUES, *_arguments(asked, meter_id))
    return {row["asked_position"] - 1: State(total=ZERO + row["event_count"]) for row in rows}


async def archived(
    conn: Connection, edges: Sequence[tuple[UUID, datetime, int]], event_types: Sequence[str]
) -> set[int]:
    """Return the positions of those edges (account, hour, position) whose hour has left."""
    if not edges:
        return set()
    columns = [list(column) for column in zip(*edges, strict=True)]
    rows = await conn.fetch(ARCHIVED_EDGES, *columns, list(event_types))
    return {row["position"] for row in rows}


async def _read(
    conn: Connection, sql: str, asked: Sequence[AccountPeriod], meter_ids: list[UUID]
) -> dict[tuple[int, UUID], State]:
    rows = await conn.fetch(sql, *_arguments(asked, meter_ids))
    return {(row["asked_position"] - 1, row["meter_id"]): to_state(row) for row in rows}


def _arguments(asked: Sequence[AccountPeriod], meters: object) -> list[object]:
    hours = [whole_hours(one.start, one.end) for one in asked]
    return [
        [one.account_id for one in asked],
        meters,
        [one.start for one in asked],
        [one.end for one in asked],
        [first for first, _ in hours],
        [last for _, last in hours],
        [floor_month(one.start) for one in asked],
        [floor_hour(one.start) for one in asked],
    ]
