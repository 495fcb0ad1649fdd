"""The SQL of deliveries: listing them, sending them again, and forgetting old ones."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.kernel.ids import HOUSE
from tallystick.kernel.paging import PageRequest
from tallystick.outgoing_webhooks.model import (
    Delivery,
    DeliveryFilter,
    DeliveryTry,
    Endpoint,
    Replay,
)

COLUMNS: Final = """account_id, webhook_delivery_id, webhook_endpoint_id, event_account_id, kind,
    object_key, occurred_at, status, next_try_at, try_count, round_count, status_code, error,
    created_at, done_at"""
_WANTED: Final = """($1::uuid IS NULL OR account_id = $1)
  AND ($2::uuid IS NULL OR webhook_endpoint_id = $2)
  AND ($3::text IS NULL OR status = $3) AND ($4::text IS NULL OR kind = $4)"""
LIST: Final = f"""
SELECT {COLUMNS} FROM webhook_deliveries WHERE {_WANTED}
  AND ($5::timestamptz IS NULL OR (created_at, webhook_delivery_id) < ($5, $6::uuid))
ORDER BY created_at DESC, webhook_delivery_id DESC LIMIT $7 OFFSET $8
"""  # noqa: S608 - constants
COUNT: Final = f"SELECT count(*) FROM webhook_deliveries WHERE {_WANTED}"  # noqa: S608 - likewise
FIND: Final = f"""
SELECT {COLUMNS} FROM webhook_deliveries WHERE account_id = $1 AND webhook_delivery_id = $2
"""  # noqa: S608 - likewise
OWNER: Final = "SELECT account_id FROM webhook_deliveries WHERE webhook_delivery_id = $1"
BODY: Final = """
SELECT body FROM webhook_deliveries WHERE account_id = $1 AND webhook_delivery_id = $2
"""
TRIES: Final = """
SELECT number, at, duration_ms, status_code, answer, error FROM webhook_tries
WHERE account_id = $1 AND webhook_delivery_id = $2 ORDER BY number
"""
# One that waits is sent now; where it stands in the schedule begins anew.
SEND_AGAIN: Final = f"""
UPDATE webhook_deliveries SET status = 'waiting', next_try_at = $3, round_count = 0, done_at = NULL
WHERE account_id = $1 AND webhook_delivery_id = $2 RETURNING {COLUMNS}
"""  # noqa: S608 - constants
SEND_RANGE_AGAIN: Final = """
UPDATE webhook_deliveries SET status = 'waiting', next_try_at = $3, round_count = 0, done_at = NULL
WHERE (account_id, webhook_delivery_id) IN (
    SELECT account_id, webhook_delivery_id FROM webhook_deliveries
    WHERE account_id = $1 AND webhook_endpoint_id = $2 AND occurred_at >= $4 AND occurred_at < $5
      AND (status = 'failed' OR ($6 AND status = 'delivered' AND done_at < $3))
    ORDER BY outbox_id LIMIT $7)
"""
# What the endpoint would have been told had it been there and enabled; $8: of every account.
MAKE_MISSING: Final = """
WITH told AS (
    SELECT account_id, outbox_id, kind, payload, created_at FROM outbox_done
    WHERE created_at >= $4 AND created_at < $5 AND ($8 OR account_id = $1)
    UNION ALL
    SELECT account_id, outbox_id, kind, payload, created_at FROM outbox
    WHERE created_at >= $4 AND created_at < $5 AND ($8 OR account_id = $1))
INSERT INTO webhook_deliveries (account_id, webhook_delivery_id, webhook_endpoint_id,
    event_account_id, outbox_id, kind, payload, object_key, occurred_at, status, next_try_at,
    created_at)
SELECT $1, new_uuid7(), $2, t.account_id, t.outbox_id, t.kind, t.payload,
    webhook_object(t.kind, t.payload, t.account_id), t.created_at, 'waiting', $3, $3
