"""Which thresholds are reached: exactly at the threshold, never by a rounded percentage."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.alerts.crossing import crossings, reaches, watched_of
from tallystick.alerts.model import AlertRule, Budget, Credits, Measured
from tallystick.metering.forecast import Forecast
from tallystick.subscriptions.periods import Period

START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)


def rule(*thresholds: str, **fields: Any) -> AlertRule:
    made: dict[str, Any] = {
        "account_id": UUID(int=1), "alert_rule_id": UUID(int=2), "name": "r", "watch": "meter",
        "meter_code": "calls", "unit": "percent", "is_active": True, "created_at": START,
    }  # fmt: skip
    return AlertRule(**{**made, **fields}, thresholds=tuple(map(Decimal, thresholds)))


def budget(**fields: Any) -> Budget:
    made: dict[str, Any] = {
        "account_id": UUID(int=1), "budget_id": UUID(int=3), "name": "b", "watch": "spend",
        "meter_code": None, "amount": Decimal(10_000), "actual_percents": (Decimal(80),),
        "forecast_percents": (Decimal(100),), "is_active": True, "created_at": START,
    }  # fmt: skip
    return Budget(**{**made, **fields})


def measured(**fields: Any) -> Measured:
    made: dict[str, Any] = {
        "period": Period(START, END), "quantities": {"calls": Decimal(80)},
        "limits": {"calls": Decimal(100)}, "spend": 8000, "currency": "USD",
    }  # fmt: skip
    return Measured(**{**made, **fields})


def reached(*sources: AlertRule | Budget, **fields: Any) -> list[tuple[str, Decimal]]:
    watched = watched_of(
        [one for one in sources if isinstance(one, AlertRule)],
        [one for one in sources if isinstance(one, Budget)],
    )
    found = crossings(watched, measured(**fields))
    return [(one.watched.basis, one.watched.threshold) for one in found]


@pytest.mark.parametrize(
    ("used", "limit", "percent", "is_reached"),
    [
        ("80", "100", "80", True),
        ("79.999999999999", "100", "80", False),
        ("1", "3", "33.33", True),
        ("1", "3", "33.34", False),
        ("0", "0", "1", False),
        ("0.000000000001", "0", "100", True),
        ("5", "0", "100.01", False),
    ],
)
def test_a_percent_is_reached_exactly(
    used: str, limit: str, percent: str, *, is_reached: bool
) -> None:
    assert reaches(Decimal(used), Decimal(limit), Decimal(percent)) is is_reached


def test_thresholds_up_to_what_is_used_are_reached() -> None:
    assert reached(rule("50", "80", "80.01")) == [("actual", Decimal(50)), ("actual", Decimal(80))]
    assert reached(rule("80", "81", unit="quantity")) == [("actual", Decimal(80))]


def test_without_a_limit_no_percent_is_reached() -> None:
    assert reached(rule("1"), limits={"calls": None}) == []
    assert reached(rule("1"), limits={}) == []


def test_spend_and_its_budget_are_reached_by_minor_units() -> None:
    spend = rule("7999", "8001", watch="spend", meter_code=None, unit="cents")
    assert reached(spend, budget()) == [("actual", Decimal(7999)), ("actual", Decimal(80))]
    assert reached(spend, budget(), spend=None) == []


def test_a_forecast_counts_by_what_is_expected() -> None:
    assert reached(budget(actual_percents=()), spend_forecast=9999) == []
    assert reached(budget(actual_percents=()), spend_forecast=10_000) == [
        ("forecast", Decimal(100))
    ]
    number = Decimal(10)
    expected = Forecast(low=number, expected=number, high=number, basis="days", day_count=2)
    of_meter = budget(watch="meter", meter_code="calls", amount=number, actual_percents=())
    assert reached(of_meter, quantity_forecasts={"calls": expected}) == [("forecast", Decimal(100))]
    assert reached(of_meter) == []


def test_credits_left_are_told_of_from_above() -> None:
    left = rule("10", "20", watch="credits", meter_code=None, unit="credits_left")
    used = rule("50", "51", watch="credits", meter_code=None)
    own = Credits(used=Decimal(50), included=Decimal(100), left=Decimal(10))
    assert reached(left, used, credits=own) == [
        ("actual", Decimal(10)),
        ("actual", Decimal(20)),
        ("actual", Decimal(50)),
    ]
    assert reached(left, used) == []


def test_what_is_not_active_or_was_made_later_says_nothing() -> None:
    assert reached(rule("1", is_active=False), budget(is_active=False)) == []
    assert reached(rule("1", created_at=END), budget(created_at=END)) == []


AMOUNTS = st.decimals(0, 10**9, places=6)


@given(AMOUNTS, AMOUNTS, st.decimals("0.01", 10_000, places=2), AMOUNTS)
def test_more_use_never_unreaches_a_threshold(
    used: Decimal, limit: Decimal, percent: Decimal, more: Decimal
) -> None:
    if reaches(used, limit, percent):
        assert reaches(used + more, limit, percent)
