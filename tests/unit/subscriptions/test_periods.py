from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from tallystick.kernel.errors import BadInput
from tallystick.subscriptions import periods
from tallystick.subscriptions.periods import (
    Anchor,
    Interval,
    Period,
    add_months,
    calendar_day,
    local_day,
    period,
    period_at,
    start_of_day,
    whole_period,
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def first_days(anchor: Anchor, count: int) -> list[str]:
    """Return the local dates on which the periods after the first begin."""
    edges = [period(anchor, index).end for index in range(count)]
    return [local_day(edge, anchor.timezone).isoformat() for edge in edges]


def test_a_month_from_the_31st_clamps_and_never_drifts() -> None:
    anchor = Anchor(utc("2026-01-31T09:00"), "Europe/Paris", "month")
    assert first_days(anchor, 5) == [
        "2026-02-28",
        "2026-03-31",
        "2026-04-30",
        "2026-05-31",
        "2026-06-30",
    ]


def test_a_leap_year_keeps_the_29th() -> None:
    anchor = Anchor(utc("2024-01-31T09:00"), "UTC", "month")
    assert first_days(anchor, 2) == ["2024-02-29", "2024-03-31"]
    yearly = Anchor(utc("2024-02-29T09:00"), "UTC", "year")
    assert first_days(yearly, 4) == ["2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]


@pytest.mark.parametrize(
    ("interval", "count", "days"),
    [
        ("day", 1, ["2026-01-31", "2026-02-01"]),
        ("day", 30, ["2026-03-01", "2026-03-31"]),
        ("week", 1, ["2026-02-06", "2026-02-13"]),
        ("week", 2, ["2026-02-13", "2026-02-27"]),
        ("month", 3, ["2026-04-30", "2026-07-30"]),
        ("month", 6, ["2026-07-30", "2027-01-30"]),
        ("year", 1, ["2027-01-30", "2028-01-30"]),
        ("year", 2, ["2028-01-30", "2030-01-30"]),
    ],
)
def test_every_interval_counts_from_the_anchor(
    interval: Interval, count: int, days: list[str]
) -> None:
    assert first_days(Anchor(utc("2026-01-30T12:00"), "UTC", interval, count), 2) == days


def test_the_first_period_begins_at_the_exact_instant_and_ends_at_local_midnight() -> None:
    anchor = Anchor(utc("2026-01-31T09:00:00.000001"), "Europe/Paris", "month")
    assert period(anchor, 0) == Period(utc("2026-01-31T09:00:00.000001"), utc("2026-02-27T23:00"))
    assert period(anchor, 1) == Period(utc("2026-02-27T23:00"), utc("2026-03-30T22:00"))


def test_the_anchor_day_is_that_of_the_account_not_of_utc() -> None:
    late = Anchor(utc("2026-01-31T23:30"), "Europe/Paris", "month")  # 1 February in Paris
    assert first_days(late, 2) == ["2026-03-01", "2026-04-01"]
    early = Anchor(utc("2026-02-01T03:00"), "America/New_York", "month")  # 31 January there
    assert first_days(early, 2) == ["2026-02-28", "2026-03-31"]


def test_the_offset_of_the_start_instant_does_not_matter() -> None:
    elsewhere = datetime(2026, 2, 1, 8, 30, tzinfo=timezone(timedelta(hours=9)))
    same = Anchor(elsewhere, "Europe/Paris", "month")
    assert period(same, 0) == period(Anchor(utc("2026-01-31T23:30"), "Europe/Paris", "month"), 0)
    assert period(same, 0).start.tzinfo is UTC


def test_a_start_at_midnight_gives_a_whole_first_period() -> None:
    anchor = Anchor(utc("2026-03-01T05:00"), "America/New_York", "month")
    assert period(anchor, 0) == Period(utc("2026-03-01T05:00"), utc("2026-04-01T04:00"))


def test_a_day_of_clock_change_has_23_or_25_hours() -> None:
    spring = Anchor(utc("2026-03-08T05:00"), "America/New_York", "day")
    assert period(spring, 0).end - period(spring, 0).start == timedelta(hours=23)
    autumn = Anchor(utc("2026-11-01T04:00"), "America/New_York", "day")
    assert period(autumn, 0).end - period(autumn, 0).start == timedelta(hours=25)


@pytest.mark.parametrize(
    ("timezone_name", "day", "instant"),
    [
        ("America/New_York", "2026-07-01", "2026-07-01T04:00"),
        ("Asia/Kolkata", "2026-07-01", "2026-06-30T18:30"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00"),  # 00:00 became 01:00
        ("Asia/Beirut", "2024-03-31", "2024-03-30T22:00"),  # 00:00 became 01:00
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30"),  # 23:30 became 00:30
        ("America/Havana", "2024-11-03", "2024-11-03T04:00"),  # 01:00 became 00:00 again
        ("America/St_Johns", "2010-11-07", "2010-11-07T02:30"),  # 00:01 became 23:01 again
        ("America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00"),  # 24:00 became 23:00 first
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00"),  # left out: 31 December at once
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00"),
    ],
)
def test_a_day_begins_at_its_first_instant_even_without_a_midnight(
    timezone_name: str, day: str, instant: str
) -> None:
    assert start_of_day(date.fromisoformat(day), timezone_name) == utc(instant)


def test_periods_go_on_over_a_date_that_was_left_out() -> None:
    anchor = Anchor(utc("2011-12-28T22:00"), "Pacific/Apia", "day")  # the 28th there
    found = [period(anchor, index) for index in range(4)]
    assert [one.end for one in found[:-1]] == [one.start for one in found[1:]]
    assert found[2].start == found[2].end == utc("2011-12-30T10:00")
    assert period_at(anchor, utc("2011-12-30T10:00")) == (3, found[3])


@pytest.mark.parametrize(
    ("instant", "index"),
    [
        ("2026-01-31T09:00", 0),
        ("2026-02-27T22:59:59.999999", 0),
        ("2026-02-27T23:00", 1),
        ("2026-03-30T21:59:59.999999", 1),
        ("2026-03-30T22:00", 2),
        ("2126-02-01T00:00", 1200),
    ],
)
def test_the_period_at_an_instant_is_half_open(instant: str, index: int) -> None:
    anchor = Anchor(utc("2026-01-31T09:00"), "Europe/Paris", "month")
    assert period_at(anchor, utc(instant)) == (index, period(anchor, index))
    assert period(anchor, index).contains(utc(instant))


def test_a_period_does_not_contain_its_end() -> None:
    span = Period(utc("2026-01-01"), utc("2026-02-01"))
    assert span.contains(span.start)
    assert not span.contains(span.end)
    assert not span.contains(span.start - timedelta(microseconds=1))


@pytest.mark.parametrize("interval", ["day", "week", "month", "year"])
def test_a_far_instant_is_found_in_a_few_steps(
    monkeypatch: pytest.MonkeyPatch, interval: Interval
) -> None:
    asked: list[int] = []
    reckon = periods._edge

    def noting(anchor: Anchor, index: int) -> datetime:
        asked.append(index)
        return reckon(anchor, index)

    monkeypatch.setattr(periods, "_edge", noting)
    anchor = Anchor(utc("1990-05-31T12:00"), "America/Havana", interval)
    index, found = period_at(anchor, utc("2490-05-31T12:00"))
    assert found.contains(utc("2490-05-31T12:00"))
    assert index >= 500
    assert len(asked) <= 6


def refusal(error: pytest.ExceptionInfo[BadInput]) -> tuple[str, str]:
    return error.value.errors[0].field, error.value.errors[0].code


@pytest.mark.parametrize(
    "name",
    ["", "Paris", "Europe", "europe/paris", "../etc/passwd", "localtime", "x" * 5000, "UTC\0"],
)
def test_an_unknown_time_zone_is_refused(name: str) -> None:
    with pytest.raises(BadInput) as error:
        Anchor(utc("2026-01-31T09:00"), name, "month")
    assert refusal(error) == ("timezone", "unknown_timezone")


@pytest.mark.parametrize("count", [0, -1, 121])
def test_a_count_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(BadInput) as error:
        Anchor(utc("2026-01-31T09:00"), "UTC", "month", count)
    assert refusal(error) == ("interval_count", "out_of_range")


def test_an_unknown_interval_is_refused() -> None:
    interval: Any = "decade"
    with pytest.raises(BadInput) as error:
        Anchor(utc("2026-01-31T09:00"), "UTC", interval)
    assert refusal(error) == ("interval", "unknown_interval")


def test_a_naive_instant_is_refused() -> None:
    naive = datetime(2026, 1, 31, 9)  # noqa: DTZ001 -- the point of the test
    with pytest.raises(BadInput) as error:
        Anchor(naive, "UTC", "month")
    assert refusal(error) == ("started_at", "naive_instant")
    with pytest.raises(BadInput) as error:
        period_at(Anchor(utc("2026-01-01"), "UTC", "month"), naive)
    assert refusal(error) == ("instant", "naive_instant")


def test_what_lies_outside_all_periods_is_refused() -> None:
    anchor = Anchor(utc("2026-01-31T09:00"), "UTC", "month")
    with pytest.raises(BadInput) as error:
        period_at(anchor, utc("2026-01-31T08:59:59.999999"))
    assert refusal(error) == ("instant", "before_start")
    for index in (-1, 12 * 8000, 10**12):
        with pytest.raises(BadInput) as error:
            period(anchor, index)
        assert refusal(error) == ("index", "out_of_range")


def test_months_are_added_to_the_same_day_or_the_last() -> None:
    assert add_months(date(2026, 12, 31), 2) == date(2027, 2, 28)
    assert add_months(date(2026, 3, 31), -1) == date(2026, 2, 28)
    assert add_months(date(2026, 12, 15), 0) == date(2026, 12, 15)
    assert add_months(date(2026, 1, 15), 11) == date(2026, 12, 15)


@pytest.mark.parametrize(
    ("interval", "first", "days"),
    [
        ("week", "2026-02-16", ["2026-02-23", "2026-03-02"]),
        ("month", "2026-02-01", ["2026-03-01", "2026-04-01"]),
        ("quarter", "2026-01-01", ["2026-04-01", "2026-07-01"]),
        ("half_year", "2026-01-01", ["2026-07-01", "2027-01-01"]),
        ("year", "2026-01-01", ["2027-01-01", "2028-01-01"]),
        ("day", "2026-02-20", ["2026-02-21", "2026-02-22"]),
    ],
)
def test_by_the_calendar_the_first_period_is_what_is_left_of_it(
    interval: Interval, first: str, days: list[str]
) -> None:
    started = utc("2026-02-20T10:00")
    day = calendar_day(date(2026, 2, 20), interval)
    anchor = Anchor(started, "Europe/Paris", interval, 1, day)
    assert day == date.fromisoformat(first)
    assert first_days(anchor, 2) == days
    assert period(anchor, 0).start == started
    assert whole_period(anchor, started).start == start_of_day(day, "Europe/Paris")


def test_an_anchor_may_lie_behind_the_start_and_clamps_too() -> None:
    anchor = Anchor(utc("2026-01-10T10:00"), "UTC", "month", 1, date(2026, 5, 31))
    assert first_days(anchor, 4) == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]


def test_months_may_have_thirty_days() -> None:
    month = Anchor(utc("2026-01-31T09:00"), "UTC", "month", 1, None, True)  # noqa: FBT003
    assert first_days(month, 2) == ["2026-03-02", "2026-04-01"]
    year = Anchor(utc("2026-01-31T09:00"), "UTC", "year", 1, None, True)  # noqa: FBT003
    assert first_days(year, 1) == ["2027-01-26"]
