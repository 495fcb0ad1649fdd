"""The SQL of the mirror: how far a reading is, and what was read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest
from tallystick.mirror.model import Progress
from tallystick.payments.mirrored import (
    MirroredCharge,
    MirroredInvoice,
    MirroredSubscription,
    MirrorKind,
)

Row = MirroredSubscription | MirroredInvoice | MirroredCharge

# Two events of a new customer would make an account each.
LOCK_CUSTOMER: Final = """
SELECT pg_advisory_xact_lock(hashtextextended('mirrored:' || $1::text || ':' || $2::text, 0))
"""
PROGRESS: Final = "SELECT * FROM mirror_progress WHERE gateway = $1"
BEGIN: Final = """
INSERT INTO mirror_progress (gateway, kind, started_at) VALUES ($1, $2, $3)
ON CONFLICT (gateway, kind) DO UPDATE SET cursor = NULL, object_count = 0,
    started_at = excluded.started_at, done_at = NULL
"""
ADVANCE: Final = """
UPDATE mirror_progress SET cursor = $3, object_count = object_count + $4, done_at = $5
WHERE gateway = $1 AND kind = $2
"""
IS_ON: Final = "SELECT EXISTS (SELECT FROM mirror_progress WHERE gateway = $1)"
# What was asked for later is what is; an answer that was on its way longer changes nothing.
PUT_SUBSCRIPTIONS: Final = """
INSERT INTO mirrored_subscriptions AS old (account_id, gateway, reference, status, tier, currency,
    amount_minor, monthly_minor, interval, interval_count, period_start, period_end, trial_ends_at,
    cancel_at_period_end, created_at, ended_at, read_at)
SELECT account_id, $1, reference, status, tier, currency, amount_minor, monthly_minor, interval,
    interval_count, period_start, period_end, trial_ends_at, cancel_at_period_end, created_at,
    ended_at, $3
FROM jsonb_to_recordset($2::text::jsonb) AS n (account_id uuid, reference text, status text,
    tier text, currency char(3), amount_minor bigint, monthly_minor numeric, interval text,
    interval_count integer, period_start timestamptz, period_end timestamptz,
    trial_ends_at timestamptz, cancel_at_period_end boolean, created_at timestamptz,
    ended_at timestamptz)
ON CONFLICT (account_id, gateway, reference) DO UPDATE SET status = excluded.status,
    tier = excluded.tier, currency = excluded.currency, amount_minor = excluded.amount_minor,
    monthly_minor = excluded.monthly_minor, interval = excluded.interval,
    interval_count = excluded.interval_count, period_start = excluded.period_start,
    period_end = excluded.period_end, trial_ends_at = excluded.trial_ends_at,
    cancel_at_period_end = excluded.cancel_at_period_end, ended_at = excluded.ended_at,
    read_at = excluded.read_at
WHERE old.read_at <= excluded.read_at
"""
PUT_INVOICES: Final = """
INSERT INTO mirrored_invoices AS old (account_id, gateway, reference, number, status, currency,
    total_minor, due_minor, paid_minor, created_at, due_at, paid_at, read_at)
SELECT account_id, $1, reference, number, status, currency, total_minor, due_minor, paid_minor,
    created_at, due_at, paid_at, $3
FROM jsonb_to_recordset($2::text::jsonb) AS n (account_id uuid, reference text, number text,
    status text, currency char(3), total_minor bigint, due_minor bigint, paid_minor bigint,
    created_at timestamptz, due_at timestamptz, paid_at timestamptz)
ON CONFLICT (account_id, gateway, reference) DO UPDATE SET number = excluded.number,
    status = excluded.status, total_minor = excluded.total_minor, due_minor = excluded.due_minor,
    paid_minor = excluded.paid_minor, due_at = excluded.due_at, paid_at = excluded.paid_at,
    read_at = excluded.read_at
WHERE old.read_at <= excluded.read_at
"""
PUT_CHARGES: Final = """
INSERT INTO mirrored_charges AS old (account_id, gateway, reference, payment_reference,
    status, currency, amount_minor, refunded_minor, description, is_paid, created_at, read_at)
SELECT account_id, $1, reference, payment_reference, status, currency, amount_minor,
    refunded_minor, description, is_paid, created_at, $3
FROM jsonb_to_recordset($2::text::jsonb) AS n (account_id uuid, reference text,
    payment_reference text, status text, currency char(3), amount_minor bigint,
    refunded_minor bigint, description text, is_paid boolean, created_at timestamptz)
