from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tallystick.kernel.errors import BadInput
from tallystick.metering.windows import WINDOWS_MAX, cut

PARIS, KOLKATA = ZoneInfo("Europe/Paris"), ZoneInfo("Asia/Kolkata")
DAY = timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


def edges(start: str, end: str, size: Any, zone: ZoneInfo) -> list[str]:
    windows = cut(at(start), at(end), size, zone)
    for one, other in pairwise(windows):
        assert one[1] == other[0]
    return [f"{edge:%m-%dT%H:%M}" for edge in (windows[0][0], *(stop for _, stop in windows))]


def test_days_begin_at_local_midnight_and_the_outer_ones_are_cut_off() -> None:
    assert edges("2026-01-01T05:00", "2026-01-03T05:00", "DAY", PARIS) == [
        "01-01T05:00", "01-01T23:00", "01-02T23:00", "01-03T05:00",
    ]  # fmt: skip


@pytest.mark.parametrize(("day", "hours"), [("2026-03-28", 23), ("2026-10-24", 25)])
def test_a_day_is_as_long_as_the_clocks_make_it(day: str, hours: int) -> None:
    start = at(f"{day}T22:00" if hours == 25 else f"{day}T23:00")
    windows = cut(start, start + 2 * DAY, "DAY", PARIS)
    assert windows[0] == (start, start + timedelta(hours=hours))


def test_months_begin_on_their_first() -> None:
    assert edges("2026-01-31T23:00", "2026-04-15T00:00", "MONTH", PARIS) == [
        "01-31T23:00", "02-28T23:00", "03-31T22:00", "04-15T00:00",
    ]  # fmt: skip


def test_hours_are_those_of_the_zone() -> None:
    assert edges("2026-01-01T00:00", "2026-01-01T02:00", "HOUR", KOLKATA) == [
        "01-01T00:00", "01-01T00:30", "01-01T01:30", "01-01T02:00",
    ]  # fmt: skip


def test_an_hour_that_comes_twice_is_two_windows() -> None:
    night = cut(at("2026-10-25T00:00"), at("2026-10-25T03:00"), "HOUR", PARIS)
    assert len(night) == 3


def test_no_time_has_no_windows() -> None:
    assert cut(at("2026-01-01T00:00"), at("2026-01-01T00:00"), "MINUTE", PARIS) == ()
    assert cut(at("2026-01-02T00:00"), at("2026-01-01T00:00"), "MINUTE", PARIS) == ()


def test_there_are_only_so_many() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    most = timedelta(minutes=WINDOWS_MAX)
    assert len(cut(start, start + most, "MINUTE", PARIS)) == WINDOWS_MAX
    with pytest.raises(BadInput) as caught:
        cut(start, start + most + DAY, "MINUTE", PARIS)
    assert [(fault.field, fault.code) for fault in caught.value.errors] == [
        ("windowSize", "too_many")
    ]
