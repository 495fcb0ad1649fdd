"""The catalogue: what is counted and what is sold.

Writing needs the writer's scope; reading works under any.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from tallystick.catalog import store
from tallystick.catalog.checks import check_plan_version, mentioned_meters
from tallystick.catalog.currencies import as_version
from tallystick.catalog.faults import raise_any
from tallystick.catalog.features import features_by_codes
from tallystick.catalog.meter_checks import make_meter
from tallystick.catalog.model import (
    Meter,
    NewMeter,
    NewPlanVersion,
    PlanVersion,
    VersionStatus,
)
from tallystick.catalog.price_meters import price_meter_problems
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import new_id, unknown


async def create_meter(conn: Connection, new: NewMeter, now: datetime) -> Meter:
    """Write a meter and nothing else; callers use `metering.service.create_meter`.

    Raises BadInput naming every bad field, Conflict `meter_code_taken`.
    """
    meter = make_meter(new, new_id(), now)
    if not await store.insert_meter(conn, meter):
        raise Conflict("meter_code_taken", "Another meter has this code; use a new one.")
    return meter


async def list_meters(conn: Connection) -> tuple[Meter, ...]:
    """Return every meter, by code."""
    return await store.list_meters(conn)


async def get_meter(conn: Connection, code: str) -> Meter:
    """Return the meter with this code; raises NotFound `meter_not_found`."""
    found = await store.meters_by_codes(conn, [code])
    if not found:
        raise unknown("meter")
    return found[0]


async def meters_by_codes(conn: Connection, codes: Collection[str]) -> dict[str, Meter]:
    """Return the meters by code; unknown codes are absent."""
    return {meter.code: meter for meter in await store.meters_by_codes(conn, sorted(codes))}


async def meters_of_events(
    conn: Connection, event_types: Collection[str], codes: Collection[str]
) -> tuple[Meter, ...]:
    """Return every meter that counts events of these types, or of the types of these meters."""
    return await store.meters_of_events(conn, sorted(event_types), sorted(codes))


async def create_plan_version(
    conn: Connection, new: NewPlanVersion, now: datetime, *, draft: bool = False
) -> PlanVersion:
    """Sell a plan anew from now on; existing subscriptions keep the version they have.

    The plan is made with its first version. A `draft` is not sold until it is activated. Raises
    BadInput naming every field that can not be taken.
    """
    checked = await check_version(conn, new)
    plan_id = await store.lock_plan_by_code(conn, new_id(), checked.plan_code, now)
    plan_version_id = new_id()
    if not draft:
        await store.retire_active(conn, plan_id, now)
    status: VersionStatus = "draft" if draft else "active"
    await store.insert_version(conn, (plan_version_id, plan_id), checked, status, now)
    return await get_plan_version(conn, plan_version_id)


async def off_list_version(conn: Connection, new: NewPlanVersion, now: datetime) -> PlanVersion:
    """Return the version of a plan with this name and these prices, made once and not on sale.

    It is retired from the start, so no list shows it and nobody else can take it. Raises BadInput
    naming every field that can not be taken.
    """
    checked = await check_version(conn, new)
    plan_id = await store.lock_plan_by_code(conn, new_id(), checked.plan_code, now)
    known = await store.version_like(conn, plan_id, checked)
    if known is not None:
        return known
    plan_version_id = new_id()
    await store.insert_version(conn, (plan_version_id, plan_id), checked, "draft", now)
    await store.retire(conn, plan_version_id, now)
    return await get_plan_version(conn, plan_version_id)


async def activate_plan_version(
    conn: Connection, plan_version_id: UUID, now: datetime
) -> PlanVersion:
    """Sell a draft from now on, in place of the version that was sold.

    Raises NotFound `plan_version_not_found`, Conflict `plan_version_not_draft`.
    """
    plan_id = await _lock_plan(conn, plan_version_id)
    draft = await get_plan_version(conn, plan_version_id)
    if draft.status != "draft":
        raise Conflict(
            "plan_version_not_draft",
            f"The version is {draft.status}; make a new version of the plan instead.",
        )
    await store.retire_active(conn, plan_id, now)
    await store.activate(conn, plan_version_id, now)
    return await get_plan_version(conn, plan_version_id)


async def retire_plan_version(
    conn: Connection, plan_version_id: UUID, now: datetime
) -> PlanVersion:
    """Sell a version no more, or give a draft up; who bought it keeps it.

    Raises NotFound `plan_version_not_found`, Conflict `plan_version_retired`.
    """
    await _lock_plan(conn, plan_version_id)
    if not await store.retire(conn, plan_version_id, now):
        raise Conflict("plan_version_retired", "The version is retired already.")
    return await get_plan_version(conn, plan_version_id)


async def check_version(conn: Connection, new: NewPlanVersion) -> NewPlanVersion:
    """Return what is asked for as it would be kept, and store nothing.

    Raises BadInput naming every field that can not be taken.
    """
    known = await meters_by_codes(conn, mentioned_meters(new))
    features = await features_by_codes(conn, new.features)
    checked = check_plan_version(new, known, features)
    raise_any(list(price_meter_problems(new.prices, known)))
    return checked


async def unstored_version(conn: Connection, new: NewPlanVersion, now: datetime) -> PlanVersion:
    """Return a version as a draft of it would be, and store nothing; its ids are zeros.

    Raises BadInput naming every field that can not be taken.
    """
    return as_version(await check_version(conn, new), now)


async def get_plan_version(conn: Connection, plan_version_id: UUID) -> PlanVersion:
    """Return a version, however old, with the prices of all its currencies.

    Raises NotFound `plan_version_not_found`.
    """
    version = await store.get_version(conn, plan_version_id)
    if version is None:
        raise unknown("plan_version")
    return version


async def current_plan_version(conn: Connection, plan_code: str) -> PlanVersion:
    """Return what a plan is sold as now; raises NotFound `plan_not_found`."""
    version = await store.active_version(conn, plan_code)
    if version is None:
        raise unknown("plan")
    return version


async def list_plans(conn: Connection) -> tuple[PlanVersion, ...]:
    """Return every plan that is sold, as it is sold now, by code."""
    return await store.active_versions(conn)


async def list_plan_versions(conn: Connection, plan_code: str) -> tuple[PlanVersion, ...]:
    """Return all versions of a plan, newest first; raises NotFound `plan_not_found`."""
    found = await store.versions_of_plan(conn, plan_code)
    if not found:
        raise unknown("plan")
    return found


async def versions_of_tier(conn: Connection, tier: str) -> tuple[PlanVersion, ...]:
    """Return all versions of any plan in this tier; raises NotFound `tier_not_found`."""
    found = await store.versions_of_tier(conn, tier)
    if not found:
        raise unknown("tier")
    return found


async def _lock_plan(conn: Connection, plan_version_id: UUID) -> UUID:
    plan_id = await store.lock_plan_of(conn, plan_version_id)
    if plan_id is None:
        raise unknown("plan_version")
    return plan_id


async def event_types_in_advance(conn: Connection) -> dict[UUID, tuple[str, ...]]:
    """Return the versions that bill usage as it comes, and the types of events that they bill."""
    return await store.event_types_in_advance(conn)
