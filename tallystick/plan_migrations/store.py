"""SQL of migrations and of their subscriptions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest
from tallystick.money.amount import Money
from tallystick.plan_migrations.model import (
    WORKING,
    Largest,
    Migration,
    Row,
    RowState,
    Status,
    Summary,
)

LARGEST_COUNT: Final = 10

INSERT: Final = """
INSERT INTO plan_migrations (plan_migration_id, wanted, status, account_count, actor_kind, actor_id,
    created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
FIND: Final = "SELECT * FROM plan_migrations WHERE plan_migration_id = $1"
LOCK: Final = f"{FIND} FOR UPDATE"
LIST: Final = """
SELECT * FROM plan_migrations
WHERE $1::timestamptz IS NULL OR (created_at, plan_migration_id) < ($1, $2::uuid)
ORDER BY created_at DESC, plan_migration_id DESC LIMIT $3 OFFSET $4
"""
COUNT: Final = "SELECT count(*) FROM plan_migrations"
LOCK_WORKING: Final = """
SELECT * FROM plan_migrations WHERE status = ANY ($1::text[])
ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
# All that was scheduled has happened or was refused.
LOCK_ENDED: Final = """
SELECT * FROM plan_migrations m WHERE status = 'scheduled' AND NOT EXISTS (
    SELECT FROM plan_migration_rows r
    WHERE r.plan_migration_id = m.plan_migration_id AND r.state = 'scheduled')
ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
SAVE: Final = """
UPDATE plan_migrations SET status = $2, done_count = $3, after_account_id = $4, summaries = $5,
    confirmation = $6, error = $7, previewed_at = $8, confirmed_by = $9, confirmed_at = $10,
    finished_at = $11
WHERE plan_migration_id = $1
"""
COUNTS: Final = """
SELECT state, count(*) AS count FROM plan_migration_rows WHERE plan_migration_id = $1 GROUP BY state
"""
SET_ROW: Final = """
UPDATE plan_migration_rows SET state = $4, at = $5, reason = $6, detail = $7, check_at = $8
WHERE account_id = $1 AND plan_migration_id = $2 AND subscription_id = $3
"""
# Whoever was told of its change; a subscription may have been in several migrations.
MOVED: Final = """
UPDATE plan_migration_rows SET state = 'moved'
WHERE account_id = $1 AND subscription_id = $2 AND state = 'scheduled'
    AND plan_migration_id IN (
        SELECT plan_migration_id FROM plan_migrations
        WHERE wanted ->> 'to_plan_version_id' = $3::text)
"""
# Account by account, so that one pass goes through each once.
NEXT_ROWS: Final = """
SELECT * FROM plan_migration_rows
WHERE plan_migration_id = $1 AND state = ANY ($2::text[]) AND account_id IN (
    SELECT DISTINCT account_id FROM plan_migration_rows
    WHERE plan_migration_id = $1 AND state = ANY ($2::text[]) AND account_id > $3
    ORDER BY account_id LIMIT $4)
ORDER BY account_id, subscription_id
"""
LATE_ROWS: Final = """
SELECT * FROM plan_migration_rows
WHERE state = 'scheduled' AND check_at <= $1
ORDER BY check_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_WANTED: Final = """
    plan_migration_id = $1 AND ($2::text IS NULL OR state = $2)
    AND ($3::uuid IS NULL OR account_id = $3)"""
LIST_ROWS: Final = f"""
SELECT * FROM plan_migration_rows WHERE {_WANTED} AND ($4::uuid IS NULL OR subscription_id < $4)
ORDER BY subscription_id DESC LIMIT $5 OFFSET $6
"""  # noqa: S608 -- our own condition
COUNT_ROWS: Final = f"SELECT count(*) FROM plan_migration_rows WHERE {_WANTED}"  # noqa: S608 -- likewise
SUMMARIES: Final = """
SELECT currency, count(*) AS subscription_count, sum(now_minor)::bigint AS now_minor,
    sum(then_minor)::bigint AS then_minor,
    count(*) FILTER (WHERE then_minor > now_minor) AS more_count,
    count(*) FILTER (WHERE then_minor < now_minor) AS less_count,
    count(*) FILTER (WHERE then_minor = now_minor) AS same_count
FROM plan_migration_rows WHERE plan_migration_id = $1 AND state = 'foreseen'
GROUP BY currency ORDER BY currency
"""
LARGEST: Final = """
SELECT account_id, subscription_id, currency, then_minor - now_minor AS difference
FROM plan_migration_rows
WHERE plan_migration_id = $1 AND state = 'foreseen' AND currency = $2 AND then_minor <> now_minor
ORDER BY abs(then_minor - now_minor) DESC, subscription_id LIMIT $3
"""
# What the preview showed, as a digest: whoever confirms names it.
DIGEST: Final = """
SELECT encode(sha256(convert_to(coalesce(string_agg(
    concat_ws(':', subscription_id, plan_version_id, quantity, at, now_minor, then_minor), ','
    ORDER BY account_id, subscription_id), ''), 'UTF8')), 'hex')
FROM plan_migration_rows WHERE plan_migration_id = $1 AND state = 'foreseen'
"""
_COLUMNS: Final = (
    "account_id", "plan_migration_id", "subscription_id", "plan_version_id", "quantity", "state",
    "at", "until", "currency", "now_minor", "then_minor", "reason", "detail",
)  # fmt: skip


async def insert(conn: Connection, new: Migration) -> None:
    """Write a migration that begins."""
    await conn.execute(
        INSERT, new.plan_migration_id, _json(new.wanted), new.status, new.account_count,
        new.actor_kind, new.actor_id, new.created_at,
    )  # fmt: skip


async def find(conn: Connection, plan_migration_id: UUID) -> Migration | None:
    """Return a migration with its counts, or None."""
    return await _counted(conn, await conn.fetchrow(FIND, plan_migration_id))


async def lock(conn: Connection, plan_migration_id: UUID) -> Migration | None:
    """Return and lock a migration, or None."""
    return await _counted(conn, await conn.fetchrow(LOCK, plan_migration_id))


async def list_page(conn: Connection, request: PageRequest) -> list[Migration]:
    """Return one page and a row more, newest first."""
    after = (request.after.at, request.after.id) if request.after else (None, None)
    rows = await conn.fetch(LIST, *after, request.limit + 1, request.offset)
    found = [await _counted(conn, row) for row in rows]
    return [one for one in found if one is not None]


async def count(conn: Connection) -> int:
    """Return how many there are."""
    return int(await conn.fetchval(COUNT))


async def lock_working(conn: Connection) -> Migration | None:
    """Return and lock the oldest one that the worker goes through and nobody else works on."""
    row = await conn.fetchrow(LOCK_WORKING, [str(one) for one in WORKING])
    return _migration(row) if row else None


async def lock_ended(conn: Connection) -> Migration | None:
    """Return and lock one that is scheduled and has nothing more to wait for."""
    row = await conn.fetchrow(LOCK_ENDED)
    return _migration(row) if row else None


async def save(conn: Connection, now: Migration) -> None:
    """Write how a locked migration stands."""
    await conn.execute(
        SAVE, now.plan_migration_id, now.status, now.done_count, now.after_account_id,
        _json(now.summaries), now.confirmation, now.error, now.previewed_at, now.confirmed_by,
        now.confirmed_at, now.finished_at,
    )  # fmt: skip


async def insert_rows(conn: Connection, plan_migration_id: UUID, rows: Sequence[Row]) -> None:
    """Write what the preview came to for some subscriptions."""
    records = [_record(plan_migration_id, one) for one in rows]
    await conn.copy_records_to_table("plan_migration_rows", records=records, columns=_COLUMNS)


async def set_row(
    conn: Connection, plan_migration_id: UUID, row: Row, check_at: datetime | None = None
) -> None:
    """Write how a subscription stands, and when to look whether it was moved (wall time)."""
    await conn.execute(
        SET_ROW, row.account_id, plan_migration_id, row.subscription_id, row.state, row.at,
        row.reason, row.detail, check_at,
    )  # fmt: skip


async def set_moved(
    conn: Connection, account_id: UUID, subscription_id: UUID, plan_version_id: UUID
) -> None:
    """Note that a subscription has come to this version."""
    await conn.execute(MOVED, account_id, subscription_id, str(plan_version_id))


async def next_rows(
    conn: Connection,
    plan_migration_id: UUID,
    states: Sequence[RowState],
    after: UUID,
    account_count: int,
) -> tuple[Row, ...]:
    """Return the subscriptions in these states of the next accounts behind `after`."""
    wanted = [str(one) for one in states]
    rows = await conn.fetch(NEXT_ROWS, plan_migration_id, wanted, after, account_count)
    return tuple(_row(row) for row in rows)


async def lock_late_rows(
    conn: Connection, now: datetime, limit: int
) -> tuple[tuple[UUID, Row], ...]:
    """Return and lock subscriptions whose time has come and that were not told as moved."""
    rows = await conn.fetch(LATE_ROWS, now, limit)
    return tuple((row["plan_migration_id"], _row(row)) for row in rows)


async def list_rows(
    conn: Connection,
    plan_migration_id: UUID,
    request: PageRequest,
    state: RowState | None,
    account_id: UUID | None,
) -> list[Row]:
    """Return one page and a row more, the newest subscriptions first."""
    after = request.after.id if request.after else None
    rows = await conn.fetch(
        LIST_ROWS, plan_migration_id, state, account_id, after, request.limit + 1, request.offset
    )
    return [_row(row) for row in rows]


async def count_rows(
    conn: Connection, plan_migration_id: UUID, state: RowState | None, account_id: UUID | None
) -> int:
    """Return how many there are."""
    return int(await conn.fetchval(COUNT_ROWS, plan_migration_id, state, account_id))


async def summaries(conn: Connection, plan_migration_id: UUID) -> tuple[Summary, ...]:
    """Return the whole by currency."""
    found = []
    for row in await conn.fetch(SUMMARIES, plan_migration_id):
        fields = dict(row)
        currency = fields["currency"]
        now, then = (Money(fields.pop(name), currency) for name in ("now_minor", "then_minor"))
        largest = await conn.fetch(LARGEST, plan_migration_id, currency, LARGEST_COUNT)
        found.append(
            Summary(now=now, then=then, largest=tuple(_largest(one) for one in largest), **fields)
        )
    return tuple(found)


async def digest(conn: Connection, plan_migration_id: UUID) -> str:
    """Return what names the content of the preview."""
    return str(await conn.fetchval(DIGEST, plan_migration_id))


def _largest(row: asyncpg.Record) -> Largest:
    return Largest(
        account_id=row["account_id"],
        subscription_id=row["subscription_id"],
        difference=Money(row["difference"], row["currency"]),
    )


def _record(plan_migration_id: UUID, one: Row) -> tuple[object, ...]:
    return (
        one.account_id,
        plan_migration_id,
        one.subscription_id,
        one.plan_version_id,
        one.quantity,
        one.state,
        one.at,
        one.until,
        one.now.currency if one.now else None,
        one.now.minor if one.now else None,
        one.then.minor if one.then else None,
        one.reason,
        one.detail,
    )


def _row(row: asyncpg.Record) -> Row:
    fields = {name: row[name] for name in Row.__struct_fields__ if name not in {"now", "then"}}
    fields["state"] = RowState(fields["state"])
    for name in ("now", "then"):
        minor = row[f"{name}_minor"]
        fields[name] = None if minor is None else Money(minor, row["currency"])
    return Row(**fields)


async def _counted(conn: Connection, row: asyncpg.Record | None) -> Migration | None:
    if row is None:
        return None
    found = _migration(row)
    counts = {one["state"]: one["count"] for one in await conn.fetch(COUNTS, row[0])}
    return msgspec.structs.replace(found, counts=counts)


def _migration(row: asyncpg.Record) -> Migration:
    fields = dict(row)
    for name in ("wanted", "summaries"):
        fields[name] = msgspec.json.decode(fields[name])
    fields["status"] = Status(fields["status"])
    return msgspec.convert(fields, Migration)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
