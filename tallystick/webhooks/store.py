"""The SQL of the inbox."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from tallystick.kernel.db import Connection
from tallystick.payments.facts import Receipt
from tallystick.webhooks.model import InboxRow, InboxStatus

INSERT: Final = """
INSERT INTO webhook_inbox (gateway, event_id, kind, body, received_at, status, process_after)
VALUES ($1, $2, $3, $4, $5, 'received', $5)
ON CONFLICT (gateway, event_id) DO NOTHING RETURNING event_id
"""
INSERT_PARKED: Final = """
INSERT INTO webhook_inbox (gateway, event_id, kind, body, received_at, status, error)
VALUES ($1, $2, $3, $4, $5, 'parked', $6)
ON CONFLICT (gateway, event_id) DO NOTHING RETURNING event_id
"""
IS_SAME: Final = """
SELECT body = $3 FROM webhook_inbox WHERE gateway = $1 AND event_id = $2
"""
# Handling takes a lease: when its process dies, another one handles it after it has run out.
LEASE_DUE: Final = """
UPDATE webhook_inbox
SET process_after = $1::timestamptz + $2::interval, try_count = try_count + 1
WHERE (gateway, event_id) IN (
    SELECT gateway, event_id FROM webhook_inbox
    WHERE process_after <= $1 AND gateway = ANY($3)
    ORDER BY process_after LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING *
"""
FINISH: Final = """
UPDATE webhook_inbox SET status = $3, error = $4, account_id = $5, customer_token = NULL,
    process_after = NULL, done_at = $6
WHERE gateway = $1 AND event_id = $2
"""
PARK: Final = """
UPDATE webhook_inbox SET status = 'parked', error = $3, customer_token = $4, process_after = $5
WHERE gateway = $1 AND event_id = $2
"""
FAIL: Final = """
UPDATE webhook_inbox SET error = $3, process_after = $4 WHERE gateway = $1 AND event_id = $2
"""
WAKE_PARKED: Final = """
UPDATE webhook_inbox SET process_after = $3
WHERE gateway = $1 AND customer_token = $2 AND status = 'parked'
"""


async def insert(conn: Connection, gateway: str, receipt: Receipt, at: datetime) -> bool:
    """Keep an event; False if it came before."""
    values = (gateway, receipt.event_id, receipt.kind, receipt.body, at)
    return await conn.fetchval(INSERT, *values) is not None


async def insert_parked(
    conn: Connection, gateway: str, receipt: Receipt, reason: str, at: datetime
) -> bool:
    """Keep an event that only a person may let in; False if it came before."""
    values = (gateway, receipt.event_id, receipt.kind, receipt.body, at, reason)
    return await conn.fetchval(INSERT_PARKED, *values) is not None


async def is_same(conn: Connection, gateway: str, receipt: Receipt) -> bool:
    """Tell whether the event that was kept under this id had this very body."""
    values = (gateway, receipt.event_id, receipt.body)
    return bool(await conn.fetchval(IS_SAME, *values))


async def lease_due(
    conn: Connection, now: datetime, lease: timedelta, gateways: Sequence[str], limit: int
) -> list[InboxRow]:
    """Take due events; nobody else handles them until the lease has run out."""
    return [read_row(row) for row in await conn.fetch(LEASE_DUE, now, lease, list(gateways), limit)]


async def finish(
    conn: Connection,
    row: InboxRow,
    status: InboxStatus,
    at: datetime,
    *,
    reason: str | None = None,
    account_id: UUID | None = None,
) -> None:
    """Note that nothing is left to do."""
    await conn.execute(FINISH, row.gateway, row.event_id, status, reason, account_id, at)


async def park(
    conn: Connection,
    row: InboxRow,
    reason: str,
    customer_token: str | None,
    until: datetime | None,
) -> None:
    """Put an event aside until it may fit; None: until somebody asks for it."""
    await conn.execute(PARK, row.gateway, row.event_id, reason, customer_token, until)


async def fail(conn: Connection, row: InboxRow, reason: str, until: datetime) -> None:
    """Keep why handling failed, and when to try again."""
    await conn.execute(FAIL, row.gateway, row.event_id, reason, until)


async def wake_parked(conn: Connection, gateway: str, customer_token: str, now: datetime) -> None:
    """Let what waited for this customer be handled now."""
    await conn.execute(WAKE_PARKED, gateway, customer_token, now)


def read_row(row: "asyncpg.Record") -> InboxRow:
    """Return an event of the inbox from all its columns."""
    # asyncpg gives bytea as bytes, which msgspec would read as base64 text.
    fields = {**dict(row), "status": InboxStatus(row["status"])}
    return InboxRow(**fields)
