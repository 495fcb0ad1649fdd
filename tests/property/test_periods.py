"""Periods against what zoneinfo and the calendar say, over all time zones."""

from datetime import UTC, date, datetime, timedelta
from importlib.resources import files

from hypothesis import assume, given
from hypothesis import strategies as st

from tallystick.subscriptions.periods import (
    Anchor,
    Interval,
    calendar_day,
    local_day,
    period,
    period_at,
    start_of_day,
    whole_period,
)

TICK = timedelta(microseconds=1)
EDGY = ("America/Sao_Paulo", "Asia/Beirut", "America/Havana", "Pacific/Apia", "America/St_Johns")
ZONES = sorted((files("tzdata") / "zones").read_text("utf-8").split())
MONTHS = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}
INTERVALS: tuple[Interval, ...] = ("day", "week", "month", "quarter", "half_year", "year")
zones = st.sampled_from(EDGY) | st.sampled_from(ZONES)
instants = st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- the strategy adds the zone
anchors = st.builds(
    Anchor, instants, zones, st.sampled_from(INTERVALS), st.integers(1, 3) | st.integers(1, 120)
)
indexes = st.integers(0, 40)


def day_by_walking(anchor: Anchor, index: int) -> date:
    """Return the calendar day of an edge the slow way: walk months, then clamp the day."""
    first, count = local_day(anchor.started_at, anchor.timezone), index * anchor.interval_count
    if anchor.interval in {"day", "week"}:
        return first + timedelta(days=count * (7 if anchor.interval == "week" else 1))
    month = first.replace(day=1)
    for _ in range(count * MONTHS[anchor.interval]):
        month = (month + timedelta(days=31)).replace(day=1)
    last = (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return month.replace(day=min(first.day, last.day))


@given(zones, st.dates(date(1900, 1, 2), date(2200, 1, 1)))
def test_a_day_starts_where_the_calendar_turns(timezone: str, day: date) -> None:
    start = start_of_day(day, timezone)
    assert local_day(start, timezone) >= day
    assert local_day(start - TICK, timezone) < day


@given(anchors, indexes)
def test_periods_touch_and_have_a_length(anchor: Anchor, index: int) -> None:
    one, next_one = period(anchor, index), period(anchor, index + 1)
    assert one.end == next_one.start
    assert one.start < one.end or anchor.timezone.endswith(
        ("Apia", "Samoa", "Fakaofo", "Kwajalein")
    )
    assert one.start.tzinfo is UTC
    assert one.end.tzinfo is UTC


@given(anchors, indexes)
def test_the_first_period_starts_at_the_anchor(anchor: Anchor, index: int) -> None:
    assert period(anchor, 0).start == anchor.started_at
    assert period(anchor, index).end > anchor.started_at


@given(anchors, st.integers(1, 30))
def test_edges_are_local_days_that_never_drift(anchor: Anchor, index: int) -> None:
    expected = day_by_walking(anchor, index)
    edge = period(anchor, index).start
    assert local_day(edge, anchor.timezone) >= expected
    assert local_day(edge - TICK, anchor.timezone) < expected


@given(anchors, indexes, st.floats(0, 1, exclude_max=True))
def test_any_instant_of_a_period_leads_back_to_it(anchor: Anchor, index: int, share: float) -> None:
    span = period(anchor, index)
    assume(span.start < span.end)
    inside = span.start + (span.end - span.start) * share
    for instant in (span.start, min(inside, span.end - TICK), span.end - TICK):
        assert period_at(anchor, instant) == (index, span)


@given(anchors, st.timedeltas(timedelta(0), timedelta(days=365 * 300)))
def test_every_instant_has_one_period(anchor: Anchor, later: timedelta) -> None:
    instant = anchor.started_at + later
    index, span = period_at(anchor, instant)
    assert span == period(anchor, index)
    assert span.contains(instant)


anchored_elsewhere = st.builds(
    Anchor,
    instants,
    zones,
    st.sampled_from(INTERVALS),
    st.integers(1, 12),
    st.dates(date(1960, 1, 1), date(2090, 1, 1)),
    st.booleans(),
)


@given(anchored_elsewhere, indexes)
def test_periods_of_any_anchor_touch_and_lead_back_to_themselves(
    anchor: Anchor, index: int
) -> None:
    one, next_one = period(anchor, index), period(anchor, index + 1)
    assert one.end == next_one.start
    assert period(anchor, 0).start == anchor.started_at
    if one.start < one.end:
        assert period_at(anchor, one.start) == (index, one)
        assert period_at(anchor, one.end - TICK) == (index, one)
    else:
        assert anchor.timezone.endswith(("Apia", "Samoa", "Fakaofo", "Kwajalein"))


@given(anchored_elsewhere, indexes)
def test_a_whole_period_is_the_joined_one_and_what_was_before_it(
    anchor: Anchor, index: int
) -> None:
    one = period(anchor, index)
    assume(one.start < one.end)
    whole = whole_period(anchor, one.start)
    assert whole.end == one.end
    assert whole.start <= one.start
    assert index == 0 or whole == one


@given(anchored_elsewhere, st.integers(-40, 40))
def test_every_edge_lies_a_whole_count_from_the_anchors_day(anchor: Anchor, count: int) -> None:
    assume(anchor.first is not None and not anchor.fixed_months)
    assert anchor.first is not None
    around = start_of_day(anchor.first, anchor.timezone) + timedelta(days=count * 30)
    start = local_day(whole_period(anchor, around).start, anchor.timezone)
    if anchor.interval in MONTHS:
        months = (start.year - anchor.first.year) * 12 + start.month - anchor.first.month
        assert months % (MONTHS[anchor.interval] * anchor.interval_count) == 0


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.sampled_from(INTERVALS))
def test_a_calendar_day_begins_its_week_month_or_year(day: date, interval: Interval) -> None:
    first = calendar_day(day, interval)
    assert first <= day
    if interval == "week":
        assert (first.weekday(), (day - first).days < 7) == (0, True)
    elif interval in MONTHS:
        assert (first.day, (first.month - 1) % MONTHS[interval]) == (1, 0)
        assert (day.year - first.year) * 12 + day.month - first.month < MONTHS[interval]
    else:
        assert first == day
