"""SQL that walks all stored events in one lasting order: by transaction, account and key."""

from typing import Final
from uuid import UUID

from tallystick.kernel.db import Connection
from tallystick.metering.walk_model import Position, StoredEvent

# The bounds on `tx` alone are for the index; those on all three are exact. Of a transaction that is
# read in parts all events are sorted for each part: it should not hold millions.
AFTER: Final = """
SELECT account_id, key, at, event_type, source, event_id, properties, tx FROM usage_events e
WHERE tx >= $1 AND (tx, account_id, key) > ($1, $2, $3)
  AND tx <= $4 AND (tx, account_id, key) <= ($4, $5, $6)
  AND NOT EXISTS (SELECT FROM usage_voids v WHERE v.account_id = e.account_id AND v.key = e.key)
ORDER BY tx, account_id, key LIMIT $7
"""
COUNT_AFTER: Final = """
SELECT count(*) FROM (
    SELECT FROM usage_events WHERE tx >= $1 AND (tx, account_id, key) > ($1, $2, $3) LIMIT $4
) AS few
"""
# Every transaction below the first number has ended, and none gets a number below the second.
HORIZON: Final = """
SELECT pg_snapshot_xmin(s), pg_snapshot_xmax(s) FROM pg_current_snapshot() AS s
"""
# By the index of (account_id, tx).
NEWEST: Final = """
SELECT tx, account_id, key FROM usage_events WHERE account_id = $1
ORDER BY tx DESC, key DESC LIMIT 1
"""
FIND: Final = """
SELECT account_id, key, at, event_type, source, event_id, properties, tx FROM usage_events
WHERE account_id = $1 AND key = ANY ($2::uuid[]) ORDER BY key
"""


async def read_after(
    conn: Connection, after: Position, upto: Position, limit: int
) -> tuple[StoredEvent, ...]:
    """Return the events of (after, upto], in order, at most so many; voided ones not."""
    rows = await conn.fetch(
        AFTER, after.tx, after.account_id, after.key, upto.tx, upto.account_id, upto.key, limit
    )
    return tuple(StoredEvent(**row) for row in rows)


async def count_after(conn: Connection, after: Position, most: int) -> int:
    """Return how many events lie after a position, settled or not; at most so many."""
    count: int = await conn.fetchval(COUNT_AFTER, after.tx, after.account_id, after.key, most)
    return count


async def horizon(conn: Connection) -> tuple[int, int]:
    """Return below which number all transactions have ended, and from which none has begun."""
    (row,) = await conn.fetch(HORIZON)
    return row[0], row[1]


async def newest(conn: Connection, account_id: UUID) -> Position | None:
    """Return where the account's last event stands; None without events."""
    row = await conn.fetchrow(NEWEST, account_id)
    return Position(**row) if row else None


async def find(conn: Connection, account_id: UUID, keys: list[UUID]) -> tuple[StoredEvent, ...]:
    """Return the account's events with these keys; unknown ones are absent."""
    return tuple(StoredEvent(**row) for row in await conn.fetch(FIND, account_id, keys))
