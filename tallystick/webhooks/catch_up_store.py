"""The SQL of catching up: what is known of a gateway's events, and who asks for them."""

from datetime import datetime, timedelta
from typing import Final

from tallystick.kernel.db import Connection
from tallystick.webhooks.model import Signs

SIGNS: Final = """
SELECT c.checked_until, c.finished_at,
    (SELECT min(received_at) FROM webhook_inbox WHERE gateway = $1) AS first_received_at,
    (SELECT max(received_at) FROM webhook_inbox WHERE gateway = $1) AS last_received_at
FROM (SELECT 1) AS one LEFT JOIN webhook_catch_ups c ON c.gateway = $1
"""
LEASE: Final = """
INSERT INTO webhook_catch_ups AS c (gateway, lease_until)
VALUES ($1, $2::timestamptz + $3::interval)
ON CONFLICT (gateway) DO UPDATE SET lease_until = $2::timestamptz + $3::interval
WHERE c.lease_until <= $2 RETURNING gateway
"""
# Only a list that reaches back to what was known makes what lies between known too.
NOTE_DONE: Final = """
INSERT INTO webhook_catch_ups AS c
    (gateway, checked_until, lease_until, finished_at, listed_count, new_count)
VALUES ($1, $3, $3, $3, $4, $5)
ON CONFLICT (gateway) DO UPDATE SET finished_at = $3, lease_until = $3, error = NULL,
    listed_count = $4, new_count = $5,
    checked_until = CASE WHEN c.checked_until IS NULL OR $2 <= c.checked_until
        THEN greatest(c.checked_until, $3) ELSE c.checked_until END
"""
NOTE_FAILED: Final = """
UPDATE webhook_catch_ups SET error = $2, lease_until = $3 WHERE gateway = $1
"""


async def signs(conn: Connection, gateway: str, oldest_open_at: datetime | None) -> Signs:
    """Return what tells whether events of a gateway may be missing."""
    row = await conn.fetchrow(SIGNS, gateway)
    assert row is not None  # noqa: S101 - a left join on one row
    return Signs(**dict(row), oldest_open_at=oldest_open_at)


async def lease(conn: Connection, gateway: str, now: datetime, wait: timedelta) -> bool:
    """Take the asking of a gateway; False when somebody has it, or failed just now."""
    return await conn.fetchval(LEASE, gateway, now, wait) is not None


async def note_done(
    conn: Connection, gateway: str, since: datetime, asked_at: datetime, counts: tuple[int, int]
) -> None:
    """Note that all of `[since, asked_at)` was listed: how many events, and how many were new."""
    await conn.execute(NOTE_DONE, gateway, since, asked_at, *counts)


async def note_failed(conn: Connection, gateway: str, error: str, until: datetime) -> None:
    """Note why it could not be asked, and until when nobody asks again."""
    await conn.execute(NOTE_FAILED, gateway, error, until)
