"""SQL of single events in the order of time, and of what events say that they cost."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.metering.usage_sql import COUNTS, VALUE, fill
from tallystick.metering.usage_store import Dimensions

ROWS_AT_A_TIME: Final = 5_000
_EVENTS: Final = fill(
    """
    FROM usage_events e JOIN meters m USING (event_type)
    WHERE e.account_id = $1 AND m.meter_id = $2 AND e.at >= $3 AND e.at < $4 AND {counts}""",
    counts=COUNTS,
)
AMOUNTS: Final = fill(
    """
SELECT * FROM (
    SELECT usage_dimensions($5::text[], e.properties)::text AS dimensions, {value} AS value,
        e.at, e.key {events} OFFSET 0) AS c
WHERE value IS NOT NULL ORDER BY at, key
""",
    value=VALUE,
    events=_EVENTS,
)
# `amount` is in major units; `precise_total_amount_cents`, as Lago's clients send it, in minor
# ones, 10 to the power of $6 of them in a major one. An event with neither costs nothing.
DYNAMIC_SUMS: Final = fill(
    """
SELECT dimensions, count(*) AS event_count, sum(value) AS quantity,
    coalesce(sum(CASE
        WHEN amount ~ '^-?[0-9]{1,15}([.][0-9]{1,12}0*)?$' THEN amount::numeric
        WHEN minor ~ '^-?[0-9]{1,15}([.][0-9]{1,12}0*)?$'
        THEN minor::numeric * (10::numeric ^ -$6::integer) END), 0) AS amount
FROM (
    SELECT usage_dimensions($5::text[], e.properties)::text AS dimensions, {value} AS value,
        usage_text(e.properties, 'amount') AS amount,
        usage_text(e.properties, 'precise_total_amount_cents') AS minor {events} OFFSET 0) AS c
WHERE value IS NOT NULL GROUP BY dimensions LIMIT $7
""",
    value=VALUE,
    events=_EVENTS,
)


class DynamicTotal(msgspec.Struct, frozen=True):
    """What the events of a group say that they cost, in major units, and their units."""

    dimensions: Dimensions
    event_count: int
    quantity: Decimal
    amount: Decimal


async def amounts(
    conn: Connection,
    account_id: UUID,
    meter_id: UUID,
    span: tuple[datetime, datetime],
    group_by: Sequence[str],
) -> AsyncIterator[tuple[Dimensions, Decimal]]:
    """Yield the group and the value of each event of the half-open span, by time.

    Inside a transaction; some thousand events are in memory at a time.
    """
    rows = conn.cursor(
        AMOUNTS, account_id, meter_id, *span, list(group_by), prefetch=ROWS_AT_A_TIME
    )
    async for row in rows:
        yield _read(row["dimensions"]), row["value"]


async def dynamic_sums(
    conn: Connection,
    account_id: UUID,
    meter_id: UUID,
    span: tuple[datetime, datetime],
    group_by: Sequence[str],
    *,
    exponent: int,
    rows_max: int,
) -> tuple[DynamicTotal, ...]:
    """Return by group what the events of the half-open span say that they cost.

    `exponent` is the number of decimals of the currency. Raises Conflict
    `too_many_groups` for more than `rows_max` groups.
    """
    rows = await conn.fetch(
        DYNAMIC_SUMS, account_id, meter_id, *span, list(group_by), exponent, rows_max + 1
    )
    if len(rows) > rows_max:
        raise Conflict(
            "too_many_groups",
            f"Usage has more than {rows_max:,} groups by {', '.join(group_by)} here; group by a "
            "property with fewer values.",
        )
    return tuple(
        DynamicTotal(_read(row["dimensions"]), row["event_count"], row["quantity"], row["amount"])
        for row in rows
    )


def _read(dimensions: str) -> Dimensions:
    return msgspec.json.decode(dimensions, type=Dimensions)
