"""SQL of meters, plans and their versions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.catalog.model import Meter, NewPlanVersion, PlanVersion, VersionStatus
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
INSERT INTO plans (plan_id, code, created_at) VALUES ($1, $2, $3)
ON CONFLICT (code) DO UPDATE SET code = excluded.code RETURNING plan_id
"""
INSERT_VERSION: Final = """
INSERT INTO plan_versions (plan_version_id, plan_id, version, name, tier, currency, interval,
    interval_count, prices, limits, credits, billing, trial_days, proration, fixed_months,
    usage_interval, minimum_commitment, features, status, activated_at, created_at)
SELECT $1, $2, 1 + coalesce(max(version), 0), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
    $15, $16, $17, $18, CASE WHEN $18 = 'active' THEN $19::timestamptz END, $19
FROM plan_versions WHERE plan_id = $2
"""
VERSIONS: Final = """
SELECT v.plan_version_id, v.plan_id, p.code AS plan_code, v.name AS plan_name, v.version, v.tier,
    v.currency, v.interval, v.interval_count, v.prices, v.limits, v.credits, v.billing,
    v.trial_days, v.proration, v.fixed_months, v.usage_interval, v.minimum_commitment, v.features,
    v.status, v.activated_at, v.retired_at, v.created_at
FROM plan_versions v JOIN plans p USING (plan_id)
"""
GET_VERSION: Final = f"{VERSIONS} WHERE v.plan_version_id = $1"
# $1 is NULL: of every plan.
ACTIVE_VERSIONS: Final = f"""
{VERSIONS} WHERE ($1::text IS NULL OR p.code = $1) AND v.status = 'active' ORDER BY p.code
"""
VERSIONS_OF_TIER: Final = f"{VERSIONS} WHERE v.tier = $1 ORDER BY p.code, v.version DESC"
VERSIONS_OF_PLAN: Final = f"{VERSIONS} WHERE p.code = $1 ORDER BY v.version DESC"
# The same name and prices, whatever became of it: what is made for one buyer is made once.
LIKE: Final = f"""
{VERSIONS} WHERE v.plan_id = $1 AND v.name = $2 AND v.currency = $3 AND v.prices = $4::jsonb
ORDER BY v.version LIMIT 1
"""
# Whole tables, small ones: what is sold, and what is counted.
EVENT_TYPES_IN_ADVANCE: Final = """
SELECT v.plan_version_id, array_agg(DISTINCT m.event_type) AS event_types
FROM plan_versions v, jsonb_array_elements(v.prices) AS p (price)
JOIN meters m ON m.code = p.price ->> 'meter'
WHERE p.price ->> 'billing' = 'in_advance'
GROUP BY v.plan_version_id
"""
LOCK_PLAN: Final = """
SELECT p.plan_id FROM plans p JOIN plan_versions v USING (plan_id) WHERE v.plan_version_id = $1
FOR NO KEY UPDATE OF p
"""
RETIRE_ACTIVE: Final = """
UPDATE plan_versions SET status = 'retired', retired_at = $2
WHERE plan_id = $1 AND status = 'active'
"""
ACTIVATE: Final = """
UPDATE plan_versions SET status = 'active', activated_at = $2
WHERE plan_version_id = $1 AND status = 'draft' RETURNING plan_version_id
"""
RETIRE: Final = """
UPDATE plan_versions SET status = 'retired', retired_at = $2
WHERE plan_version_id = $1 AND status <> 'retired' RETURNING plan_version_id
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


async def lock_plan_by_code(conn: Connection, plan_id: UUID, code: str, now: datetime) -> UUID:
    """Make the plan if it is new, lock it until the transaction ends, and return its id."""
    saved: UUID = await conn.fetchval(SAVE_PLAN, plan_id, code, now)
    return saved


async def lock_plan_of(conn: Connection, plan_version_id: UUID) -> UUID | None:
    """Lock the plan of a version until the transaction ends, and return its id."""
    found: UUID | None = await conn.fetchval(LOCK_PLAN, plan_version_id)
    return found


async def insert_version(
    conn: Connection,
    ids: tuple[UUID, UUID],
    new: NewPlanVersion,
    status: VersionStatus,
    now: datetime,
) -> None:
    """Write the next version of a plan that is locked; `ids` are the version's and the plan's."""
    await conn.execute(
        INSERT_VERSION, *ids, new.plan_name, new.tier, new.currency,
        new.interval, new.interval_count, _written(new.prices), _written(new.limits),
        _json(new.credits), new.billing, new.trial_days, new.proration, new.fixed_months,
        new.usage_interval, _written(new.minimum_commitment), _written(new.features), status, now,
    )  # fmt: skip


async def retire_active(conn: Connection, plan_id: UUID, now: datetime) -> None:
    """Retire the version of a locked plan that is sold, if any is."""
    await conn.execute(RETIRE_ACTIVE, plan_id, now)


async def activate(conn: Connection, plan_version_id: UUID, now: datetime) -> bool:
    """Sell a draft from now on; False when it is none."""
    return await conn.fetchval(ACTIVATE, plan_version_id, now) is not None


async def retire(conn: Connection, plan_version_id: UUID, now: datetime) -> bool:
    """Sell a version no more; False when it was not sold."""
    return await conn.fetchval(RETIRE, plan_version_id, now) is not None


async def get_version(conn: Connection, plan_version_id: UUID) -> PlanVersion | None:
    """Return one version, or None."""
    return _version(await conn.fetchrow(GET_VERSION, plan_version_id))


async def version_like(conn: Connection, plan_id: UUID, new: NewPlanVersion) -> PlanVersion | None:
    """Return the first version of a plan with this name and these prices, or None."""
    prices = _written(new.prices)
    return _version(await conn.fetchrow(LIKE, plan_id, new.plan_name, new.currency, prices))


async def active_version(conn: Connection, plan_code: str) -> PlanVersion | None:
    """Return the version of a plan that is sold, or None."""
    return _version(await conn.fetchrow(ACTIVE_VERSIONS, plan_code))


async def active_versions(conn: Connection) -> tuple[PlanVersion, ...]:
    """Return the version of every plan that is sold, by the plan's code."""
    return tuple(_to_version(row) for row in await conn.fetch(ACTIVE_VERSIONS, None))


