"""SQL of events: in, each once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from tallystick.kernel.db import Connection
from tallystick.metering.prepare import Row

COLUMNS: Final = (
    "account_id", "key", "at", "event_type", "source", "event_id", "properties",
)  # fmt: skip
# In one order for all, so that two requests with the same events do not wait for each other.
INSERT_NEW: Final = """
INSERT INTO usage_events (account_id, key, at, event_type, source, event_id, properties)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[],
                     $6::text[], $7::jsonb[]) AS sent (account_id, key)
WHERE NOT EXISTS (SELECT FROM usage_archived_keys k
                  WHERE k.account_id = sent.account_id AND k.key = sent.key)
ORDER BY account_id, key
ON CONFLICT (account_id, key) DO NOTHING RETURNING account_id, key
"""
# An event that was sent without an instant is the same whenever it arrived first. A subquery, for
# a join may be planned as a scan of all events.
SAME_AS_STORED: Final = """
SELECT coalesce(
    (SELECT e.event_type = s.event_type AND e.source = s.source AND e.event_id = s.event_id
         AND e.properties = s.properties AND (s.at IS NULL OR e.at = s.at)
     FROM usage_events e WHERE e.account_id = s.account_id AND e.key = s.key),
    (SELECT (k.digest_one, k.digest_two) = (d.digest_one, d.digest_two)
         AND (s.at IS NULL OR k.at = s.at)
     FROM usage_archived_keys k,
         usage_digests(s.event_type, s.source, s.event_id, s.properties) AS d
     WHERE k.account_id = s.account_id AND k.key = s.key))
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
            $7::jsonb[]) WITH ORDINALITY
    AS s (account_id, key, at, event_type, source, event_id, properties, position)
ORDER BY s.position
"""
HAS_ARCHIVES: Final = "SELECT EXISTS (SELECT FROM usage_archives)"
HAS_ARCHIVED: Final = """
SELECT EXISTS (
    SELECT FROM unnest($1::uuid[], $2::uuid[]) AS s (account_id, key)
    JOIN usage_archived_keys USING (account_id, key))
"""


async def has_archives(conn: Connection) -> bool:
    """Tell whether any event was ever archived."""
    found: bool = await conn.fetchval(HAS_ARCHIVES)
    return found


async def has_archived(conn: Connection, rows: Sequence[Row]) -> bool:
    """Tell whether one of these rows is of an event that is archived."""
    keys = [row[0] for row in rows], [row[1] for row in rows]
    found: bool = await conn.fetchval(HAS_ARCHIVED, *keys)
    return found


async def copy_events(conn: Connection, rows: Sequence[Row]) -> None:
    """Write rows; raises asyncpg's UniqueViolationError when a key is stored already."""
    await conn.copy_records_to_table("usage_events", records=rows, columns=COLUMNS)


async def insert_new_events(conn: Connection, rows: Sequence[Row]) -> set[tuple[UUID, UUID]]:
    """Write the rows whose key is not stored yet, and return the account and key of those."""
    written = await conn.fetch(INSERT_NEW, *_by_column(rows))
    return {(row["account_id"], row["key"]) for row in written}


async def same_as_stored(
    conn: Connection, rows: Sequence[Row], stated_at: Sequence[datetime | None]
) -> list[bool | None]:
    """Tell of each row whether the known event of its key says the same; None: none is known."""
    columns = _by_column(rows)
    columns[2] = list(stated_at)
    return [row[0] for row in await conn.fetch(SAME_AS_STORED, *columns)]


def _by_column(rows: Sequence[Row]) -> list[list[object]]:
    return [[row[at] for row in rows] for at in range(len(COLUMNS))]
