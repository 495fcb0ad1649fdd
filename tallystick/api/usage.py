"""Usage out: the running period against the plan's limits, with overages and what they cost."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
from litestar import get

from tallystick.accounts.model import Account, Principal
from tallystick.api.answers import plain
from tallystick.api.services import Services
from tallystick.kernel.db import account_scope
from tallystick.metering.usage_report import MeterUsage
from tallystick.money.amount import Money
from tallystick.subscriptions.current_usage import CurrentUsage, current_usage


class MeterUsageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One meter: quantities are decimal strings; `percent` of the limit, None without one.

    The cost is of the whole period so far: of a price billed in advance, what was invoiced already
    and what the coming invoice adds.
    """

    code: str
    name: str
    unit: str
    quantity: str
    limit: str | None
    percent: Decimal | None
    overage: str
    overage_cost: Decimal
    overage_cost_cents: int


class UsageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The running period (half-open, UTC).

    `current_period` holds `start`, `end`, `plan` and each meter's quantity by its code; `limits`
    the limits by code; `overages` a quantity and its cost by code, and `total_overage_cost`.
    """

    current_period: dict[str, Any]
    limits: dict[str, str | None]
    overages: dict[str, Any]
    meters: list[MeterUsageAnswer]
    currency: str


@get(
    "/usage/current",
    opt={"permission": "billing:read"},
    tags=["Usage"],
    summary="Usage of the running period",
)
async def read_current_usage(
    services: Services, account: Account, principal: Principal
) -> UsageAnswer:
    """Return what is used so far, exact to the last event; empty without a subscription."""
    now = principal.now(services.clock())
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await current_usage(conn, account.account_id, now)
    return usage_answer(found) if found else _nothing(account, now)


def usage_answer(found: CurrentUsage) -> UsageAnswer:
    """Show a report in the ApexMediation seed's shape."""
    report = found.report
    total = report.total_overage_cost
    return UsageAnswer(
        current_period={
            "start": report.start,
            "end": report.end,
            "plan": found.plan.plan_code,
            **{row.meter.code: plain(row.quantity) for row in report.meters},
        },
        limits={row.meter.code: _optional(row.limit) for row in report.meters},
        overages={
            **{row.meter.code: _overage(row) for row in report.meters},
            **_amounts("total_overage_cost", total),
        },
        meters=[_meter(row) for row in report.meters],
        currency=found.plan.currency.lower(),
    )


def _meter(row: MeterUsage) -> MeterUsageAnswer:
    return MeterUsageAnswer(
        code=row.meter.code,
        name=row.meter.name,
        unit=row.meter.unit,
        quantity=plain(row.quantity),
        limit=_optional(row.limit),
        percent=row.percent,
        overage=plain(row.overage),
        overage_cost=row.overage_cost.to_decimal(),
        overage_cost_cents=row.overage_cost.minor,
    )


def _overage(row: MeterUsage) -> dict[str, Any]:
    return {"quantity": plain(row.overage), **_amounts("cost", row.overage_cost)}


def _amounts(name: str, amount: Money) -> dict[str, Any]:
    return {name: amount.to_decimal(), f"{name}_cents": amount.minor}


def _optional(quantity: Decimal | None) -> str | None:
    return None if quantity is None else plain(quantity)


def _nothing(account: Account, now: datetime) -> UsageAnswer:
    return UsageAnswer(
        current_period={"start": now, "end": now, "plan": None},
        limits={},
        overages=_amounts("total_overage_cost", Money.zero(account.currency)),
        meters=[],
        currency=account.currency.lower(),
    )


ACCOUNT_ROUTES: Final = (read_current_usage,)
