"""The SQL of comparisons with Lago, and of the differences that they found."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.lago_sync.compare import Line
from tallystick.lago_sync.model import Comparison, Difference

COMPARE_LATER: Final = """
INSERT INTO lago_comparisons (account_id, compare_after)
SELECT DISTINCT unnest($1::uuid[]), $2::timestamptz ORDER BY 1
ON CONFLICT (account_id) DO NOTHING
"""
# A lease: when the process dies, another one compares after it has run out.
LEASE_DUE: Final = """
UPDATE lago_comparisons SET compare_after = $1::timestamptz + $2::interval
WHERE account_id IN (
    SELECT account_id FROM lago_comparisons WHERE compare_after <= $1
    ORDER BY compare_after LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING account_id
"""
NOTE_COMPARED: Final = """
UPDATE lago_comparisons SET compare_after = $2, problem = $3,
    compared_at = CASE WHEN $4 THEN $5 ELSE compared_at END
WHERE account_id = $1
"""
AFTER: Final = """
SELECT account_id FROM lago_comparisons WHERE account_id > $1 ORDER BY account_id LIMIT $2
"""
SAVE: Final = """
INSERT INTO lago_differences AS d (account_id, meter_id, period_start, period_end, ours, theirs,
    found_at, seen_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
ON CONFLICT (account_id, meter_id, period_start) DO UPDATE
SET period_end = $4, ours = $5, theirs = $6, seen_at = $7, gone_at = NULL,
    found_at = CASE WHEN d.gone_at IS NULL THEN d.found_at ELSE $7 END
RETURNING found_at = $7
"""
# What was found before in the period and is not among the differences of now.
GONE: Final = """
UPDATE lago_differences SET gone_at = $4
WHERE account_id = $1 AND period_start = $2 AND meter_id <> ALL ($3::uuid[]) AND gone_at IS NULL
"""
LIST: Final = """
SELECT d.account_id, d.meter_id, m.code AS meter_code, d.period_start, d.period_end, d.ours,
    d.theirs, d.found_at, d.seen_at, d.gone_at
FROM lago_differences d JOIN meters m USING (meter_id)
WHERE d.gone_at IS NULL OR $1
ORDER BY d.found_at DESC, d.account_id, d.meter_id, d.period_start LIMIT $2 OFFSET $3
"""
COUNT: Final = "SELECT count(*) FROM lago_differences WHERE gone_at IS NULL OR $1"
PROBLEMS: Final = """
SELECT account_id, compare_after, compared_at, problem FROM lago_comparisons
WHERE problem IS NOT NULL ORDER BY account_id LIMIT $1
"""
COUNT_PROBLEMS: Final = "SELECT count(*) FROM lago_comparisons WHERE problem IS NOT NULL"


async def compare_later(conn: Connection, account_ids: Sequence[UUID], at: datetime) -> None:
    """Have accounts compared from then on; those that are already stay as they are."""
    await conn.execute(COMPARE_LATER, list(account_ids), at)


async def lease_due(conn: Connection, now: datetime, lease: timedelta, limit: int) -> list[UUID]:
    """Take accounts that are due; nobody else compares them until the lease has run out."""
    return [row["account_id"] for row in await conn.fetch(LEASE_DUE, now, lease, limit)]


async def note_compared(
    conn: Connection,
    account_id: UUID,
    at: datetime,
    *,
    next_at: datetime,
    problem: str | None,
    is_done: bool,
) -> None:
    """Keep how a comparison went, and when the next one is due."""
    await conn.execute(NOTE_COMPARED, account_id, next_at, problem, is_done, at)


async def accounts_after(conn: Connection, account_id: UUID, limit: int) -> list[UUID]:
    """Return the compared accounts behind this one, in order."""
    return [row["account_id"] for row in await conn.fetch(AFTER, account_id, limit)]


async def save(
    conn: Connection, account_id: UUID, line: Line, span: tuple[datetime, datetime], at: datetime
) -> bool:
    """Keep a difference; tell whether it is a new one."""
    is_new: bool = await conn.fetchval(
        SAVE, account_id, line.meter.meter_id, *span, line.ours, line.theirs, at
    )
    return is_new


async def note_gone(
    conn: Connection,
    account_id: UUID,
    period_start: datetime,
    still: Sequence[UUID],
    at: datetime,
) -> None:
    """Note that the other meters of the period agree again."""
    await conn.execute(GONE, account_id, period_start, list(still), at)


async def differences(
    conn: Connection, limit: int, offset: int, *, with_gone: bool
) -> tuple[Difference, ...]:
    """Return differences, newest first."""
    rows = await conn.fetch(LIST, with_gone, limit, offset)
    return tuple(msgspec.convert(dict(row), Difference) for row in rows)


async def difference_count(conn: Connection, *, with_gone: bool) -> int:
    """Return how many there are."""
    count: int = await conn.fetchval(COUNT, with_gone)
    return count


async def problems(conn: Connection, limit: int) -> tuple[Comparison, ...]:
    """Return the accounts that could not be compared."""
    return tuple(Comparison(**row) for row in await conn.fetch(PROBLEMS, limit))


async def problem_count(conn: Connection) -> int:
    """Return how many accounts could not be compared."""
    count: int = await conn.fetchval(COUNT_PROBLEMS)
    return count
