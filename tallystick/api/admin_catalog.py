"""For staff: meters, and plans in versions."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import get, post
from msgspec import Meta
from msgspec.structs import replace

from tallystick.api import fields
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.api.subscriptions import PlanAnswer, plan_answer
from tallystick.catalog import service as catalog
from tallystick.catalog.checks import PRICES_MAX, read_prices
from tallystick.catalog.limits import LIMITS_MAX, read_limits
from tallystick.catalog.model import (
    Aggregation,
    Interval,
    Meter,
    NewMeter,
    NewPlanVersion,
    PlanCredits,
)
from tallystick.kernel import ids
from tallystick.kernel.db import WRITER, account_scope
from tallystick.kernel.errors import BadInput
from tallystick.kernel.ids import HOUSE
from tallystick.metering import service as metering

BASE: Final = "/api/v1/admin"
TAGS: Final = ["Admin: catalogue"]
METER_NAME: Final = {"pattern": "^[a-z][a-z0-9_]{0,62}$"}
QUANTITY: Final = {
    "type": "string",
    "pattern": r"^[0-9]{1,18}(\.[0-9]{1,12})?$",
    "description": "A soft limit per billing period, as a decimal string.",
}
LIMIT: Final = {
    "type": "object",
    "properties": {
        "limit": QUANTITY | {"description": "A decimal string."},
        "per": {"enum": ["period", "day", "minute"], "default": "period"},
        "kind": {"enum": ["hard", "soft"], "default": "soft"},
    },
    "required": ["limit"],
    "additionalProperties": False,
}
LIMIT_LIST: Final = {
    "type": "array",
    "items": LIMIT,
    "minItems": 1,
    "maxItems": 3,
    "description": "One for each `per` at most.",
}


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


class MeterBody(Body, frozen=True, kw_only=True):
    """A meter to be made; `name` and `event_type` are the code where they are left out."""

    code: fields.MeterCode
    name: fields.Line | None = None
    unit: fields.Line = "unit"
    event_type: fields.EventType | None = None
    aggregation: Aggregation = "count"
    property: fields.Line | None = None


class NewPlan(Body, frozen=True, kw_only=True):
    """A version of a plan, sold from now on; existing subscriptions keep theirs.

    `prices` are as in the documentation of prices: decimals are strings in major units.
    """

    code: fields.Code
    name: fields.Line
    currency: fields.Currency
    interval: Interval
    interval_count: fields.IntervalCount = 1
    prices: Annotated[list[dict[str, Any]], Meta(extra_json_schema={"maxItems": PRICES_MAX})]
    limits: Annotated[
        dict[str, Any],
        Meta(
            extra_json_schema={
                "maxProperties": LIMITS_MAX,
                "propertyNames": METER_NAME,
                "additionalProperties": {"anyOf": [QUANTITY, LIMIT, LIMIT_LIST]},
            }
        ),
    ] = {}
    credits: PlanCredits | None = None


@get("/api/v1/meters", opt={"permission": "billing:read"}, tags=["Usage"], summary="Meters")
async def list_meters(services: Services) -> MeterList:
    """List what is counted."""
    async with services.db.transaction(account_scope(HOUSE)) as conn:
        meters = [meter_answer(meter) for meter in await catalog.list_meters(conn)]
    return MeterList(meters, len(meters))


@post(f"{BASE}/meters", opt={"permission": "staff:admin"}, tags=TAGS, summary="Make a meter")
async def create_meter(data: MeterBody, services: Services) -> MeterAnswer:
    """Count events of a type from now on, and those of that type that are stored already."""
    new = NewMeter(**msgspec.structs.asdict(data))
    async with services.db.transaction(WRITER) as conn:
        return meter_answer(await metering.create_meter(conn, new, services.clock()))


@post(f"{BASE}/plans", opt={"permission": "staff:admin"}, tags=TAGS, summary="Sell a plan")
async def create_plan(data: NewPlan, services: Services) -> PlanAnswer:
    """Make a plan, or a new version of it."""
    wanted = NewPlanVersion(
        plan_code=data.code,
        plan_name=data.name,
        currency=data.currency,
        interval=data.interval,
        interval_count=data.interval_count,
        prices=read_prices(data.prices),
        limits=read_limits(data.limits),
        credits=data.credits,
    )
    with _in_the_words_of_the_body():
        async with services.db.transaction(WRITER) as conn:
            return plan_answer(await catalog.create_plan_version(conn, wanted, services.clock()))


@contextmanager
def _in_the_words_of_the_body() -> Iterator[None]:
    """Let a refusal name `code` and `name`, as they were sent."""
    try:
        yield
    except BadInput as error:
        told = [replace(fault, field=fault.field.removeprefix("plan_")) for fault in error.errors]
        detail = "; ".join(f"{fault.field}: {fault.message}" for fault in told)
        raise BadInput(error.code, detail, errors=told) from error


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
