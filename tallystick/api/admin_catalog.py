"""For staff: plans in versions, sold from now on or drafted first."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

import msgspec
from litestar import get, post
from msgspec import Meta
from msgspec.structs import replace

from tallystick.api import fields
from tallystick.api.plans import PlanAnswer, plan_answer
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.catalog import service as catalog
from tallystick.catalog.checks import PRICES_MAX, read_prices
from tallystick.catalog.feature_checks import FEATURES_MAX
from tallystick.catalog.limits import LIMITS_MAX, read_limits
from tallystick.catalog.model import (
    Billing,
    FeatureValue,
    Interval,
    NewPlanVersion,
    PlanCredits,
    Proration,
)
from tallystick.catalog.plan_terms import read_amounts
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, WRITER
from tallystick.kernel.errors import BadInput
from tallystick.whatif.service import need_variance

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

    `prices` are as in the documentation of prices: decimals are strings in major units. One that
    names no currency has the plan's. They may be of several currencies, each with the same codes;
    an account pays those in its own.
    `billing` is when flat prices are billed that do not say it. `fixed_months`: a month of the
    interval is 30 days. `usage_interval`: usage is billed that often within the period.
    `minimum_commitment`: what a period bills at least, by currency. A `draft` is not sold yet.
    """

    code: fields.Code
    name: fields.Line
    tier: fields.Code | None = None
    currency: fields.Currency
    interval: Interval
    interval_count: fields.IntervalCount = 1
    billing: Billing = "in_arrears"
    trial_days: fields.TrialDays = 0
    proration: Proration = "by_day"
    fixed_months: bool = False
    usage_interval: Interval | None = None
    minimum_commitment: fields.Amounts = {}
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
    features: Annotated[
        dict[str, FeatureValue],
        Meta(
            extra_json_schema={
                "maxProperties": FEATURES_MAX,
                "propertyNames": METER_NAME,
                "description": "By code: true or false, a text, a decimal string, null: no limit.",
            }
        ),
    ] = {}
    draft: bool = False


class Activation(Body, frozen=True, kw_only=True):
    """What must hold before the draft is sold.

    By the what-if `what_if` of this draft, what is billed changes by so many percent at most, in
    each currency.
    """

    what_if: fields.WhatIfId
    variance_max_percent: fields.Quantity


class PlanVersionList(msgspec.Struct, frozen=True):
    """All versions of a plan, newest first."""

    versions: list[PlanAnswer]
    total: int


@post(f"{BASE}/plans", opt={"permission": "staff:admin"}, tags=TAGS, summary="Sell a plan")
async def create_plan(data: NewPlan, services: Services) -> PlanAnswer:
    """Make a plan, or a new version of it."""
    wanted = new_version(data)
    with _in_the_words_of_the_body():
        async with services.db.transaction(WRITER) as conn:
            made = await catalog.create_plan_version(
                conn, wanted, services.clock(), draft=data.draft
            )
    return plan_answer(made)


@get(
    f"{BASE}/plans/{{plan_code:str}}/versions",
    opt={"permission": "staff:read"},
    tags=TAGS,
    summary="Versions of a plan",
)
async def list_versions(plan_code: str, services: Services) -> PlanVersionList:
    """List all versions of a plan: the one that is sold, drafts, and those of the past."""
    async with services.db.transaction(STAFF) as conn:
        found = await catalog.list_plan_versions(conn, plan_code)
    return PlanVersionList([plan_answer(version) for version in found], len(found))


@post(
    f"{BASE}/plan-versions/{{plan_version_id:str}}/activate",
    opt={"permission": "staff:admin"},
    tags=TAGS,
    status_code=200,
    summary="Sell a draft",
)
async def activate_version(
    plan_version_id: str, services: Services, data: Activation | None = None
) -> PlanAnswer:
    """Sell a draft from now on, in place of the version that was sold."""
    wanted = ids.parse("plan_version", plan_version_id)
    async with services.db.transaction(WRITER) as conn:
        if data is not None:
            percent_max = fields.decimal("variance_max_percent", data.variance_max_percent)
            what_if_id = ids.parse("what_if", data.what_if)
            await need_variance(conn, wanted, what_if_id, percent_max)
        return plan_answer(await catalog.activate_plan_version(conn, wanted, services.clock()))


@post(
    f"{BASE}/plan-versions/{{plan_version_id:str}}/retire",
    opt={"permission": "staff:admin"},
    tags=TAGS,
    status_code=200,
    summary="Sell a version no more",
)
async def retire_version(plan_version_id: str, services: Services) -> PlanAnswer:
    """Take a version off the list, or give a draft up; subscriptions keep it."""
    wanted = ids.parse("plan_version", plan_version_id)
    async with services.db.transaction(WRITER) as conn:
        return plan_answer(await catalog.retire_plan_version(conn, wanted, services.clock()))


def new_version(data: NewPlan) -> NewPlanVersion:
    """Read the parts that are texts in JSON; raises BadInput naming the fields."""
    return NewPlanVersion(
        plan_code=data.code,
        plan_name=data.name,
        tier=data.tier,
        currency=data.currency,
        interval=data.interval,
        interval_count=data.interval_count,
        billing=data.billing,
        trial_days=data.trial_days,
        proration=data.proration,
        fixed_months=data.fixed_months,
        usage_interval=data.usage_interval,
        minimum_commitment=read_amounts("minimum_commitment", data.minimum_commitment),
        prices=read_prices(data.prices, currency=data.currency, billing=data.billing),
        limits=read_limits(data.limits),
        credits=data.credits,
        features=data.features,
    )


@contextmanager
def _in_the_words_of_the_body() -> Iterator[None]:
    """Let a refusal name `code` and `name`, as they were sent."""
    try:
        yield
    except BadInput as error:
        told = [replace(fault, field=fault.field.removeprefix("plan_")) for fault in error.errors]
        detail = "; ".join(f"{fault.field}: {fault.message}" for fault in told)
        raise BadInput(error.code, detail, errors=told) from error


ROUTES: Final = (create_plan, list_versions, activate_version, retire_version)
