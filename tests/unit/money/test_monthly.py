"""Amounts of all intervals as months."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.money.monthly import per_month


@pytest.mark.parametrize(
    ("minor", "interval", "count", "month"),
    [
        (4900, "month", 1, Fraction(4900)),
        (12000, "year", 1, Fraction(1000)),
        (9000, "month", 3, Fraction(3000)),
        (1200, "day", 365, Fraction(100)),
        (8400, "week", 1, Fraction(36500)),
    ],
)
def test_an_amount_is_spread_over_its_months(
    minor: int, interval: str, count: int, month: Fraction
) -> None:
    assert per_month(minor, interval, count) == month


@given(st.integers(0, 10**12), st.integers(1, 36))
def test_a_year_is_twelve_months_and_a_week_seven_days(minor: int, count: int) -> None:
    assert per_month(minor, "year", count) * 12 == per_month(minor, "month", count)
    assert per_month(minor, "day", 7 * count) == per_month(minor, "week", count)