ON CONFLICT (account_id, gateway, reference) DO UPDATE SET status = excluded.status,
    amount_minor = excluded.amount_minor, refunded_minor = excluded.refunded_minor,
    description = excluded.description, is_paid = excluded.is_paid, read_at = excluded.read_at
WHERE old.read_at <= excluded.read_at
"""
PUTS: Final[Mapping[MirrorKind, str]] = {
    MirrorKind.SUBSCRIPTION: PUT_SUBSCRIPTIONS,
    MirrorKind.INVOICE: PUT_INVOICES,
    MirrorKind.CHARGE: PUT_CHARGES,
}
CHARGE: Final = """
SELECT reference FROM mirrored_charges WHERE gateway = $1 AND payment_reference = $2
UNION ALL SELECT reference FROM mirrored_charges WHERE gateway = $1 AND reference = $2
LIMIT 1
"""
NEWEST: Final = """
SELECT * FROM mirrored_subscriptions WHERE account_id = $1
ORDER BY status IN ('canceled', 'incomplete_expired'), created_at DESC, reference DESC LIMIT 1
"""
INVOICES: Final = """
SELECT * FROM mirrored_invoices WHERE account_id = $1 AND ($2::text IS NULL OR status = $2)
ORDER BY created_at DESC, reference DESC LIMIT $3 OFFSET $4
"""
INVOICE_COUNT: Final = """
SELECT count(*) FROM mirrored_invoices
WHERE account_id = $1 AND ($2::text IS NULL OR status = $2)
"""


async def lock_customer(conn: Connection, gateway: str, token: str) -> None:
    """Let nobody else decide whose customer this is until the transaction ends."""
    await conn.execute(LOCK_CUSTOMER, gateway, token)


async def progress(conn: Connection, gateway: str) -> dict[MirrorKind, Progress]:
    """Return how far each kind was read."""
    rows = await conn.fetch(PROGRESS, gateway)
    return {MirrorKind(row["kind"]): _progress(row) for row in rows}


async def begin(conn: Connection, gateway: str, kind: MirrorKind, at: datetime) -> None:
    """Read a kind from its newest object on."""
    await conn.execute(BEGIN, gateway, kind, at)


async def advance(
    conn: Connection,
    gateway: str,
    kind: MirrorKind,
    *,
    cursor: str | None,
    count: int,
    done_at: datetime | None,
) -> None:
    """Note that so many more were read, and where to go on."""
    await conn.execute(ADVANCE, gateway, kind, cursor, count, done_at)


async def is_on(conn: Connection, gateway: str) -> bool:
    """Tell whether this gateway was ever mirrored."""
    return bool(await conn.fetchval(IS_ON, gateway))


async def put(
    conn: Connection,
    gateway: str,
    kind: MirrorKind,
    rows: Sequence[tuple[UUID, Row]],
    read_at: datetime,
) -> None:
    """Write objects of one kind with whose they are, as they were at `read_at`."""
    if rows:
        told = [{"account_id": account, **msgspec.structs.asdict(row)} for account, row in rows]
        await conn.execute(PUTS[kind], gateway, msgspec.json.encode(told).decode(), read_at)


async def find_charge(conn: Connection, gateway: str, name: str) -> str | None:
    """Return the reference of a charge by either of its names, under the writer's scope."""
    reference: str | None = await conn.fetchval(CHARGE, gateway, name)
    return reference


async def newest_subscription(conn: Connection, account_id: UUID) -> MirroredSubscription | None:
    """Return the account's subscription at a gateway: one that lives, else the newest."""
    row = await conn.fetchrow(NEWEST, account_id)
    return None if row is None else _read(row, MirroredSubscription)


async def invoices(
    conn: Connection, account_id: UUID, status: str | None, request: PageRequest
) -> tuple[list[MirroredInvoice], int]:
    """Return one page of the account's invoices at gateways, newest first, and how many it has."""
    rows = await conn.fetch(INVOICES, account_id, status, request.limit, request.offset)
    total = int(await conn.fetchval(INVOICE_COUNT, account_id, status))
    return [_read(row, MirroredInvoice) for row in rows], total


def _progress(row: asyncpg.Record) -> Progress:
    return Progress(
        cursor=row["cursor"], object_count=row["object_count"], is_done=row["done_at"] is not None
    )


def _read(row: asyncpg.Record, kind: type[Any]) -> Any:
    fields = {name: row[name] for name in kind.__struct_fields__ if name != "customer_token"}
    return kind(customer_token="", **fields)
