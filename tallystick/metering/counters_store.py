"""SQL of counters and of the decisions made by them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection

Key = tuple[UUID, UUID]
"""An account and a meter (a counter), or an account and the key of an event."""

# Locked in one order by all, so that nobody waits for who waits for him.
MAKE: Final = """
INSERT INTO usage_counters (account_id, meter_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[]) ORDER BY 1, 2 ON CONFLICT DO NOTHING
"""
LOCK: Final = """
SELECT account_id, meter_id, epoch, is_outside FROM usage_counters
WHERE (account_id, meter_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
ORDER BY account_id, meter_id FOR NO KEY UPDATE
"""
# With others who write by the same outside counters, and never beside who decides here.
SHARE: Final = """
SELECT account_id, meter_id, epoch, is_outside FROM usage_counters
WHERE (account_id, meter_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
ORDER BY account_id, meter_id FOR SHARE
"""
NEXT_EPOCH: Final = """
UPDATE usage_counters SET epoch = epoch + 1, is_outside = $3
WHERE (account_id, meter_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
"""
RENEW: Final = """
WITH held AS (
    SELECT account_id, meter_id FROM usage_counters
    WHERE account_id = $1
      AND meter_id IN (SELECT meter_id FROM meters WHERE event_type = ANY ($2::text[]))
    ORDER BY account_id, meter_id FOR NO KEY UPDATE)
UPDATE usage_counters AS c SET epoch = c.epoch + 1, is_outside = false
FROM held WHERE (c.account_id, c.meter_id) = (held.account_id, held.meter_id)
"""
FIND: Final = """
SELECT account_id, key, content, is_allowed, answer, until FROM usage_decisions
WHERE (account_id, key) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
"""
SAVE: Final = """
INSERT INTO usage_decisions (account_id, key, content, is_allowed, answer, until, decided_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::boolean[], $5::jsonb[],
                     $6::timestamptz[], $7::timestamptz[]) ORDER BY 1, 2
ON CONFLICT (account_id, key) DO UPDATE SET content = excluded.content,
    is_allowed = excluded.is_allowed, answer = excluded.answer, until = excluded.until,
    decided_at = excluded.decided_at
"""
FORGET_OLD: Final = """
WITH gone AS (DELETE FROM usage_decisions WHERE decided_at < $1 RETURNING 1)
SELECT count(*) FROM gone
"""


class Counter(msgspec.Struct, frozen=True):
    """A locked counter: the epoch that outside counters must be of, if there may be any."""

    epoch: int
    is_outside: bool


class StoredDecision(msgspec.Struct, frozen=True):
    """An answer that was given; `until` is when a refusal ends."""

    content: bytes
    is_allowed: bool
    answer: str
    until: datetime | None


async def lock(conn: Connection, keys: Sequence[Key]) -> dict[Key, Counter]:
    """Lock the counters, made where they are missing: nobody else decides before this ends."""
    if not keys:
        return {}
    found = await _read(conn, LOCK, keys)
    if len(found) < len(set(keys)):
        await conn.execute(MAKE, *_columns(keys))
        found = await _read(conn, LOCK, keys)
    return found


async def share(conn: Connection, keys: Sequence[Key]) -> dict[Key, Counter]:
    """Return the counters, whose epochs nobody moves before this ends; missing ones are absent."""
    return await _read(conn, SHARE, keys)


async def begin_epoch(conn: Connection, keys: Sequence[Key], *, is_outside: bool) -> None:
    """Let what outside counters decided before be written no more; the counters are locked."""
    await conn.execute(NEXT_EPOCH, *_columns(keys), is_outside)


async def renew(conn: Connection, account_id: UUID, event_types: Collection[str]) -> None:
    """Let what outside counters decide of these events' meters be decided by totals once more."""
    await conn.execute(RENEW, account_id, sorted(event_types))


async def find_decisions(conn: Connection, keys: Sequence[Key]) -> dict[Key, StoredDecision]:
    """Return the answers that these events were given."""
    rows = await conn.fetch(FIND, *_columns(keys))
    return {(row[0], row[1]): StoredDecision(row[2], row[3], row[4], row[5]) for row in rows}


async def save_decisions(
    conn: Connection, made: Sequence[tuple[Key, StoredDecision]], wall: datetime
) -> None:
    """Write answers, in place of refusals that have ended."""
    if made:
        await conn.execute(
            SAVE,
            *_columns([key for key, _ in made]),
            [one.content for _, one in made],
            [one.is_allowed for _, one in made],
            [one.answer for _, one in made],
            [one.until for _, one in made],
            [wall] * len(made),
        )


async def forget_old_decisions(conn: Connection, before: datetime) -> int:
    """Drop the answers given before that instant and return how many there were."""
    count: int = await conn.fetchval(FORGET_OLD, before)
    return count


async def _read(conn: Connection, sql: str, keys: Sequence[Key]) -> dict[Key, Counter]:
    rows = await conn.fetch(sql, *_columns(keys))
    return {(row[0], row[1]): Counter(row[2], row[3]) for row in rows}


def _columns(keys: Sequence[Key]) -> tuple[list[UUID], list[UUID]]:
    return [key[0] for key in keys], [key[1] for key in keys]
