"""Forecasts by hand: weekdays, short histories, the first hour, levels; and how often they hold."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tallystick.catalog.model import Meter, Rounding
from tallystick.metering.forecast import Day, Forecast, days_left, forecast

BERLIN, ZONE = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")
START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MONDAY = 0


def meter(**fields: Any) -> Meter:
    made = {
        "meter_id": UUID(int=1), "code": "m", "name": "M", "unit": "u", "event_type": "m",
        "aggregation": "sum", "property": "n", "created_at": START,
    }  # fmt: skip
    return Meter(**{**made, **fields})


def history(now: datetime, quantities: Sequence[int]) -> tuple[Day, ...]:
    """Whole days up to the midnight before `now`."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - len(quantities) * DAY
    return tuple(Day(first + at * DAY, Decimal(n)) for at, n in enumerate(quantities))


def expect(now: datetime, quantities: Sequence[int] = (), **fields: Any) -> Forecast:
    asked: dict[str, Any] = {
        "used": Decimal(0), "previous": None, "zone": ZONE, "days": history(now, quantities),
        "start": START, "end": END, "now": now,
    }  # fmt: skip
    one = fields.pop("meter", meter())
    return forecast(one, **{**asked, **fields})


def test_days_that_are_all_alike_go_on_and_leave_no_doubt() -> None:
    found = expect(datetime(2026, 3, 29, tzinfo=UTC), [10] * 28, used=Decimal(280))
    assert found == Forecast(
        low=Decimal(310), expected=Decimal(310), high=Decimal(310), basis="weekdays", day_count=28
    )


def test_each_weekday_is_like_its_own_kind() -> None:
    # 29 March 2026 is a Sunday: Sunday, Monday and Tuesday are left.
    now = datetime(2026, 3, 29, tzinfo=UTC)
    first = now - 28 * DAY
    week = [100 if (first + at * DAY).weekday() == MONDAY else 7 for at in range(28)]
    found = expect(now, week, used=Decimal(sum(week)))
    assert found.expected == sum(week) + 7 + 100 + 7
    assert found.low == found.expected == found.high


def test_the_rest_of_today_counts_in_part() -> None:
    now = datetime(2026, 3, 31, 18, tzinfo=UTC)
    assert expect(now, [8] * 28, used=Decimal(1000)).expected == 1002


def test_a_day_on_which_clocks_change_is_one_day() -> None:
    # 29 March 2026 has 23 hours in Berlin.
    now, end = datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 30, 22, tzinfo=UTC)
    assert [part.share for part in days_left(now, end, BERLIN)] == [1, 1]


def test_the_range_is_as_the_formula_says() -> None:
    # Two days: 4 and 8. s2 = 8; half a day is left: 1.28 x sqrt(8 x (0.5 + 0.25 / 2)) = 2.862...
    now = datetime(2026, 3, 31, 12, tzinfo=UTC)
    found = expect(now, [4, 8], used=Decimal(12))
    assert (found.expected, found.basis, found.day_count) == (Decimal(15), "days", 2)
    assert (found.low, found.high) == (Decimal("12.137833"), Decimal("17.862167"))


def test_the_first_hour_of_a_period_rests_on_the_days_before_it() -> None:
    found = expect(START + timedelta(hours=1), [10] * 28, used=Decimal(3))
    assert found.basis == "weekdays"
    assert found.expected == Decimal("312.583333")  # 3 + 30 days and 23 hours


def test_a_first_hour_without_any_history_counts_as_a_day() -> None:
    found = expect(START + timedelta(hours=1), used=Decimal(24))
    assert (found.basis, found.low) == ("run_rate", Decimal(24))
    assert found.expected == 24 + 30 * 24 + 23
    assert found.high == 24 + 2 * (30 * 24 + 23)


def test_nothing_used_yet_is_said_so() -> None:
    found = expect(START + timedelta(hours=1))
    zero = Decimal(0)
    assert found == Forecast(low=zero, expected=zero, high=zero, basis="none", day_count=0)


def test_what_is_used_is_never_taken_back() -> None:
    found = expect(datetime(2026, 3, 30, tzinfo=UTC), [0, 100, 0, 100], used=Decimal(200))
    assert found.low == 200
    assert found.low <= found.expected <= found.high


def test_counts_are_whole_and_the_rounding_of_the_meter_holds() -> None:
    now = datetime(2026, 3, 30, 6, tzinfo=UTC)
    counted = expect(now, [1, 2], used=Decimal(3), meter=meter(aggregation="count"))
    assert counted.expected == counted.expected.to_integral_value()
    up = meter(rounding=Rounding(mode="ceil", precision=-2))
    assert expect(now, [1, 2], used=Decimal(100), meter=up).expected == 200


@pytest.mark.parametrize(
    ("aggregation", "recurring", "wanted"),
    [
        ("max", False, ("5", "9", "9")),
        ("unique_count", False, ("5", "9", "9")),
        ("average", False, ("5", "5", "9")),
        ("latest", False, ("5", "5", "9")),
        ("sum", True, ("5", "5", "9")),
    ],
)
def test_levels_stay_and_the_last_period_says_how_far_they_went(
    aggregation: str, *, recurring: bool, wanted: tuple[str, str, str]
) -> None:
    one = meter(aggregation=aggregation, recurring=recurring)
    found = expect(START + DAY, used=Decimal(5), previous=Decimal(9), meter=one)
    assert (found.low, found.expected, found.high) == tuple(map(Decimal, wanted))
    assert found.basis == "level"


def test_the_range_holds_about_eighty_of_a_hundred_outcomes() -> None:
    random = Random(9)  # noqa: S311 - the same outcomes in every run
    now = datetime(2026, 3, 11, tzinfo=UTC)
    held = 0
    for _ in range(400):
        means = [random.randint(50, 500) for _ in range(7)]
        days = [round(random.gauss(means[at % 7], 30)) for at in range(28 + 21)]
        used = Decimal(sum(days[18:28]))
        found = expect(now, days[:28], used=used)
        held += found.low <= used + sum(days[28:]) <= found.high
    assert 0.72 <= held / 400 <= 0.88
