"""Revenue by month: the parts of every line sum to it, and the balances follow from the flows."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.exports.recognition import MonthSum, Recognition, Service, note_of, service_of
from tallystick.money.amount import Money
from tallystick.subscriptions.periods import add_months

JANUARY, MARCH, NEXT_YEAR = date(2026, 1, 1), date(2026, 3, 1), date(2027, 1, 1)
DAYS = st.dates(date(2025, 1, 1), date(2027, 12, 31))


@st.composite
def services(draw: st.DrawFn) -> Service:
    first = draw(DAYS)
    length = draw(st.integers(1, 800))
    amount = draw(st.integers(-(10**6), 10**6))
    return Service(amount, draw(DAYS), first, first + timedelta(days=length))


def months(start: date, end: date, *lines: Service) -> list[MonthSum]:
    recognition = Recognition(start, end)
    for line in lines:
        recognition.add(line, "EUR")
    return list(recognition.months())


def test_a_year_paid_in_advance_is_earned_by_its_days() -> None:
    year = Service(36500, JANUARY, JANUARY, NEXT_YEAR)
    found = months(JANUARY, MARCH, year)
    assert [one.recognized.minor for one in found] == [3100, 2800]
    assert [one.billed.minor for one in found] == [36500, 0]
    assert [one.deferred.minor for one in found] == [33400, 30600]
    assert [one.accrued.minor for one in found] == [0, 0]


def test_usage_billed_afterwards_is_accrued_in_its_month() -> None:
    used = Service(1000, date(2026, 2, 1), JANUARY, date(2026, 2, 1))
    january, february = months(JANUARY, MARCH, used)
    assert (january.recognized.minor, january.accrued.minor) == (1000, 1000)
    assert (february.billed.minor, february.recognized.minor) == (1000, 0)
    assert (february.accrued.minor, february.deferred.minor) == (0, 0)


def test_what_has_no_period_is_earned_on_the_day_it_is_billed() -> None:
    once = service_of(500, date(2026, 1, 31), None, None, "Europe/Paris")
    (january,) = months(JANUARY, MARCH, once)
    assert (january.billed.minor, january.recognized.minor, january.deferred.minor) == (500, 500, 0)


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        # Midnights of Paris: January, not a day more.
        (datetime(2025, 12, 31, 23, tzinfo=UTC), datetime(2026, 1, 31, 23, tzinfo=UTC), 31),
        # Within a day, and across one midnight.
        (datetime(2026, 1, 1, 9, tzinfo=UTC), datetime(2026, 1, 1, 10, tzinfo=UTC), 1),
        (datetime(2026, 1, 1, 9, tzinfo=UTC), datetime(2026, 1, 2, 9, tzinfo=UTC), 2),
        # Nothing long: an instant still has its day.
        (datetime(2026, 1, 1, 9, tzinfo=UTC), datetime(2026, 1, 1, 9, tzinfo=UTC), 1),
    ],
)
def test_days_are_those_of_the_accounts_zone(start: datetime, end: datetime, days: int) -> None:
    service = service_of(1, JANUARY, start, end, "Europe/Paris")
    assert (service.first, (service.end - service.first).days) == (JANUARY, days)


def test_a_note_takes_back_nothing_of_a_month_before_its_own() -> None:
    year = Service(36500, JANUARY, JANUARY, NEXT_YEAR)
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    note = note_of(36500, date(2026, 3, 10), start, end, "UTC")
    found = months(JANUARY, NEXT_YEAR, year, note)
    earned = {one.month.month: one.recognized.minor for one in found}
    # January and February stay as they were; March has its own 31 days and takes back 59 + 31.
    assert (earned[1], earned[2], earned[3]) == (3100, 2800, -5900)
    assert all(earned.get(month, 0) == 0 for month in range(4, 13))


@given(st.lists(services(), max_size=5))
def test_all_months_sum_to_the_lines(lines: list[Service]) -> None:
    found = months(date(2024, 1, 1), date(2031, 1, 1), *lines)
    whole = sum(line.amount_minor for line in lines)
    assert sum(one.recognized.minor for one in found) == whole
    assert sum(one.billed.minor for one in found) == whole
    if found:
        assert found[-1].deferred == found[-1].accrued == Money.zero("EUR")


@given(st.lists(services(), max_size=5), DAYS, st.integers(1, 30))
def test_balances_follow_from_what_was_billed_and_earned(
    lines: list[Service], day: date, count: int
) -> None:
    """Also where only a part of the months is asked for: what is before counts all the same."""
    start = day.replace(day=1)
    all_ = {one.month: one for one in months(date(2024, 1, 1), date(2031, 1, 1), *lines)}
    part = {one.month: one for one in months(start, add_months(start, count), *lines)}
    assert part == {
        month: one for month, one in all_.items() if start <= month < add_months(start, count)
    }
    net = 0
    for month in (add_months(date(2024, 1, 1), index) for index in range(84)):
        one = all_.get(month)
        if one is not None:
            net += one.billed.minor - one.recognized.minor
            assert one.deferred.minor - one.accrued.minor == net
