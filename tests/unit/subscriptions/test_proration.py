from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tallystick.subscriptions.periods import Anchor, Period, whole_period
from tallystick.subscriptions.proration import (
    Proration,
    Share,
    amount_of,
    share_of,
    starts_to_count,
    stops_to_count,
)

PARIS = "Europe/Paris"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


MARCH = whole_period(Anchor(utc("2026-03-10T09:00"), PARIS, "month", 1, None), utc("2026-03-10"))


@pytest.mark.parametrize(
    ("first", "last", "minor"),
    [("2026-01-01", "2026-01-11", 1581), ("2026-01-11", "2026-01-21", 1580),
     ("2026-01-21", "2026-02-01", 1739), ("2026-01-01", "2026-02-01", 4900)],
)  # fmt: skip
def test_a_day_costs_the_price_over_the_real_days(first: str, last: str, minor: int) -> None:
    january = Period(utc("2026-01-01"), utc("2026-02-01"))
    part = share_of("by_day", january, "UTC", Period(utc(first), utc(last)))
    assert part.whole == 31
    assert amount_of(Decimal(49), "EUR", part).minor == minor


def test_a_month_in_which_clocks_change_still_has_its_days() -> None:
    assert Period(utc("2026-03-09T23:00"), utc("2026-04-09T22:00")) == MARCH
    half = Period(MARCH.start, utc("2026-03-31T22:00"))
    assert share_of("by_day", MARCH, PARIS, half) == Share("day", 0, 22, 31)
    by_second = share_of("by_second", MARCH, PARIS, half)
    assert by_second.whole == (31 * 24 - 1) * 3600 * 10**6


def test_what_lies_outside_of_the_period_counts_nothing() -> None:
    outside = Period(utc("2025-01-01"), utc("2027-01-01"))
    assert share_of("by_day", MARCH, PARIS, outside).is_whole
    assert share_of("by_day", MARCH, PARIS, Period(MARCH.end, outside.end)).is_empty


def test_without_proration_the_price_goes_to_where_the_period_begins() -> None:
    middle = utc("2026-03-20T12:00")
    first = share_of("none", MARCH, PARIS, Period(MARCH.start, middle))
    rest = share_of("none", MARCH, PARIS, Period(middle, MARCH.end))
    assert (first.is_whole, rest.is_empty) == (True, True)


@pytest.mark.parametrize(
    ("rule", "starts", "stops"),
    [
        ("by_day", "2026-03-19T23:00", "2026-03-20T23:00"),
        ("none", "2026-03-19T23:00", "2026-03-20T23:00"),
        ("by_second", "2026-03-20T12:00", "2026-03-20T12:00"),
    ],
)
def test_the_day_of_a_change_is_the_new_ones_and_the_day_of_an_end_was_used(
    rule: Proration, starts: str, stops: str
) -> None:
    at = utc("2026-03-20T12:00")
    assert starts_to_count(rule, at, PARIS) == utc(starts)
    assert stops_to_count(rule, at, PARIS) == utc(stops)
