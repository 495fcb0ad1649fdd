"""Shares of a price, however a period is cut: nothing twice, nothing left out."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tallystick.subscriptions.periods import Anchor, Period, whole_period
from tallystick.subscriptions.proration import Proration, amount_of, share_of

RULES: tuple[Proration, ...] = ("by_day", "by_second", "none")
prices = st.decimals(Decimal(0), Decimal(10**6), places=4)
zones = st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu"])
instants = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- the strategy adds the zone


@st.composite
def cut_periods(draw: st.DrawFn) -> tuple[str, Period, list[datetime]]:
    zone = draw(zones)
    anchor = Anchor(draw(instants), zone, draw(st.sampled_from(["week", "month", "quarter"])))
    whole = whole_period(anchor, anchor.started_at + timedelta(days=draw(st.integers(0, 400))))
    seconds = int((whole.end - whole.start).total_seconds())
    cuts = sorted(draw(st.lists(st.integers(0, seconds), max_size=6)))
    return zone, whole, [whole.start + timedelta(seconds=cut) for cut in cuts]


@given(cut_periods(), prices, st.sampled_from(RULES), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_the_parts_of_any_cutting_sum_to_the_whole(
    cut: tuple[str, Period, list[datetime]], price: Decimal, rule: Proration, currency: str
) -> None:
    zone, whole, inside = cut
    edges = [whole.start, *inside, whole.end]
    parts = [share_of(rule, whole, zone, Period(*edge)) for edge in pairwise(edges)]
    amounts = [amount_of(price, currency, part) for part in parts]
    full = share_of(rule, whole, zone, whole)
    assert full.is_whole
    assert sum(one.minor for one in amounts) == amount_of(price, currency, full).minor
    assert all(one.minor >= 0 for one in amounts)
    assert [part.end for part in parts[:-1]] == [part.start for part in parts[1:]]


@given(cut_periods(), prices, st.sampled_from(RULES))
def test_a_part_is_never_off_by_more_than_the_rounding_of_its_two_ends(
    cut: tuple[str, Period, list[datetime]], price: Decimal, rule: Proration
) -> None:
    zone, whole, inside = cut
    for edge in pairwise([whole.start, *inside, whole.end]):
        part = share_of(rule, whole, zone, Period(*edge))
        exact = Fraction(price) * 100 * (part.end - part.start) / part.whole
        assert abs(amount_of(price, "EUR", part).minor - exact) <= 1


@given(cut_periods(), prices, st.sampled_from(RULES))
def test_what_is_given_back_is_what_was_taken(
    cut: tuple[str, Period, list[datetime]], price: Decimal, rule: Proration
) -> None:
    zone, whole, inside = cut
    for edge in pairwise([whole.start, *inside, whole.end]):
        taken = amount_of(price, "EUR", share_of(rule, whole, zone, Period(*edge)))
        given_back = amount_of(price, "EUR", share_of(rule, whole, zone, Period(*edge), -1))
        assert taken.minor + given_back.minor == 0
