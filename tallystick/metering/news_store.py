"""SQL that finds accounts with events which somebody has not seen yet.

What was seen is a snapshot of the server: an event is new if its transaction was not visible in it.
So an event is told once it is committed, whatever long transaction runs beside, and none is missed.
"""

from collections.abc import Collection
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection

# A dump that was restored into another server brings a snapshot from the future of that one with
# it: then all events are new once more, which changes nothing but the time it takes.
NEWS: Final = """
WITH seen AS (
    SELECT CASE WHEN pg_snapshot_xmin($3::text::pg_snapshot)
                     <= pg_snapshot_xmax(pg_current_snapshot())
                THEN $3::text::pg_snapshot END AS snapshot)
SELECT pg_current_snapshot()::text AS snapshot, array_agg(a.account_id) FILTER (WHERE EXISTS (
    SELECT FROM usage_events e
    WHERE e.account_id = a.account_id AND e.event_type = ANY ($2::text[])
      AND e.tx >= coalesce(pg_snapshot_xmin(seen.snapshot), '0')
      AND coalesce(NOT pg_visible_in_snapshot(e.tx, seen.snapshot), true))) AS account_ids
FROM seen LEFT JOIN unnest($1::uuid[]) AS a (account_id) ON true
"""


class News(msgspec.Struct, frozen=True):
    """The accounts with new events, and up to what they were seen."""

    account_ids: tuple[UUID, ...]
    snapshot: str


async def news(
    conn: Connection,
    account_ids: Collection[UUID],
    event_types: Collection[str],
    seen: str | None,
) -> News:
    """Return which of these accounts have events of these types since `seen`; None: any at all."""
    (row,) = await conn.fetch(NEWS, list(account_ids), sorted(event_types), seen)
    return News(tuple(row["account_ids"] or ()), row["snapshot"])
