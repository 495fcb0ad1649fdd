"""Coupons over any lines: parts sum to the whole, and no line goes below zero."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.catalog.discounts import (
    Discount,
    DiscountableLine,
    after_invoice,
    discounts,
    redeem,
)
from tallystick.catalog.offer_model import Coupon, Redemption
from tallystick.money.amount import Money

AT = datetime(2026, 1, 1, tzinfo=UTC)


def coupon(**terms: Any) -> Coupon:
    fixed = {
        "code": "C", "name": "C", "coupon_id": UUID(int=1), "version": 1, "status": "active",
        "activated_at": AT, "retired_at": None, "created_at": AT,
    }  # fmt: skip
    return Coupon(**{**fixed, **terms})


def has(number: int = 1, **terms: Any) -> Redemption:
    at = AT + timedelta(days=number)
    return redeem(coupon(**terms), UUID(int=9), UUID(int=number), "USD", at)


def lines(*minors: int, **scope: Any) -> list[DiscountableLine]:
    return [DiscountableLine(amount=Money(minor, "USD"), **scope) for minor in minors]


def taken(found: tuple[Discount, ...]) -> list[tuple[int, int, int]]:
    return [(one.redemption_id.int, one.line, one.amount.minor) for one in found]


TEN: dict[str, Any] = {"amounts": {"USD": Decimal(10)}}

worths = st.one_of(
    st.decimals("0.01", 100, places=2).map(lambda percent: {"percent": percent}),
    st.decimals("0.01", 500, places=2).map(lambda amount: {"amounts": {"USD": amount}}),
)
scopes = st.sampled_from([{}, {"plans": ("pro",)}, {"meters": ("calls",)}, {"prices": ("fee",)}])


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[DiscountableLine], list[Redemption]]:
    drawn = [
        DiscountableLine(
            amount=Money(draw(st.integers(-1000, 10**6)), "USD"),
            plan=draw(st.sampled_from(["pro", "basic"])),
            price=draw(st.sampled_from(["fee", "usage"])),
            meter=draw(st.sampled_from([None, "calls"])),
        )
        for _ in range(draw(st.integers(1, 8)))
    ]
    coupons = [
        has(number, **draw(worths), **draw(scopes)) for number in range(draw(st.integers(0, 4)))
    ]
    return drawn, coupons


@given(stories())
def test_no_line_goes_below_zero_and_a_coupon_gives_what_it_is_worth(
    story: tuple[list[DiscountableLine], list[Redemption]],
) -> None:
    drawn, coupons = story
    found = discounts(drawn, coupons)
    left = [line.amount.minor for line in drawn]
    for one in found:
        assert one.amount.minor > 0
        left[one.line] -= one.amount.minor
        assert left[one.line] >= 0
    for each in coupons:
        own = [one for one in found if one.redemption_id == each.redemption_id]
        given_off = sum(one.amount.minor for one in own)
        if each.amount_left_minor is not None:
            assert given_off <= each.amount_left_minor
            after = after_invoice(each, found, AT)
            assert after.amount_left_minor == each.amount_left_minor - given_off
            assert (after.ended_at is not None) == (after.amount_left_minor == 0)


@given(stories(), st.randoms())
def test_the_order_in_which_coupons_are_told_changes_nothing(
    story: tuple[list[DiscountableLine], list[Redemption]], random: Any
) -> None:
    drawn, coupons = story
    told = list(coupons)
    random.shuffle(told)
    assert discounts(drawn, told) == discounts(drawn, coupons)


def test_what_is_taken_off_is_split_to_the_minor_unit() -> None:
    assert taken(discounts(lines(2000, 2000, 2000), [has(**TEN)])) == [
        (1, 0, 334), (1, 1, 333), (1, 2, 333)]  # fmt: skip


def test_a_percent_is_rounded_once_for_all_lines() -> None:
    found = discounts(lines(5, 5, 5), [has(percent=Decimal(10))])
    assert sum(one.amount.minor for one in found) == 2  # 1.5 of 15, not three times 0.5


def test_narrow_coupons_come_first_then_the_older() -> None:
    everything = has(1, percent=Decimal(50))
    metered = has(3, percent=Decimal(50), meters=("calls",))
    of_plan = has(2, percent=Decimal(50), plans=("pro",))
    found = discounts(lines(1000, plan="pro", meter="calls"), [everything, of_plan, metered])
    assert taken(found) == [(3, 0, 500), (2, 0, 250), (1, 0, 125)]
    both = [has(2, percent=Decimal(50)), has(1, percent=Decimal(10))]
    assert taken(discounts(lines(1000), both)) == [(1, 0, 100), (2, 0, 450)]


def test_lines_of_zero_or_less_and_lines_that_are_not_covered_stay() -> None:
    assert discounts(lines(0, -500), [has(**TEN)]) == ()
    assert discounts(lines(500, plan="basic"), [has(**TEN, plans=("pro",))]) == ()


def test_an_amount_that_is_used_once_carries_on_with_what_is_left() -> None:
    one = has(**TEN)
    after = after_invoice(one, discounts(lines(400), [one]), AT)
    assert (after.amount_left_minor, after.ended_at) == (600, None)
    end = after_invoice(after, discounts(lines(10_000), [after]), AT)
    assert (end.amount_left_minor, end.ended_at) == (0, AT)
    assert discounts(lines(400), [end]) == ()


@pytest.mark.parametrize(("duration", "left"), [("once", 1), ("periods", 3), ("forever", None)])
def test_a_percent_works_for_its_periods(duration: str, left: int | None) -> None:
    periods = 3 if duration == "periods" else None
    one = has(percent=Decimal(10), duration=duration, periods=periods)
    assert one.periods_left == left
    count = 0
    while one.ended_at is None and count < 5:
        one = after_invoice(one, discounts(lines(100), [one]), AT)
        count += 1
    assert count == (left or 5)


def test_an_invoice_that_is_not_lowered_uses_up_no_period() -> None:
    one = has(percent=Decimal(10), duration="periods", periods=2)
    assert after_invoice(one, discounts(lines(0), [one]), AT) == one
