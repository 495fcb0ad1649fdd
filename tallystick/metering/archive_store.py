"""SQL of archives: which events may go, what is remembered of them, and their leaving."""

from collections.abc import AsyncIterator, Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from tallystick.kernel.db import Connection
from tallystick.metering.archive_model import Archive, Span, Written

STATEMENT_TIMEOUT_S: Final = 3600.0
ROWS_AT_A_TIME: Final = 1000

TRY_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended('usage archive', 0))"
# The accounts, by skips over an index, that have an event which may go.
OLD_ACCOUNTS: Final = """
WITH RECURSIVE one AS (
    (SELECT account_id FROM usage_events ORDER BY account_id LIMIT 1)
    UNION ALL
    SELECT (SELECT e.account_id FROM usage_events e WHERE e.account_id > one.account_id
            ORDER BY e.account_id LIMIT 1)
    FROM one WHERE one.account_id IS NOT NULL)
SELECT account_id FROM one
WHERE EXISTS (SELECT FROM usage_events e
              WHERE e.account_id = one.account_id AND e.at < $1 AND e.tx < $2)
ORDER BY account_id
"""
FIRST: Final = "SELECT at FROM usage_archivable($1, $2, $3, $4) ORDER BY at LIMIT 1"
# The instant of the event behind the last that fits into a file.
CUT: Final = "SELECT at FROM usage_archivable($1, $2, $3, $4) ORDER BY at OFFSET $5 LIMIT 1"
FILES: Final = "SELECT count(*) FROM usage_archives WHERE account_id = $1 AND month = $2"
LINES: Final = """
SELECT usage_line($5, e) AS line FROM usage_archivable($1, $2, $3, $4) AS e ORDER BY e.at, e.key
"""
REMEMBER: Final = """
SELECT remember_archived_usage($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
PENDING: Final = """
SELECT account_id, usage_archive_id, upto, file_name, sha256, event_count,
    clock_timestamp() - remembered_at AS age
FROM usage_archives WHERE dropped_at IS NULL ORDER BY remembered_at
"""
DROP: Final = "SELECT drop_archived_usage($1, $2)"
HELD: Final = """
SELECT count(*) FROM (
    SELECT FROM usage_events WHERE tx >= $1 AND at < $2 LIMIT $3
) AS few
"""
MOVE_BOUND: Final = """
UPDATE usage_fold SET archived_before = $1 WHERE archived_before < $1
"""
ARCHIVED_EDGES: Final = """
SELECT EXISTS (
    SELECT FROM usage_archived_hours
    WHERE account_id = $1 AND event_type = ANY ($2::text[]) AND hour = ANY ($3::timestamptz[]))
"""
ARCHIVED_BETWEEN: Final = """
SELECT EXISTS (
    SELECT FROM usage_archived_hours
    WHERE account_id = $1 AND event_type = ANY ($2::text[])
      AND hour >= date_trunc('hour', $3::timestamptz, 'UTC') AND hour < $4)
"""
IS_ARCHIVED: Final = """
SELECT EXISTS (SELECT FROM usage_archived_keys WHERE account_id = $1 AND key = $2)
"""


async def try_lock(conn: Connection) -> bool:
    """Become the one process that archives, for this session; False when there is another."""
    taken: bool = await conn.fetchval(TRY_LOCK)
    return taken


async def old_accounts(conn: Connection, before: datetime, upto: int) -> list[UUID]:
    """Return the accounts with events before an instant, of transactions before that one."""
    rows = await conn.fetch(OLD_ACCOUNTS, before, upto, timeout=STATEMENT_TIMEOUT_S)
    return [row["account_id"] for row in rows]


async def first_archivable(
    conn: Connection, account_id: UUID, span: tuple[datetime, datetime], upto: int
) -> datetime | None:
    """Return the instant of the account's oldest event of a span that may go, None: none may."""
    found: datetime | None = await conn.fetchval(
        FIRST, account_id, *span, upto, timeout=STATEMENT_TIMEOUT_S
    )
    return found


async def cut_at(conn: Connection, span: Span, events_max: int) -> datetime | None:
    """Return the instant of the first event that is too many for one file, None when all fit."""
    found: datetime | None = await conn.fetchval(
        CUT, span.account_id, span.since, span.until, span.upto, events_max,
        timeout=STATEMENT_TIMEOUT_S,
    )  # fmt: skip
    return found


async def file_count(conn: Connection, account_id: UUID, month: datetime) -> int:
    """Return how many files an account's month has."""
    count: int = await conn.fetchval(FILES, account_id, month)
    return count


async def lines_of(conn: Connection, span: Span, subject: str) -> AsyncIterator[list[bytes]]:
    """Yield the events of a span as lines without line ends, some at a time, in order."""
    cursor = await conn.cursor(
        LINES, span.account_id, span.since, span.until, span.upto, subject,
        timeout=STATEMENT_TIMEOUT_S,
    )  # fmt: skip
    while rows := await cursor.fetch(ROWS_AT_A_TIME):
        yield [row["line"].encode() for row in rows]


async def remember(
    conn: Connection, span: Span, archive_id: UUID, subject: str, file: Written
) -> None:
    """Remember the keys of a file's events.

    Raises asyncpg's IntegrityConstraintViolationError when the file holds others than the span.
    """
    await conn.execute(
        REMEMBER, span.account_id, archive_id, subject, span.month, span.number,
        span.since, span.until, span.upto, file.name, file.sha256, file.event_count, file.total,
        timeout=STATEMENT_TIMEOUT_S,
    )  # fmt: skip


async def pending(conn: Connection) -> tuple[Archive, ...]:
    """Return the files whose events are still there, the longest remembered first."""
    return tuple(Archive(**row) for row in await conn.fetch(PENDING))


async def drop(conn: Connection, archive: Archive) -> int:
    """Drop a file's events and return how many that were."""
    count: int = await conn.fetchval(
        DROP, archive.account_id, archive.usage_archive_id, timeout=STATEMENT_TIMEOUT_S
    )
    return count


async def held_count(conn: Connection, since: int, before: datetime, most: int) -> int:
    """Return how many old events are of that transaction or later ones, at most so many."""
    count: int = await conn.fetchval(HELD, since, before, most, timeout=STATEMENT_TIMEOUT_S)
    return count


async def move_bound(conn: Connection, before: datetime) -> None:
    """Let nothing before this month be counted anew any more; the mark is locked."""
    await conn.execute(MOVE_BOUND, before)


async def has_archived(
    conn: Connection, account_id: UUID, event_types: Collection[str], hours: Collection[datetime]
) -> bool:
    """Tell whether events of these types are gone from any of these hours."""
    found: bool = await conn.fetchval(ARCHIVED_EDGES, account_id, list(event_types), list(hours))
    return found


async def has_archived_between(
    conn: Connection,
    account_id: UUID,
    event_types: Collection[str],
    span: tuple[datetime, datetime],
) -> bool:
    """Tell whether events of these types are gone from any hour that a span touches."""
    found: bool = await conn.fetchval(ARCHIVED_BETWEEN, account_id, list(event_types), *span)
    return found


async def is_archived(conn: Connection, account_id: UUID, key: UUID) -> bool:
    """Tell whether an event is remembered as archived."""
    found: bool = await conn.fetchval(IS_ARCHIVED, account_id, key)
    return found