FROM told t
WHERE ($6::text[] = '{}' OR t.kind = ANY ($6)) AND NOT EXISTS (
    SELECT FROM webhook_deliveries d WHERE d.account_id = $1 AND d.webhook_endpoint_id = $2
        AND d.outbox_id = t.outbox_id)
ORDER BY t.outbox_id LIMIT $7
ON CONFLICT DO NOTHING
"""
FORGET_OLD: Final = """
DELETE FROM webhook_deliveries WHERE (account_id, webhook_delivery_id) IN (
    SELECT account_id, webhook_delivery_id FROM webhook_deliveries WHERE done_at < $1 LIMIT 1000)
"""


async def page(conn: Connection, wanted: DeliveryFilter, request: PageRequest) -> list[Delivery]:
    """Return deliveries, newest first, one more than the limit."""
    after = request.after
    position = (after.at, after.id) if after else (None, None)
    part = (*position, request.limit + 1, request.offset)
    return [_delivery(row) for row in await conn.fetch(LIST, *_filter(wanted), *part)]


async def count(conn: Connection, wanted: DeliveryFilter) -> int:
    """Return how many deliveries there are."""
    return int(await conn.fetchval(COUNT, *_filter(wanted)))


async def find(conn: Connection, account_id: UUID, delivery_id: UUID) -> Delivery | None:
    """Return a delivery to an endpoint of this account."""
    row = await conn.fetchrow(FIND, account_id, delivery_id)
    return None if row is None else _delivery(row)


async def owner(conn: Connection, delivery_id: UUID) -> UUID | None:
    """Return whose endpoint it goes to."""
    account_id: UUID | None = await conn.fetchval(OWNER, delivery_id)
    return account_id


async def body(conn: Connection, account_id: UUID, delivery_id: UUID) -> bytes | None:
    """Return what is sent; None before the first try."""
    sent: bytes | None = await conn.fetchval(BODY, account_id, delivery_id)
    return sent


async def tries(conn: Connection, account_id: UUID, delivery_id: UUID) -> tuple[DeliveryTry, ...]:
    """Return what each try brought, the first one first."""
    rows = await conn.fetch(TRIES, account_id, delivery_id)
    return tuple(msgspec.convert(dict(row), DeliveryTry) for row in rows)


async def send_again(
    conn: Connection, account_id: UUID, delivery_id: UUID, now: datetime
) -> Delivery | None:
    """Let a delivery wait for its first try anew; None when there is none."""
    row = await conn.fetchrow(SEND_AGAIN, account_id, delivery_id, now)
    return None if row is None else _delivery(row)


async def send_range_again(
    conn: Connection, endpoint: Endpoint, wanted: Replay, now: datetime, limit: int
) -> int:
    """Let what failed in the range, or all of it, wait anew; return how many those are."""
    ids = (endpoint.account_id, endpoint.webhook_endpoint_id)
    span = (wanted.since, wanted.until)
    changed = await conn.execute(SEND_RANGE_AGAIN, *ids, now, *span, wanted.delivered, limit)
    return int(changed.removeprefix("UPDATE "))


async def make_missing(
    conn: Connection, endpoint: Endpoint, wanted: Replay, now: datetime, limit: int
) -> int:
    """Make deliveries of the range's events that have none; return how many those are."""
    ids = (endpoint.account_id, endpoint.webhook_endpoint_id)
    span = (wanted.since, wanted.until)
    kinds, of_all = list(endpoint.event_types), endpoint.account_id == HOUSE
    made = await conn.execute(MAKE_MISSING, *ids, now, *span, kinds, limit, of_all)
    return int(made.rpartition(" ")[2])


async def forget_old(conn: Connection, before: datetime) -> int:
    """Drop up to 1,000 deliveries that ended before; return how many those were."""
    return int((await conn.execute(FORGET_OLD, before)).removeprefix("DELETE "))


def _filter(wanted: DeliveryFilter) -> tuple[object, ...]:
    return wanted.account_id, wanted.webhook_endpoint_id, wanted.status, wanted.kind


def _delivery(row: Any) -> Delivery:
    return msgspec.convert(dict(row), Delivery)