async def versions_of_plan(conn: Connection, plan_code: str) -> tuple[PlanVersion, ...]:
    """Return all versions of a plan, drafts and retired ones too, newest first."""
    return tuple(_to_version(row) for row in await conn.fetch(VERSIONS_OF_PLAN, plan_code))


async def versions_of_tier(conn: Connection, tier: str) -> tuple[PlanVersion, ...]:
    """Return all versions of any plan in this tier."""
    return tuple(_to_version(row) for row in await conn.fetch(VERSIONS_OF_TIER, tier))


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


def _written(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _version(row: asyncpg.Record | None) -> PlanVersion | None:
    return None if row is None else _to_version(row)


def _to_version(row: asyncpg.Record) -> PlanVersion:
    fields = dict(row)
    for name in ("prices", "limits", "credits", "minimum_commitment", "features"):
        if fields[name] is not None:
            fields[name] = msgspec.json.decode(fields[name])
    sold = fields["prices"]
    fields["prices"] = [one for one in sold if one["currency"] == fields["currency"]]
    fields["prices_elsewhere"] = [one for one in sold if one["currency"] != fields["currency"]]
    return msgspec.convert(fields, PlanVersion)


async def event_types_in_advance(conn: Connection) -> dict[UUID, tuple[str, ...]]:
    """Return the versions that bill usage in advance, and the types of events that they bill."""
    rows = await conn.fetch(EVENT_TYPES_IN_ADVANCE)
    return {row["plan_version_id"]: tuple(row["event_types"]) for row in rows}
