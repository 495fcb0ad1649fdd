"""SQL of what-ifs and of what they found."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import asyncpg
import msgspec

from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest
from tallystick.money.amount import Money
from tallystick.subscriptions.periods import Period
from tallystick.whatif.model import LineChange, Outcome, WhatIf

ROWS_AT_A_TIME: Final = 1_000
Change = Literal["more", "less", "same"]

INSERT: Final = """
INSERT INTO what_ifs (what_if_id, question, status, account_count, actor_kind, actor_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
FIND: Final = "SELECT * FROM what_ifs WHERE what_if_id = $1"
LIST: Final = """
SELECT * FROM what_ifs
WHERE $1::timestamptz IS NULL OR (created_at, what_if_id) < ($1, $2::uuid)
ORDER BY created_at DESC, what_if_id DESC LIMIT $3 OFFSET $4
"""
COUNT: Final = "SELECT count(*) FROM what_ifs"
LOCK_RUNNING: Final = """
SELECT * FROM what_ifs WHERE status = 'running'
ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
ADVANCE: Final = """
UPDATE what_ifs SET done_count = done_count + $2, after_account_id = $3, skipped = $4
WHERE what_if_id = $1
"""
FINISH: Final = """
UPDATE what_ifs SET status = $2, result = $3, error = $4, finished_at = $5 WHERE what_if_id = $1
"""
DELETE: Final = "DELETE FROM what_ifs WHERE what_if_id = $1 RETURNING what_if_id"
FORGET: Final = """
DELETE FROM what_ifs WHERE what_if_id IN (
    SELECT what_if_id FROM what_ifs WHERE finished_at < $1 ORDER BY finished_at LIMIT 1)
"""
ALL_ROWS: Final = "SELECT * FROM what_if_rows WHERE what_if_id = $1"
_WANTED: Final = """
    what_if_id = $1 AND ($2::uuid IS NULL OR account_id = $2)
    AND ($3::text IS NULL OR sign(then_minor - now_minor)
         = CASE $3 WHEN 'more' THEN 1 WHEN 'less' THEN -1 ELSE 0 END)"""
LIST_ROWS: Final = f"""
SELECT * FROM what_if_rows
WHERE {_WANTED}
    AND ($4::timestamptz IS NULL OR (period_start, subscription_id) < ($4, $5::uuid))
ORDER BY period_start DESC, subscription_id DESC LIMIT $6 OFFSET $7
"""  # noqa: S608 -- our own condition
COUNT_ROWS: Final = f"SELECT count(*) FROM what_if_rows WHERE {_WANTED}"  # noqa: S608 -- likewise

_COLUMNS: Final = (
    "account_id", "what_if_id", "subscription_id", "period_start", "period_end", "plan_version_id",
    "currency", "now_minor", "then_minor", "lines",
)  # fmt: skip
_LINES: Final = msgspec.json.Decoder(tuple[LineChange, ...])


async def insert(conn: Connection, new: WhatIf) -> None:
    """Write a what-if that begins."""
    await conn.execute(
        INSERT, new.what_if_id, _json(new.question), new.status, new.account_count, new.actor_kind,
        new.actor_id, new.created_at,
    )  # fmt: skip


async def find(conn: Connection, what_if_id: UUID) -> WhatIf | None:
    """Return a what-if, or None."""
    row = await conn.fetchrow(FIND, what_if_id)
    return _what_if(row) if row else None


async def list_page(conn: Connection, request: PageRequest) -> list[WhatIf]:
    """Return one page and a row more, newest first."""
    after = (request.after.at, request.after.id) if request.after else (None, None)
    rows = await conn.fetch(LIST, *after, request.limit + 1, request.offset)
    return [_what_if(row) for row in rows]


async def count(conn: Connection) -> int:
    """Return how many there are."""
    return int(await conn.fetchval(COUNT))


async def lock_running(conn: Connection) -> WhatIf | None:
    """Return the oldest one that is not finished and that nobody else works on, and lock it."""
    row = await conn.fetchrow(LOCK_RUNNING)
    return _what_if(row) if row else None


async def advance(
    conn: Connection, what_if_id: UUID, done: int, last: UUID, skipped: Mapping[str, int]
) -> None:
    """Note that so many more accounts are done."""
    await conn.execute(ADVANCE, what_if_id, done, last, _json(skipped))


async def finish(conn: Connection, ended: WhatIf) -> None:
    """Write how it ended."""
    result = _json(ended.result) if ended.result else None
    await conn.execute(
        FINISH, ended.what_if_id, ended.status, result, ended.error, ended.finished_at
    )


async def delete(conn: Connection, what_if_id: UUID) -> bool:
    """Delete a what-if with its rows; False when there is none."""
    return await conn.fetchval(DELETE, what_if_id) is not None


async def forget_one(conn: Connection, before: datetime) -> int:
    """Delete one that finished before an instant, with its rows; return how many that were."""
    answer: str = await conn.execute(FORGET, before)
    return int(answer.rsplit(maxsplit=1)[-1])


async def insert_outcomes(conn: Connection, what_if_id: UUID, outcomes: Sequence[Outcome]) -> None:
    """Write what some periods cost."""
    records = [_record(what_if_id, one) for one in outcomes]
    await conn.copy_records_to_table("what_if_rows", records=records, columns=_COLUMNS)


async def all_outcomes(conn: Connection, what_if_id: UUID) -> AsyncIterator[Outcome]:
    """Yield every period, some thousand in memory at a time."""
    async for row in conn.cursor(ALL_ROWS, what_if_id, prefetch=ROWS_AT_A_TIME):
        yield _outcome(row)


async def list_outcomes(
    conn: Connection,
    what_if_id: UUID,
    request: PageRequest,
    account_id: UUID | None,
    change: Change | None,
) -> list[Outcome]:
    """Return one page and a row more, the newest periods first; of one account, or of all."""
    after = (request.after.at, request.after.id) if request.after else (None, None)
    rows = await conn.fetch(
        LIST_ROWS, what_if_id, account_id, change, *after, request.limit + 1, request.offset
    )
    return [_outcome(row) for row in rows]


async def count_outcomes(
    conn: Connection, what_if_id: UUID, account_id: UUID | None, change: Change | None
) -> int:
    """Return how many there are."""
    return int(await conn.fetchval(COUNT_ROWS, what_if_id, account_id, change))


def _record(what_if_id: UUID, one: Outcome) -> tuple[object, ...]:
    return (
        one.account_id,
        what_if_id,
        one.subscription_id,
        one.period.start,
        one.period.end,
        one.plan_version_id,
        one.now.currency,
        one.now.minor,
        one.then.minor,
        _json(one.lines),
    )


def _outcome(row: asyncpg.Record) -> Outcome:
    return Outcome(
        account_id=row["account_id"],
        subscription_id=row["subscription_id"],
        plan_version_id=row["plan_version_id"],
        period=Period(row["period_start"], row["period_end"]),
        now=Money(row["now_minor"], row["currency"]),
        then=Money(row["then_minor"], row["currency"]),
        lines=_LINES.decode(row["lines"]),
    )


def _what_if(row: asyncpg.Record) -> WhatIf:
    fields = dict(row)
    for name in ("question", "skipped", "result"):
        fields[name] = msgspec.json.decode(fields[name]) if fields[name] else None
    return msgspec.convert(fields, WhatIf)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
