"""The SQL of which meters go to Stripe, which hours are to be looked at, and how sending goes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.stripe_meters.model import StripeMeter, SyncRow

_METER: Final = """
meter_id, event_name, reference, formula, customer_key, value_key, sends_from, created_at
"""
METERS: Final = f"SELECT {_METER} FROM stripe_meters ORDER BY event_name"  # noqa: S608 - a list of columns
FIND_METER: Final = f"SELECT {_METER} FROM stripe_meters WHERE meter_id = $1"  # noqa: S608 - likewise
SAVE_METER: Final = f"""
INSERT INTO stripe_meters ({_METER}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (meter_id) DO UPDATE SET event_name = $2, reference = $3, formula = $4,
    customer_key = $5, value_key = $6, sends_from = $7
"""  # noqa: S608 - likewise
NAME_TAKEN: Final = """
SELECT EXISTS (SELECT FROM stripe_meters WHERE event_name = $1 AND meter_id <> $2)
"""
DROP_HOURS: Final = "DELETE FROM stripe_meter_hours WHERE meter_id = $1"
DROP_METER: Final = "DELETE FROM stripe_meters WHERE meter_id = $1 RETURNING meter_id"
_SYNC: Final = "upto, lease_no, next_try_at, failure_count, last_sent_at, last_error, last_error_at"
LOCK_FREE_SYNC: Final = f"""
SELECT {_SYNC} FROM stripe_meter_sync WHERE lease_until <= $1 AND next_try_at <= $1
FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608 - likewise
LOCK_SYNC: Final = f"SELECT {_SYNC} FROM stripe_meter_sync FOR NO KEY UPDATE"  # noqa: S608 - likewise
READ_SYNC: Final = f"SELECT {_SYNC} FROM stripe_meter_sync"  # noqa: S608 - likewise
MOVE_MARK: Final = "UPDATE stripe_meter_sync SET upto = $1"
TAKE_LEASE: Final = """
UPDATE stripe_meter_sync SET lease_until = $1, lease_no = lease_no + 1 RETURNING lease_no
"""
# Whoever lost the lease meanwhile must not end that of another.
NOTE_SENT: Final = """
UPDATE stripe_meter_sync SET failure_count = 0, last_sent_at = $2, next_try_at = $3,
    lease_until = CASE WHEN lease_no = $1 THEN $2 ELSE lease_until END
"""
NOTE_FAILURE: Final = """
UPDATE stripe_meter_sync SET failure_count = $4, next_try_at = $5, last_error = $3,
    last_error_at = $2, lease_until = CASE WHEN lease_no = $1 THEN $2 ELSE lease_until END
"""
# In one order for all, so that two writers do not wait for each other. An hour that waits already
# is touched: whoever reads its total waits for this transaction, and reads what it wrote.
NOTE_HOURS: Final = """
INSERT INTO stripe_meter_hours (account_id, meter_id, hour, look_after)
SELECT account_id, meter_id, hour, look_after
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[])
    AS told (account_id, meter_id, hour, look_after)
ORDER BY account_id, meter_id, hour
ON CONFLICT (account_id, meter_id, hour) DO UPDATE
SET look_after = least(stripe_meter_hours.look_after, excluded.look_after)
"""
TAKE_DUE_HOURS: Final = """
DELETE FROM stripe_meter_hours AS h USING (
    SELECT account_id, meter_id, hour FROM stripe_meter_hours WHERE look_after <= $1
    ORDER BY look_after, account_id, meter_id, hour LIMIT $2 FOR UPDATE SKIP LOCKED) AS due
WHERE h.account_id = due.account_id AND h.meter_id = due.meter_id AND h.hour = due.hour
RETURNING h.account_id, h.meter_id, h.hour, h.look_after
"""
COUNT_HOURS: Final = "SELECT count(*) FROM stripe_meter_hours"
KEEP_REPORT: Final = """
INSERT INTO stripe_meter_reports (report, code, reference, event_count, named_count, told_at)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (report, code) DO NOTHING
"""
COUNT_UNNAMED: Final = """
SELECT coalesce(sum(event_count - named_count), 0)::bigint FROM stripe_meter_reports
WHERE told_at >= $1
"""


class HourRow(msgspec.Struct, frozen=True):
    """An hour of an account and a meter, to be looked at."""

    account_id: UUID
    meter_id: UUID
    hour: datetime
    look_after: datetime


async def meters(conn: Connection) -> tuple[StripeMeter, ...]:
    """Return which meters go to Stripe."""
    return tuple(_meter(row) for row in await conn.fetch(METERS))


async def find_meter(conn: Connection, meter_id: UUID) -> StripeMeter | None:
    """Return where a meter goes to."""
    row = await conn.fetchrow(FIND_METER, meter_id)
    return _meter(row) if row else None


async def save_meter(conn: Connection, meter: StripeMeter) -> None:
    """Write where a meter goes to, new or changed."""
    await conn.execute(SAVE_METER, *msgspec.structs.astuple(meter))


async def is_name_taken(conn: Connection, event_name: str, meter_id: UUID) -> bool:
    """Tell whether another meter goes there."""
    taken: bool = await conn.fetchval(NAME_TAKEN, event_name, meter_id)
    return taken


async def drop_meter(conn: Connection, meter_id: UUID) -> bool:
    """Let a meter go to Stripe no more; tell whether it did."""
    await conn.execute(DROP_HOURS, meter_id)
    return await conn.fetchval(DROP_METER, meter_id) is not None


async def lock_free_sync(conn: Connection, now: datetime) -> SyncRow | None:
    """Lock and return how it goes; None while somebody sends or a failure is waited off."""
    row = await conn.fetchrow(LOCK_FREE_SYNC, now)
    return SyncRow(**row) if row else None


async def lock_sync(conn: Connection) -> SyncRow:
    """Let nobody begin to send before this transaction ends."""
    (row,) = await conn.fetch(LOCK_SYNC)
    return SyncRow(**row)


async def read_sync(conn: Connection) -> SyncRow:
    """Return how it goes."""
    (row,) = await conn.fetch(READ_SYNC)
    return SyncRow(**row)


async def move_mark(conn: Connection, upto: int) -> None:
    """Write before which transaction all events were looked at."""
    await conn.execute(MOVE_MARK, upto)


async def take_lease(conn: Connection, until: datetime) -> int:
    """Let nobody else send until then; the row is locked."""
    number: int = await conn.fetchval(TAKE_LEASE, until)
    return number


async def note_sent(conn: Connection, lease_no: int, at: datetime, next_at: datetime) -> None:
    """Note that Stripe answers, when the next batch may go, and end the lease."""
    await conn.execute(NOTE_SENT, lease_no, at, next_at)


async def note_failure(  # noqa: PLR0917 - one value for each column
    conn: Connection, lease_no: int, at: datetime, reason: str, count: int, until: datetime
) -> None:
    """Keep why it failed for the `count`th time and when to try again, and end the lease."""
    await conn.execute(NOTE_FAILURE, lease_no, at, reason, count, until)


async def note_hours(conn: Connection, rows: Sequence[HourRow]) -> None:
    """Let hours be looked at; one that waits already is looked at no later than it was."""
    if rows:
        columns = zip(*map(msgspec.structs.astuple, rows), strict=True)
        await conn.execute(NOTE_HOURS, *map(list, columns))


async def take_due_hours(conn: Connection, now: datetime, limit: int) -> tuple[HourRow, ...]:
    """Take hours that are due; others who note one of them wait for the end of the transaction."""
    return tuple(HourRow(**dict(row)) for row in await conn.fetch(TAKE_DUE_HOURS, now, limit))


async def hours_count(conn: Connection) -> int:
    """Return how many hours are to be looked at, now or when they have settled."""
    count: int = await conn.fetchval(COUNT_HOURS)
    return count


async def keep_report(  # noqa: PLR0917 - one value for each column
    conn: Connection,
    report: str,
    code: str,
    reference: str | None,
    event_count: int,
    named_count: int,
    at: datetime,
) -> None:
    """Keep what a report says of one reason, once."""
    await conn.execute(KEEP_REPORT, report, code, reference, event_count, named_count, at)


async def unnamed_count(conn: Connection, since: datetime) -> int:
    """Return how many events reports since then do not count without saying which."""
    count: int = await conn.fetchval(COUNT_UNNAMED, since)
    return count


def _meter(row: object) -> StripeMeter:
    return msgspec.convert(dict(row), StripeMeter)  # type: ignore[call-overload]  # asyncpg's record
