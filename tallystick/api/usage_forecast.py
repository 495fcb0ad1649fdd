"""What the running period is expected to come to."""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec
from litestar import get

from tallystick.accounts.model import Account, Principal
from tallystick.alerts.outlook import MeterOutlook, SpendRange, outlook
from tallystick.alerts.running import running_of
from tallystick.api.answers import plain
from tallystick.api.services import Services
from tallystick.kernel.db import account_scope

METHOD: Final = (
    "Each day that is left is expected to be like the mean of the same weekday in the last four "
    "weeks (basis weekdays), or like the mean of all whole days so far (days), added to what is "
    "used. The range holds about 80 of 100 outcomes when days differ by chance. With less than two "
    "whole days the rate so far goes on (run_rate), from nothing more to twice that. Highest "
    "values, averages, seats and the like stay as they are (level). Growth, holidays and one-off "
    "events are not foreseen; spend is before tax and rests on the prices of the plan."
)


class MeterForecast(msgspec.Struct, frozen=True, kw_only=True):
    """One meter at the period's end; quantities are decimal strings.

    `basis` says what it rests on: `weekdays`, `days`, `run_rate`, `level`, or `none`: nothing was
    used yet. `days` is how many whole days those are.
    """

    code: str
    name: str
    unit: str
    quantity: str
    limit: str | None
    low: str
    expected: str
    high: str
    basis: str
    days: int


class SpendForecast(msgspec.Struct, frozen=True, kw_only=True):
    """The subtotal before tax of the period's invoice: as it stands, and at the period's end."""

    so_far: Decimal
    so_far_cents: int
    low: Decimal
    low_cents: int
    expected: Decimal
    expected_cents: int
    high: Decimal
    high_cents: int


class ForecastAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The running period (half-open, UTC), its meters, and the cost; `spend` null without a plan.

    `method` says in words how the numbers come about, and what they do not foresee.
    """

    period_start: datetime
    period_end: datetime
    plan: str | None
    currency: str
    meters: list[MeterForecast]
    spend: SpendForecast | None
    method: str


@get(
    "/usage/forecast",
    opt={"permission": "billing:read"},
    tags=["Usage"],
    summary="Usage and cost at the end of the running period",
)
async def read_forecast(
    services: Services, account: Account, principal: Principal
) -> ForecastAnswer:
    """Return what is expected, with a range; without a plan, for the calendar month."""
    now = principal.now(services.clock())
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        running = await running_of(conn, account.account_id, now)
        found = await outlook(conn, running, now)
    plan = running.plan
    return ForecastAnswer(
        period_start=running.period.start,
        period_end=running.period.end,
        plan=plan.plan_code if plan else None,
        currency=(plan.currency if plan else account.currency).lower(),
        meters=[_meter(one) for one in found.meters],
        spend=_spend(found.spend) if found.spend else None,
        method=METHOD,
    )


def _meter(one: MeterOutlook) -> MeterForecast:
    return MeterForecast(
        code=one.meter.code,
        name=one.meter.name,
        unit=one.meter.unit,
        quantity=plain(one.used),
        limit=None if one.limit is None else plain(one.limit),
        low=plain(one.forecast.low),
        expected=plain(one.forecast.expected),
        high=plain(one.forecast.high),
        basis=one.forecast.basis,
        days=one.forecast.day_count,
    )


def _spend(spend: SpendRange) -> SpendForecast:
    return SpendForecast(
        so_far=spend.so_far.to_decimal(),
        so_far_cents=spend.so_far.minor,
        low=spend.low.to_decimal(),
        low_cents=spend.low.minor,
        expected=spend.expected.to_decimal(),
        expected_cents=spend.expected.minor,
        high=spend.high.to_decimal(),
        high_cents=spend.high.minor,
    )


ACCOUNT_ROUTES: Final = (read_forecast,)
