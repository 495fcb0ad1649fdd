"""The SQL of what goes to Lago: marks, what waits, what was refused, how it goes."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.lago_sync.model import Outgoing, Refused, SyncRow
from tallystick.metering.walk_model import Position

_SYNC: Final = """
lease_no, next_try_at, failure_count, sent_count, last_sent_at, last_error, last_error_at
"""
LOCK_FREE_SYNC: Final = f"""
SELECT {_SYNC} FROM lago_sync WHERE lease_until <= $1 AND next_try_at <= $1
FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608 - a list of columns
READ_SYNC: Final = f"SELECT {_SYNC} FROM lago_sync"  # noqa: S608 - likewise
LOCK_SYNC: Final = "SELECT FROM lago_sync FOR NO KEY UPDATE"
TAKE_LEASE: Final = """
UPDATE lago_sync SET lease_until = $1, lease_no = lease_no + 1 RETURNING lease_no
"""
# Whoever lost the lease meanwhile must not end that of another.
NOTE_SENT: Final = """
UPDATE lago_sync SET sent_count = sent_count + $3, failure_count = 0,
    last_sent_at = CASE WHEN $3 > 0 THEN $2 ELSE last_sent_at END,
    lease_until = CASE WHEN lease_no = $1 THEN $2 ELSE lease_until END
"""
NOTE_FAILURE: Final = """
UPDATE lago_sync SET failure_count = $4, next_try_at = $5, last_error = $3, last_error_at = $2,
    lease_until = CASE WHEN lease_no = $1 THEN $2 ELSE lease_until END
"""
MARKS: Final = "SELECT meter_id, after_tx, after_account, after_key FROM lago_marks"
SAVE_MARKS: Final = """
INSERT INTO lago_marks (meter_id, after_tx, after_account, after_key)
SELECT unnest($1::uuid[]), $2, $3, $4
ON CONFLICT (meter_id) DO UPDATE SET after_tx = $2, after_account = $3, after_key = $4
"""
# In one order for all, so that two writers do not wait for each other.
WRITE: Final = """
INSERT INTO lago_outbox (account_id, transaction_id, event)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) AS told (account_id, transaction_id)
ON CONFLICT (account_id, transaction_id) DO NOTHING
"""
OLDEST: Final = """
SELECT account_id, transaction_id, event FROM lago_outbox ORDER BY outbox_id LIMIT $1
"""
DROP: Final = """
DELETE FROM lago_outbox AS o USING unnest($1::uuid[], $2::text[]) AS d (account_id, transaction_id)
WHERE o.account_id = d.account_id AND o.transaction_id = d.transaction_id RETURNING 1
"""
REFUSE: Final = """
WITH gone AS (
    DELETE FROM lago_outbox AS o
    USING unnest($1::uuid[], $2::text[], $3::text[]) AS r (account_id, transaction_id, reason)
    WHERE o.account_id = r.account_id AND o.transaction_id = r.transaction_id
    RETURNING o.account_id, o.transaction_id, o.event, r.reason)
INSERT INTO lago_refused (account_id, transaction_id, event, reason, refused_at)
SELECT account_id, transaction_id, event, reason, $4 FROM gone
ON CONFLICT (account_id, transaction_id) DO UPDATE
SET event = excluded.event, reason = excluded.reason, refused_at = excluded.refused_at
"""
SET_ASIDE: Final = """
INSERT INTO lago_refused (account_id, transaction_id, event, reason, refused_at)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account_id, transaction_id) DO NOTHING
"""
SEND_AGAIN: Final = """
WITH gone AS (
    DELETE FROM lago_refused
    WHERE ($1::text IS NULL OR transaction_id = $1) AND event <> ''
    RETURNING account_id, transaction_id, event)
INSERT INTO lago_outbox (account_id, transaction_id, event)
SELECT account_id, transaction_id, event FROM gone
ON CONFLICT (account_id, transaction_id) DO NOTHING RETURNING 1
"""
LIST_REFUSED: Final = """
SELECT account_id, transaction_id, event, reason, refused_at FROM lago_refused
ORDER BY refused_at DESC, account_id, transaction_id LIMIT $1 OFFSET $2
"""
COUNT_REFUSED: Final = "SELECT count(*) FROM lago_refused"
WAITING: Final = "SELECT count(*), min(created_at) FROM lago_outbox"
WAITS_FOR: Final = "SELECT EXISTS (SELECT FROM lago_outbox WHERE account_id = $1)"


