"""SQL of meters, plans and their versions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.catalog.model import Meter, NewPlanVersion, PlanVersion
from tallystick.kernel.db import Connection

INSERT_METER: Final = """
INSERT INTO meters (meter_id, code, name, unit, event_type, aggregation, property, created_at,
    expression, program, filters, group_by, rounding, recurring, allow_negative)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (code) DO NOTHING RETURNING meter_id
"""
LIST_METERS: Final = "SELECT * FROM meters ORDER BY code"
METERS_BY_CODES: Final = "SELECT * FROM meters WHERE code = ANY ($1::text[]) ORDER BY code"
# Two index look-ups; an event names its type, or one meter by its code.
METERS_OF_EVENTS: Final = """
SELECT * FROM meters WHERE event_type = ANY ($1::text[])
UNION SELECT * FROM meters
WHERE event_type IN (SELECT event_type FROM meters WHERE code = ANY ($2::text[]))
ORDER BY code
"""
SAVE_PLAN: Final = """
INSERT INTO plans (plan_id, code, name, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (code) DO UPDATE SET name = $3 RETURNING plan_id
"""
INSERT_VERSION: Final = """
INSERT INTO plan_versions (plan_version_id, plan_id, version, currency, interval, interval_count,
    prices, limits, created_at, credits)
SELECT $1, $2, 1 + coalesce(max(version), 0), $3, $4, $5, $6, $7, $8, $9
FROM plan_versions WHERE plan_id = $2
"""
GET_VERSION: Final = """
SELECT v.plan_version_id, v.plan_id, p.code AS plan_code, p.name AS plan_name, v.version,
    v.currency, v.interval, v.interval_count, v.prices, v.limits, v.created_at,
    v.credits
FROM plan_versions v JOIN plans p USING (plan_id)
WHERE v.plan_version_id = $1
"""
# $1 is NULL: of every plan.
CURRENT_VERSIONS: Final = """
SELECT v.plan_version_id, v.plan_id, p.code AS plan_code, p.name AS plan_name, v.version,
    v.currency, v.interval, v.interval_count, v.prices, v.limits, v.created_at,
    v.credits
FROM plan_versions v JOIN plans p USING (plan_id)
WHERE ($1::text IS NULL OR p.code = $1)
  AND v.version = (SELECT max(version) FROM plan_versions l WHERE l.plan_id = v.plan_id)
ORDER BY p.code
"""


async def insert_meter(conn: Connection, meter: Meter) -> bool:
    """Write a meter; False when its code is taken."""
    return None is not await conn.fetchval(
        INSERT_METER, meter.meter_id, meter.code, meter.name, meter.unit, meter.event_type,
        meter.aggregation, meter.property, meter.created_at, meter.expression,
        _json(meter.program), _json(meter.filters), list(meter.group_by), _json(meter.rounding),
        meter.recurring, meter.allow_negative,
    )  # fmt: skip


async def list_meters(conn: Connection) -> tuple[Meter, ...]:
    """Return every meter, by code."""
    return _meters(await conn.fetch(LIST_METERS))


async def meters_by_codes(conn: Connection, codes: Sequence[str]) -> tuple[Meter, ...]:
    """Return the meters with these codes."""
    return _meters(await conn.fetch(METERS_BY_CODES, list(codes)))


async def meters_of_events(
    conn: Connection, event_types: Sequence[str], codes: Sequence[str]
) -> tuple[Meter, ...]:
    """Return the meters of these event types, and those that share a type with these codes."""
    return _meters(await conn.fetch(METERS_OF_EVENTS, list(event_types), list(codes)))


async def save_plan(conn: Connection, plan_id: UUID, code: str, name: str, now: datetime) -> UUID:
    """Make or rename the plan, lock it until the transaction ends, and return its id."""
    saved: UUID = await conn.fetchval(SAVE_PLAN, plan_id, code, name, now)
    return saved


async def insert_version(
    conn: Connection, plan_version_id: UUID, plan_id: UUID, new: NewPlanVersion, now: datetime
) -> None:
    """Write the next version of a plan that `save_plan` has locked."""
    await conn.execute(
        INSERT_VERSION, plan_version_id, plan_id, new.currency, new.interval, new.interval_count,
        msgspec.json.encode(new.prices).decode(), msgspec.json.encode(new.limits).decode(), now,
        msgspec.json.encode(new.credits).decode() if new.credits else None,
    )  # fmt: skip


async def get_version(conn: Connection, plan_version_id: UUID) -> PlanVersion | None:
    """Return one version, or None."""
    return _version(await conn.fetchrow(GET_VERSION, plan_version_id))


async def current_version(conn: Connection, plan_code: str) -> PlanVersion | None:
    """Return the newest version of a plan, or None."""
    return _version(await conn.fetchrow(CURRENT_VERSIONS, plan_code))


async def current_versions(conn: Connection) -> tuple[PlanVersion, ...]:
    """Return the newest version of every plan, by the plan's code."""
    return tuple(_to_version(row) for row in await conn.fetch(CURRENT_VERSIONS, None))


def _meters(rows: Sequence[asyncpg.Record]) -> tuple[Meter, ...]:
    return tuple(_meter(row) for row in rows)


def _meter(row: asyncpg.Record) -> Meter:
    fields = dict(row)
    for name in ("program", "filters", "rounding"):
        fields[name] = msgspec.json.decode(fields[name]) if fields[name] else None
    return msgspec.convert({**fields, "filters": fields["filters"] or ()}, Meter)


def _json(value: object) -> str | None:
    """Return JSON for what there is, NULL for nothing: SQL tells the two apart most quickly."""
    return msgspec.json.encode(value).decode() if value else None


def _version(row: asyncpg.Record | None) -> PlanVersion | None:
    return None if row is None else _to_version(row)


def _to_version(row: asyncpg.Record) -> PlanVersion:
    fields = dict(row)
    for name in ("prices", "limits", "credits"):
        if fields[name] is not None:
            fields[name] = msgspec.json.decode(fields[name])
    return msgspec.convert(fields, PlanVersion)
