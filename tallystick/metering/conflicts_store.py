"""SQL of conflicts: events sent with the key of a stored one and other content."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest
from tallystick.metering.prepare import Row

# The same contradiction sent again is kept once.
KEEP: Final = """
INSERT INTO usage_conflicts (account_id, key, at, event_type, source, event_id, properties,
                             usage_conflict_id, digest, received_at)
SELECT *, $10::timestamptz FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[],
    $5::text[], $6::text[], $7::jsonb[], $8::uuid[], $9::uuid[]) AS sent (account_id)
ORDER BY account_id ON CONFLICT (account_id, digest) DO NOTHING
"""
# Beside what is stored under the key.
LIST: Final = """
SELECT c.usage_conflict_id, c.account_id, c.source, c.event_id, c.received_at, c.status,
    c.settled_at, c.event_type, c.at, c.properties::text AS properties,
    e.event_type AS stored_event_type, e.at AS stored_at, e.properties::text AS stored_properties
FROM usage_conflicts c LEFT JOIN usage_events e ON e.account_id = c.account_id AND e.key = c.key
WHERE c.status = $1 AND ($2::uuid IS NULL OR c.account_id = $2)
  AND ($3::timestamptz IS NULL OR (c.received_at, c.usage_conflict_id) < ($3, $4))
ORDER BY c.received_at DESC, c.usage_conflict_id DESC LIMIT $5 OFFSET $6
"""
COUNT: Final = """
SELECT count(*) FROM usage_conflicts WHERE status = $1 AND ($2::uuid IS NULL OR account_id = $2)
"""
DISMISS: Final = """
UPDATE usage_conflicts SET status = 'dismissed', settled_at = $2
WHERE usage_conflict_id = $1 AND status = 'open' RETURNING usage_conflict_id
"""
FIND_STATUS: Final = "SELECT status FROM usage_conflicts WHERE usage_conflict_id = $1"
FORGET: Final = """
DELETE FROM usage_conflicts WHERE (account_id, usage_conflict_id) IN (
    SELECT account_id, usage_conflict_id FROM usage_conflicts WHERE received_at < $1 LIMIT 1000)
"""


class KeptConflict(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent, and what is stored under the same key; properties as JSON.

    The stored side is None once the event is no longer kept.
    """

    usage_conflict_id: UUID
    account_id: UUID
    source: str
    event_id: str
    received_at: datetime
    status: str
    settled_at: datetime | None
    event_type: str
    at: datetime
    properties: str
    stored_event_type: str | None
    stored_at: datetime | None
    stored_properties: str | None


async def keep(
    conn: Connection, rows: Sequence[Row], ids: Sequence[tuple[UUID, UUID]], now: datetime
) -> None:
    """Keep these rows aside, each with its id and digest."""
    columns = [[row[at] for row in rows] for at in range(7)]
    made = [[pair[at] for pair in ids] for at in range(2)]
    await conn.execute(KEEP, *columns, *made, now)


async def list_page(
    conn: Connection, request: PageRequest, status: str, account_id: UUID | None
) -> list[KeptConflict]:
    """Return one page and a row more, newest first; of one account, or of all (None)."""
    after = (request.after.at, request.after.id) if request.after else (None, None)
    rows = await conn.fetch(LIST, status, account_id, *after, request.limit + 1, request.offset)
    return [KeptConflict(**row) for row in rows]


async def count(conn: Connection, status: str, account_id: UUID | None) -> int:
    """Return how many there are."""
    return int(await conn.fetchval(COUNT, status, account_id))


async def dismiss(conn: Connection, usage_conflict_id: UUID, now: datetime) -> bool:
    """Take an open one off the list; False when it is not open."""
    return await conn.fetchval(DISMISS, usage_conflict_id, now) is not None


async def find_status(conn: Connection, usage_conflict_id: UUID) -> str | None:
    """Return the status, or None when there is no such conflict."""
    found: str | None = await conn.fetchval(FIND_STATUS, usage_conflict_id)
    return found


async def forget(conn: Connection, before: datetime) -> int:
    """Drop up to 1,000 that were received before then, and return how many."""
    return int((await conn.execute(FORGET, before)).removeprefix("DELETE "))
