"""For staff: meters, and plans in versions."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
from litestar import get, post

from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.api.subscriptions import PlanAnswer, plan_answer
from tallystick.catalog import service as catalog
from tallystick.catalog.checks import read_limits, read_prices
from tallystick.catalog.model import Interval, Meter, NewMeter, NewPlanVersion
from tallystick.kernel import ids
from tallystick.kernel.db import WRITER, account_scope
from tallystick.kernel.ids import HOUSE
from tallystick.metering import service as metering

BASE: Final = "/api/v1/admin"
TAGS: Final = ["Admin: catalogue"]


class MeterAnswer(msgspec.Struct, frozen=True):
    """What is counted."""

    id: str
    code: str
    name: str
    unit: str
    event_type: str
    aggregation: str
    property: str | None
    created: datetime


class MeterList(msgspec.Struct, frozen=True):
    """All meters, by code."""

    meters: list[MeterAnswer]
    total: int


class NewPlan(Body, frozen=True, kw_only=True):
    """A version of a plan, sold from now on; existing subscriptions keep theirs.

    `prices` are as in the documentation of prices: decimals are strings in major units.
    """

    code: str
    name: str
    currency: str
    interval: Interval
    interval_count: int = 1
    prices: list[dict[str, Any]]
    limits: dict[str, str] = {}


@get("/api/v1/meters", opt={"permission": "billing:read"}, tags=["Usage"], summary="Meters")
async def list_meters(services: Services) -> MeterList:
    """List what is counted."""
    async with services.db.transaction(account_scope(HOUSE)) as conn:
        meters = [meter_answer(meter) for meter in await catalog.list_meters(conn)]
    return MeterList(meters, len(meters))


@post(f"{BASE}/meters", opt={"permission": "staff:admin"}, tags=TAGS, summary="Make a meter")
async def create_meter(data: NewMeter, services: Services) -> MeterAnswer:
    """Count events of a type from now on, and those of that type that are stored already."""
    async with services.db.transaction(WRITER) as conn:
        return meter_answer(await metering.create_meter(conn, data, services.clock()))


@post(f"{BASE}/plans", opt={"permission": "staff:admin"}, tags=TAGS, summary="Sell a plan")
async def create_plan(data: NewPlan, services: Services) -> PlanAnswer:
    """Make a plan, or a new version of it."""
    limits: dict[str, Decimal] = read_limits(data.limits)
    wanted = NewPlanVersion(
        plan_code=data.code,
        plan_name=data.name,
        currency=data.currency,
        interval=data.interval,
        interval_count=data.interval_count,
        prices=read_prices(data.prices),
        limits=limits,
    )
    async with services.db.transaction(WRITER) as conn:
        return plan_answer(await catalog.create_plan_version(conn, wanted, services.clock()))


def meter_answer(meter: Meter) -> MeterAnswer:
    """Show a meter."""
    return MeterAnswer(
        ids.show("meter", meter.meter_id),
        meter.code,
        meter.name,
        meter.unit,
        meter.event_type,
        meter.aggregation,
        meter.property,
        meter.created_at,
    )


ROUTES: Final = (list_meters, create_meter, create_plan)
