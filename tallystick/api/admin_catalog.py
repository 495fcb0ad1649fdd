"""For staff: plans in versions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

from litestar import post
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
    Interval,
    NewPlanVersion,
    PlanCredits,
)
from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import BadInput

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


ROUTES: Final = (create_plan,)
