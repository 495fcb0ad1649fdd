"""The SQL of the queue: which deliveries are due, and what became of a try.

A delivery is due when its time has come and no earlier event of the same object still waits for
the same endpoint.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from tallystick.kernel.db import Connection
from tallystick.outgoing_webhooks.model import Answer, Leased

# A few of each endpoint, so that one with a long queue leaves room for the others; one that fails
# is asked one thing at a time.
LEASE_DUE: Final = """
UPDATE webhook_deliveries w SET next_try_at = $1::timestamptz + $2::interval,
    try_count = w.try_count + 1, round_count = w.round_count + 1
FROM (
    SELECT d.account_id, d.webhook_delivery_id, e.url FROM webhook_endpoints e
    CROSS JOIN LATERAL (
        SELECT q.account_id, q.webhook_delivery_id FROM webhook_deliveries q
        WHERE q.account_id = e.account_id AND q.webhook_endpoint_id = e.webhook_endpoint_id
          AND q.status = 'waiting' AND q.next_try_at <= $1
          AND NOT EXISTS (
              SELECT FROM webhook_deliveries b
              WHERE b.account_id = q.account_id AND b.webhook_endpoint_id = q.webhook_endpoint_id
                AND b.object_key = q.object_key AND b.status = 'waiting'
                AND b.outbox_id < q.outbox_id)
        ORDER BY q.next_try_at, q.outbox_id
        LIMIT CASE WHEN e.failing_since IS NULL THEN $5::bigint ELSE 1 END
        FOR NO KEY UPDATE SKIP LOCKED) d
    WHERE e.is_enabled AND NOT e.webhook_endpoint_id = ANY ($3) LIMIT $4) due
WHERE w.account_id = due.account_id AND w.webhook_delivery_id = due.webhook_delivery_id
RETURNING w.account_id, w.webhook_delivery_id, w.webhook_endpoint_id, w.event_account_id,
    w.outbox_id, w.kind, w.payload, w.object_key, w.occurred_at, w.body, w.try_count,
    w.round_count, due.url
"""
# What waits behind an event that waits for long is not looked at each second. The end of the
# earlier one wakes it; should that be missed, it is looked at again after $2.
HOLD_BLOCKED: Final = """
UPDATE webhook_deliveries SET next_try_at = $1::timestamptz + $2::interval
WHERE (account_id, webhook_delivery_id) IN (
    SELECT q.account_id, q.webhook_delivery_id FROM webhook_deliveries q
    WHERE q.status = 'waiting' AND q.next_try_at <= $1 AND EXISTS (
        SELECT FROM webhook_deliveries b
        WHERE b.account_id = q.account_id AND b.webhook_endpoint_id = q.webhook_endpoint_id
          AND b.object_key = q.object_key AND b.status = 'waiting'
          AND b.outbox_id < q.outbox_id AND b.next_try_at > $1::timestamptz + $2::interval)
    LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED)
"""
WAKE_NEXT: Final = """
UPDATE webhook_deliveries SET next_try_at = least(next_try_at, $4)
WHERE (account_id, webhook_delivery_id) = (
    SELECT account_id, webhook_delivery_id FROM webhook_deliveries
    WHERE account_id = $1 AND webhook_endpoint_id = $2 AND object_key = $3 AND status = 'waiting'
    ORDER BY outbox_id LIMIT 1) AND round_count = 0
"""
WAITING: Final = """
SELECT count(*) AS count, min(occurred_at) AS oldest_at FROM webhook_deliveries
WHERE status = 'waiting'
"""
KEEP_BODY: Final = """
UPDATE webhook_deliveries SET body = $3 WHERE account_id = $1 AND webhook_delivery_id = $2
"""
NOTE_TRY: Final = """
INSERT INTO webhook_tries
    (account_id, webhook_delivery_id, number, at, duration_ms, status_code, answer, error)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING
"""
# `try_count` names the lease: whoever lost it changes nothing any more.
FINISH: Final = """
UPDATE webhook_deliveries SET status = $4, next_try_at = $5, status_code = $6, error = $7,
    done_at = $8
WHERE account_id = $1 AND webhook_delivery_id = $2 AND try_count = $3 AND status = 'waiting'
"""


async def lease_due(
    conn: Connection,
    now: datetime,
    lease: timedelta,
    *,
    busy: list[UUID],
    limit: int,
    of_each: int,
) -> list[Leased]:
    """Take due deliveries to endpoints that are not busy; oldest of each object first."""
    rows = await conn.fetch(LEASE_DUE, now, lease, busy, limit, of_each)
    return [_leased(row) for row in rows]


async def hold_blocked(conn: Connection, now: datetime, hold: timedelta) -> None:
    """Put off what waits behind an event that is put off for longer than that."""
    await conn.execute(HOLD_BLOCKED, now, hold)


async def wake_next(conn: Connection, ended: Leased, now: datetime) -> None:
    """Let the object's next event be sent now, if it waits for its first try."""
    ids = (ended.account_id, ended.webhook_endpoint_id, ended.object_key)
    await conn.execute(WAKE_NEXT, *ids, now)


async def waiting(conn: Connection) -> tuple[int, datetime | None]:
    """Return how many deliveries wait, and when the oldest one's event happened."""
    row = await conn.fetchrow(WAITING)
    assert row is not None  # noqa: S101 - an aggregate is one row
    return row["count"], row["oldest_at"]


async def keep_body(conn: Connection, delivery: Leased, body: bytes) -> None:
    """Keep what is sent, for each further try."""
    await conn.execute(KEEP_BODY, delivery.account_id, delivery.webhook_delivery_id, body)


async def note_try(conn: Connection, delivery: Leased, answer: Answer, at: datetime) -> None:
    """Write down what a try brought."""
    await conn.execute(
        NOTE_TRY,
        delivery.account_id,
        delivery.webhook_delivery_id,
        delivery.try_count,
        at,
        answer.duration // timedelta(milliseconds=1),
        answer.status_code,
        answer.text,
        answer.error,
    )


async def finish(
    conn: Connection,
    delivery: Leased,
    answer: Answer,
    *,
    status: str,
    again_at: datetime | None,
    done_at: datetime | None,
) -> None:
    """Write down where the delivery stands now, unless another process has it by now."""
    await conn.execute(
        FINISH,
        delivery.account_id,
        delivery.webhook_delivery_id,
        delivery.try_count,
        status,
        again_at,
        answer.status_code,
        answer.error,
        done_at,
    )


def _leased(row: Any) -> Leased:
    # asyncpg gives bytea as bytes, which msgspec would read as base64 text.
    return Leased(**{**dict(row), "payload": str(row["payload"]).encode()})
