"""The SQL of what Stripe is told: events, and what became of each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.stripe_meters.model import Decision, EventStatus, ToldEvent, Waiting

COLUMNS: Final = """
account_id, stripe_meter_event_id, meter_id, reference, event_name, hour, revision, value, at,
customer, status, reason, created_at, try_after, try_count, first_tried_at, sent_at
"""
INSERT: Final = f"""
INSERT INTO stripe_meter_events ({COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
"""  # noqa: S608 - a list of columns
OF_HOUR: Final = f"""
SELECT {COLUMNS} FROM stripe_meter_events
WHERE account_id = $1 AND meter_id = $2 AND hour = $3 ORDER BY revision FOR NO KEY UPDATE
"""  # noqa: S608 - likewise
OF_SPAN: Final = f"""
SELECT {COLUMNS} FROM stripe_meter_events
WHERE account_id = $1 AND meter_id = $2 AND hour >= $3 AND hour < $4 ORDER BY hour, revision
"""  # noqa: S608 - likewise
# Only of meters that still go to the same place: where nothing is configured nothing is sent.
DUE: Final = f"""
SELECT {COLUMNS} FROM stripe_meter_events AS e
WHERE status IN ('parked', 'queued', 'unknown', 'canceling') AND try_after <= $1
  AND EXISTS (SELECT FROM stripe_meters AS m
              WHERE m.meter_id = e.meter_id AND m.reference = e.reference)
ORDER BY try_after, stripe_meter_event_id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608 - likewise
# From the status and the try that the decision was made on; whoever came first has decided.
MOVE: Final = """
UPDATE stripe_meter_events SET status = $5, reason = $6, try_after = $7, try_count = $8,
    first_tried_at = $9, sent_at = $10, customer = $11
WHERE account_id = $1 AND stripe_meter_event_id = $2 AND status = $3 AND try_count = $4
RETURNING 1
"""
LOCK: Final = f"""
SELECT {COLUMNS} FROM stripe_meter_events WHERE stripe_meter_event_id = $1 FOR NO KEY UPDATE
"""  # noqa: S608 - likewise
UNPARK: Final = """
UPDATE stripe_meter_events SET try_after = $2
WHERE account_id = $1 AND status = 'parked' AND try_after > $2
"""
DECIDE: Final = """
INSERT INTO stripe_meter_decisions
    (account_id, stripe_meter_event_id, decided_at, decision, reason)
VALUES ($1, $2, $3, $4, $5)
"""
LIST: Final = f"""
SELECT {COLUMNS} FROM stripe_meter_events
WHERE ($1::text IS NULL OR status = $1) AND ($2::uuid IS NULL OR account_id = $2)
ORDER BY created_at DESC, stripe_meter_event_id DESC LIMIT $3 OFFSET $4
"""  # noqa: S608 - likewise
COUNT: Final = """
SELECT count(*) FROM stripe_meter_events
WHERE ($1::text IS NULL OR status = $1) AND ($2::uuid IS NULL OR account_id = $2)
"""
WAITING: Final = """
SELECT status, count(*) AS count, min(created_at) AS oldest_at FROM stripe_meter_events
WHERE status IN ('parked', 'queued', 'unknown', 'refused', 'held', 'canceling')
GROUP BY status ORDER BY status
"""


async def insert(conn: Connection, event: ToldEvent) -> None:
    """Write an event."""
    await conn.execute(INSERT, *msgspec.structs.astuple(event))


async def lock_hour(
    conn: Connection, account_id: UUID, meter_id: UUID, hour: datetime
) -> tuple[ToldEvent, ...]:
    """Return an hour's events, for whichever meter at Stripe, in order; nobody else moves them."""
    return _events(await conn.fetch(OF_HOUR, account_id, meter_id, hour))


async def of_span(
    conn: Connection, account_id: UUID, meter_id: UUID, start: datetime, end: datetime
) -> tuple[ToldEvent, ...]:
    """Return the events of the hours in [start, end), in order."""
    return _events(await conn.fetch(OF_SPAN, account_id, meter_id, start, end))


async def lock_due(conn: Connection, now: datetime, limit: int) -> tuple[ToldEvent, ...]:
    """Return what is to be sent or taken back now."""
    return _events(await conn.fetch(DUE, now, limit))


async def lock_event(conn: Connection, event_id: UUID) -> ToldEvent | None:
    """Return an event of whichever account."""
    return next(iter(_events(await conn.fetch(LOCK, event_id))), None)


async def move(conn: Connection, was: ToldEvent, now: ToldEvent) -> bool:
    """Write how an event stands, unless it has moved since; tell whether."""
    moved = await conn.fetchval(
        MOVE,
        was.account_id,
        was.stripe_meter_event_id,
        was.status,
        was.try_count,
        now.status,
        now.reason,
        now.try_after,
        now.try_count,
        now.first_tried_at,
        now.sent_at,
        now.customer,
    )
    return moved is not None


async def unpark(conn: Connection, account_id: UUID, at: datetime) -> None:
    """Let what waits for the account's customer be tried."""
    await conn.execute(UNPARK, account_id, at)


async def decide(
    conn: Connection, event: ToldEvent, decision: Decision, reason: str, at: datetime
) -> None:
    """Write what a person decided."""
    await conn.execute(DECIDE, event.account_id, event.stripe_meter_event_id, at, decision, reason)


async def list_events(
    conn: Connection,
    status: EventStatus | None,
    account_id: UUID | None,
    limit: int,
    offset: int,
) -> tuple[ToldEvent, ...]:
    """Return events, newest first."""
    return _events(await conn.fetch(LIST, status, account_id, limit, offset))


async def count_events(
    conn: Connection, status: EventStatus | None, account_id: UUID | None
) -> int:
    """Return how many those are."""
    count: int = await conn.fetchval(COUNT, status, account_id)
    return count


async def waiting(conn: Connection) -> tuple[Waiting, ...]:
    """Return how many events are not done, by status."""
    return tuple(Waiting(**dict(row)) for row in await conn.fetch(WAITING))


def _events(rows: Sequence[Any]) -> tuple[ToldEvent, ...]:
    return tuple(msgspec.convert(dict(row), ToldEvent) for row in rows)
