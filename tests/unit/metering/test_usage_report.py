from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tallystick.catalog.model import Meter, PlanVersion
from tallystick.metering.usage_report import MeterUsage, UsageReport, usage_report
from tallystick.money.amount import Money
from tallystick.pricing.model import Price

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
METERS = {
    code: Meter(
        meter_id=UUID(int=at), code=code, name=code, unit="unit", event_type=code,
        aggregation="count", property=None, created_at=START,
    )
    for at, code in enumerate(("calls", "tokens", "seats"))
}  # fmt: skip


def price(meter: str, **figures: Any) -> dict[str, Any]:
    return {"code": meter, "meter": meter, "currency": "USD", "model": "per_unit", **figures}


def report(
    prices: list[dict[str, Any]], limits: Mapping[str, str], totals: Mapping[str, str]
) -> UsageReport:
    version = PlanVersion(
        plan_version_id=UUID(int=1), plan_id=UUID(int=2), plan_code="pro", plan_name="Pro",
        version=1, currency="USD", interval="month", interval_count=1,
        prices=msgspec.convert(prices, tuple[Price, ...]), created_at=START,
        limits={code: Decimal(limit) for code, limit in limits.items()},
    )  # fmt: skip
    used = {code: Decimal(total) for code, total in totals.items()}
    return usage_report(version, METERS, used, start=START, end=END)


def only(*args: Any) -> MeterUsage:
    (usage,) = report(*args).meters
    return usage


def test_usage_over_the_included_units_is_overage_and_costs() -> None:
    usage = only([price("calls", unit="0.02", included="1000")], {}, {"calls": "1200.5"})
    assert (usage.limit, usage.percent) == (Decimal(1000), Decimal("120.05"))
    assert (usage.overage, usage.overage_cost) == (Decimal("200.5"), Money(401, "USD"))


def test_usage_within_the_included_units_costs_nothing() -> None:
    for used in ("0", "400", "1000"):
        usage = only([price("calls", unit="0.02", included="1000")], {}, {"calls": used})
        assert (usage.overage, usage.overage_cost) == (Decimal(0), Money(0, "USD"))


def test_the_plans_limit_goes_before_the_included_units() -> None:
    prices = [price("calls", unit="1", included="100")]
    usage = only(prices, {"calls": "50"}, {"calls": "75"})
    assert (usage.limit, usage.percent, usage.overage) == (Decimal(50), Decimal(150), Decimal(25))


def test_without_a_limit_there_is_no_percent_and_no_overage() -> None:
    usage = only([price("calls", unit="0.5")], {}, {"calls": "3"})
    assert (usage.limit, usage.percent, usage.overage) == (None, None, Decimal(0))
    assert usage.overage_cost == Money(150, "USD")


def test_a_limit_without_a_price_costs_nothing() -> None:
    usage = only([], {"seats": "3"}, {"seats": "4"})
    assert (usage.overage, usage.overage_cost) == (Decimal(1), Money(0, "USD"))


@pytest.mark.parametrize(("used", "percent"), [("0", "0"), ("1", "100")])
def test_a_limit_of_zero_is_full_as_soon_as_there_is_use(used: str, percent: str) -> None:
    assert only([], {"seats": "0"}, {"seats": used}).percent == Decimal(percent)


def test_a_percent_is_rounded_half_away_from_zero() -> None:
    assert only([], {"seats": "3"}, {"seats": "2"}).percent == Decimal("66.67")
    assert only([], {"seats": "20000"}, {"seats": "1"}).percent == Decimal("0.01")
    assert only([], {"seats": "20001"}, {"seats": "1"}).percent == Decimal(0)


def test_each_meters_cost_is_rounded_before_the_total() -> None:
    # 0.5 and 0.5 cents are two lines of 1 cent each, as on the invoice, and not 1 cent together.
    prices = [price("calls", unit="0.005"), price("tokens", unit="0.005")]
    told = report(prices, {}, {"calls": "1", "tokens": "1"})
    assert [usage.overage_cost.minor for usage in told.meters] == [1, 1]
    assert told.total_overage_cost == Money(2, "USD")


def test_meters_show_in_the_order_of_prices_and_then_of_limits_unused_ones_too() -> None:
    told = report([price("tokens", unit="1")], {"calls": "1", "tokens": "2"}, {})
    assert [usage.meter.code for usage in told.meters] == ["tokens", "calls"]
    assert [usage.quantity for usage in told.meters] == [0, 0]
    assert (told.start, told.end) == (START, END)


def test_a_flat_price_shows_no_meter() -> None:
    flat = {"code": "base", "currency": "USD", "model": "flat", "amount": "49"}
    told = report([flat], {}, {})
    assert (told.meters, told.total_overage_cost) == ((), Money(0, "USD"))
