from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tallystick.metering.hours import HOUR, floor_hour, whole_hours

INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 2)).map(  # noqa: DTZ001 -- made aware
    lambda at: at.replace(tzinfo=UTC)
)


def test_a_period_of_whole_hours_has_no_edges() -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    assert whole_hours(start, end) == (start, end)


def test_a_period_inside_an_hour_is_all_edge() -> None:
    start = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)
    end = start + timedelta(minutes=5)
    assert whole_hours(start, end) == (end, end)


def test_half_an_hour_over_midnight_is_two_edges() -> None:
    middle = datetime(2026, 1, 1, tzinfo=UTC)
    quarter = timedelta(minutes=15)
    assert whole_hours(middle - quarter, middle + quarter) == (middle, middle)


@given(INSTANTS, INSTANTS)
def test_edges_and_whole_hours_cover_the_period_once(one: datetime, other: datetime) -> None:
    start, end = sorted((one, other))
    first, last = whole_hours(start, end)
    assert start <= first <= last <= end
    if first < last:
        assert (floor_hour(first), floor_hour(last)) == (first, last)
        assert first - start < HOUR
        assert end - last < HOUR
