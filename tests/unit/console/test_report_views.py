"""Bars are as high as their amounts, whatever the sums are."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tallystick.console.report_views import bar_height
from tallystick.money.amount import Money


@given(st.integers(-(10**15), 10**15), st.integers(-(10**15), 10**15))
def test_a_bar_stays_in_the_picture(amount: int, top: int) -> None:
    height = bar_height(Money(min(amount, top), "EUR"), Money(top, "EUR"))
    assert 0 <= height <= 100


def test_half_the_amount_is_half_as_high() -> None:
    assert bar_height(Money(50, "EUR"), Money(100, "EUR")) == Decimal("50.0")
