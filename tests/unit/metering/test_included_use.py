from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from tallystick.catalog.model import Meter, PlanVersion
from tallystick.metering.included_use import IncludedUse, included_use
from tallystick.metering.usage_report import usage_report
from tallystick.money.amount import Money
from tallystick.pricing.model import Price

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


def meter(code: str, aggregation: str = "count") -> Meter:
    return Meter(
        meter_id=UUID(int=len(code)), code=code, name=code, unit="unit", event_type=code,
        aggregation=aggregation, property=None, created_at=START,
    )  # fmt: skip


METERS = {
    "inference": meter("inference"),
    "tts": meter("tts"),
    "peak": meter("peak", "max"),
}


def price(code: str, **figures: Any) -> dict[str, Any]:
    return {"code": code, "meter": code, "currency": "USD", "model": "per_unit", **figures}


def use(prices: list[dict[str, Any]], totals: Mapping[str, str]) -> IncludedUse:
    version = PlanVersion(
        plan_version_id=UUID(int=1), plan_id=UUID(int=2), plan_code="professional",
        plan_name="Professional", version=1, currency="USD", interval="month", interval_count=1,
        prices=msgspec.convert(prices, tuple[Price, ...]), created_at=START, limits={},
    )  # fmt: skip
    used = {code: Decimal(total) for code, total in totals.items()}
    return included_use(version, usage_report(version, METERS, used, start=START, end=END))


def figures(found: IncludedUse) -> list[str]:
    return [str(n) for n in (found.included, found.used, found.remaining, found.overage)]


def test_the_seeds_example_comes_out_to_the_cent() -> None:
    prices = [price("inference", unit="0.002", included="500")]
    found = use(prices, {"inference": "585"})
    assert figures(found) == ["500", "585", "0", "85"]
    assert (found.overage_cost, found.price_per_1k) == (Money(17, "USD"), Decimal(2))


def test_what_one_meter_leaves_does_not_cover_another() -> None:
    prices = [price(code, unit="0.002", included="100") for code in ("inference", "tts")]
    found = use(prices, {"inference": "150", "tts": "30"})
    assert figures(found) == ["200", "180", "70", "50"]
    assert found.price_per_1k == Decimal(2)


def test_meters_that_ask_different_prices_have_none_in_common() -> None:
    prices = [price("inference", unit="0.002"), price("tts", unit="0.003")]
    assert use(prices, {}).price_per_1k is None


def test_the_price_is_that_of_the_tier_that_comes_next() -> None:
    tiers = [{"up_to": "1000", "unit": "0.01"}, {"up_to": None, "unit": "0.005"}]
    graduated = [price("inference", model="graduated", tiers=tiers)]
    assert use(graduated, {}).price_per_1k == 10
    assert use(graduated, {"inference": "500"}).price_per_1k == Decimal("7.5")
    assert use(graduated, {"inference": "1000"}).price_per_1k == 5


def test_a_highest_value_is_not_added_to_counts() -> None:
    prices = [price("inference", unit="0.002"), price("peak", unit="1")]
    found = use(prices, {"inference": "5", "peak": "900"})
    assert (found.used, found.price_per_1k) == (Decimal(5), Decimal(2))


def test_a_plan_without_metered_prices_includes_nothing() -> None:
    fee = {"code": "fee", "currency": "USD", "model": "flat", "amount": "49"}
    assert use([fee], {}) == IncludedUse(
        included=Decimal(0), used=Decimal(0), remaining=Decimal(0), overage=Decimal(0),
        overage_cost=Money.zero("USD"), price_per_1k=None,
    )  # fmt: skip