async def lock_free_sync(conn: Connection, now: datetime) -> SyncRow | None:
    """Lock and return how it goes; None while somebody sends or a failure is waited off."""
    row = await conn.fetchrow(LOCK_FREE_SYNC, now)
    return SyncRow(**row) if row else None


async def lock_sync(conn: Connection) -> None:
    """Let no events be read out before this transaction ends."""
    await conn.execute(LOCK_SYNC)


async def read_sync(conn: Connection) -> SyncRow:
    """Return how it goes."""
    (row,) = await conn.fetch(READ_SYNC)
    return SyncRow(**row)


async def take_lease(conn: Connection, until: datetime) -> int:
    """Let nobody else send until then; the row is locked."""
    number: int = await conn.fetchval(TAKE_LEASE, until)
    return number


async def note_sent(conn: Connection, lease_no: int, at: datetime, count: int) -> None:
    """Count what is sent, and end the lease."""
    await conn.execute(NOTE_SENT, lease_no, at, count)


async def note_failure(  # noqa: PLR0917 - one value for each column
    conn: Connection, lease_no: int, at: datetime, reason: str, count: int, until: datetime
) -> None:
    """Keep why it failed for the `count`th time and when to try again, and end the lease."""
    await conn.execute(NOTE_FAILURE, lease_no, at, reason, count, until)


async def marks(conn: Connection) -> dict[UUID, Position]:
    """Return by meter how far events were read."""
    return {
        row["meter_id"]: Position(row["after_tx"], row["after_account"], row["after_key"])
        for row in await conn.fetch(MARKS)
    }


async def save_marks(conn: Connection, meter_ids: Iterable[UUID], at: Position) -> None:
    """Set the marks of these meters."""
    await conn.execute(SAVE_MARKS, list(meter_ids), at.tx, at.account_id, at.key)


async def write(conn: Connection, rows: Sequence[Outgoing]) -> None:
    """Let events wait to be sent, in this order; one that waits already stays as it is."""
    columns = zip(*map(msgspec.structs.astuple, rows), strict=True)
    if rows:
        await conn.execute(WRITE, *map(list, columns))


async def oldest(conn: Connection, limit: int) -> tuple[Outgoing, ...]:
    """Return what waits longest."""
    return tuple(Outgoing(**row) for row in await conn.fetch(OLDEST, limit))


async def drop(conn: Connection, rows: Sequence[Outgoing]) -> int:
    """Forget what is sent; return how many still waited."""
    names = [row.account_id for row in rows], [row.transaction_id for row in rows]
    return len(await conn.fetch(DROP, *names))


async def refuse(conn: Connection, reasons: Mapping[Outgoing, str], at: datetime) -> None:
    """Set waiting events aside, each with its reason."""
    names = [row.account_id for row in reasons], [row.transaction_id for row in reasons]
    await conn.execute(REFUSE, *names, list(reasons.values()), at)


async def set_aside(conn: Connection, row: Refused) -> None:
    """Keep for staff what can not be sent at all; `event` is empty then."""
    await conn.execute(SET_ASIDE, *msgspec.structs.astuple(row))


async def send_again(conn: Connection, transaction_id: str | None) -> int:
    """Let what was refused wait to be sent again, one or (None) all; return how many."""
    return len(await conn.fetch(SEND_AGAIN, transaction_id))


async def refused(conn: Connection, limit: int, offset: int) -> tuple[Refused, ...]:
    """Return what was refused, newest first."""
    return tuple(Refused(**row) for row in await conn.fetch(LIST_REFUSED, limit, offset))


async def refused_count(conn: Connection) -> int:
    """Return how many events are set aside."""
    count: int = await conn.fetchval(COUNT_REFUSED)
    return count


async def waiting(conn: Connection) -> tuple[int, datetime | None]:
    """Return how many events wait, and since when the oldest does."""
    (row,) = await conn.fetch(WAITING)
    return row[0], row[1]


async def waits_for(conn: Connection, account_id: UUID) -> bool:
    """Tell whether an event of the account waits."""
    found: bool = await conn.fetchval(WAITS_FOR, account_id)
    return found
