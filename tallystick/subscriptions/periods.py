"""Billing periods: half-open, touching, counted from the anchor and so never drifting.

Every edge but the first is the first instant of a local day, in the account's time zone. Each is
reckoned from the anchor's day, not from the edge before: an anchor on 31 January gives 28 February,
31 March, 30 April, and the 29th of February in a leap year. The first period begins at the exact
start instant, so what was used before midnight of the first day is billed too.

The anchor's day is that of the start (anniversary), the first of the calendar's week, month,
quarter, half-year or year (calendar), or any other day; it may be after the start.
"""

from bisect import bisect_left
from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from tallystick.kernel.errors import BadInput

Interval = Literal["day", "week", "month", "quarter", "half_year", "year"]

INTERVAL_COUNT_MAX = 120
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}
_DAYS_OF_FIXED_MONTH = 30


class Period(msgspec.Struct, frozen=True):
    """The instants from `start` up to but not including `end`, both UTC.

    Empty in one case: a plan by the day over a date that its time zone left out (Samoa had no
    30 December 2011).
    """

    start: datetime
    end: datetime

    def contains(self, instant: datetime) -> bool:
        """Tell whether the instant is in [start, end)."""
        return self.start <= instant < self.end


class Anchor(msgspec.Struct, frozen=True):
    """What periods are counted from: an instant (aware), an IANA time zone, and a length.

    `first` is the local day that edges are counted from, None: the day of the start. With
    `fixed_months` a month has 30 days, a quarter 90, a half-year 180 and a year 360.

    Raises BadInput for a naive instant, an unknown time zone or interval, or a count outside
    1 to 120.
    """

    started_at: datetime
    timezone: str
    interval: Interval
    interval_count: int = 1
    first: date | None = None
    fixed_months: bool = False

    def __post_init__(self) -> None:
        if self.started_at.utcoffset() is None:
            raise BadInput.field("started_at", "naive_instant", "must carry its offset to UTC.")
        if self.interval not in _DAYS and self.interval not in _MONTHS:
            known = ", ".join([*_DAYS, *_MONTHS])
            raise BadInput.field("interval", "unknown_interval", f"is one of {known}.")
        if not 1 <= self.interval_count <= INTERVAL_COUNT_MAX:
            raise BadInput.field(
                "interval_count", "out_of_range", f"must be from 1 to {INTERVAL_COUNT_MAX}."
            )
        zone(self.timezone)

    @property
    def day(self) -> date:
        """The local day that edges are counted from."""
        return self.first or local_day(self.started_at, self.timezone)


def period(anchor: Anchor, index: int) -> Period:
    """Return the period with this index; the first, from the start instant on, has index 0.

    Raises BadInput for an index below zero or beyond the year 9999.
    """
    if index < 0:
        raise BadInput.field("index", "out_of_range", "periods are counted from 0.")
    at = _first_index(anchor) + index
    start = _edge(anchor, at) if index else anchor.started_at.astimezone(UTC)
    return Period(start, _edge(anchor, at + 1))


def period_at(anchor: Anchor, instant: datetime) -> tuple[int, Period]:
    """Return the period that contains the instant, with its index.

    The index is estimated from the calendar and corrected by a step or two, however far the instant
    is from the anchor. Raises BadInput for an instant before the start, or a naive one.
    """
    _require_aware(instant)
    if instant < anchor.started_at:
        raise BadInput.field("instant", "before_start", "is before the first period.")
    index = _index_at(anchor, instant) - _first_index(anchor)
    return index, period(anchor, index)


def whole_period(anchor: Anchor, instant: datetime) -> Period:
    """Return the period that contains the instant as it would be had it begun with its first day.

    The first period of a calendar month that was joined on the 20th begins on the 1st here: what
    part of it was joined is a share of that. Raises BadInput for a naive instant.
    """
    _require_aware(instant)
    index = _index_at(anchor, instant)
    return Period(_edge(anchor, index), _edge(anchor, index + 1))


def calendar_day(day: date, interval: Interval) -> date:
    """Return the first day of the week (Monday), month, quarter, half-year or year of a day."""
    if interval in _DAYS:
        return day - timedelta(days=day.weekday()) if interval == "week" else day
    months = _MONTHS[interval]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def zone(name: str) -> ZoneInfo:
    """Return the time zone with this IANA name. Raises BadInput when there is none."""
    if name not in _zone_names():
        message = f"{name[:64]!r} is not an IANA time zone; send one such as Europe/Paris."
        raise BadInput.field("timezone", "unknown_timezone", message)
    return ZoneInfo(name)


@cache
def _zone_names() -> frozenset[str]:
    """Return the names that IANA knows; a machine's own, such as "localtime", are not."""
    return frozenset((files("tzdata") / "zones").read_text("utf-8").split())


def local_day(instant: datetime, timezone: str) -> date:
    """Return the date that a calendar in this time zone shows at the instant."""
    return instant.astimezone(zone(timezone)).date()


def start_of_day(day: date, timezone: str) -> datetime:
    """Return the first instant of a local day, in UTC.

    That is midnight. Where clocks skip midnight (Beirut goes from 24:00 to 01:00 in spring) it is
    the instant of the change; where midnight comes twice (Havana in autumn), the first one.
    """
    midnight = datetime.combine(day, time(), zone(timezone))
    by_offset_before = midnight.astimezone(UTC)
    by_offset_after = midnight.replace(fold=1).astimezone(UTC)
    if by_offset_after >= by_offset_before:  # equal: once, as nearly always; later: twice
        return by_offset_before
    skipped = range(int((by_offset_before - by_offset_after).total_seconds()))
    change = bisect_left(
        skipped,
        True,  # noqa: FBT003 -- the value searched for
        key=lambda second: local_day(by_offset_after + timedelta(seconds=second), timezone) >= day,
    )
    return by_offset_after + timedelta(seconds=change)


def add_months(day: date, count: int) -> date:
    """Return the same day of the month `count` months on, or that month's last if it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _require_aware(instant: datetime) -> None:
    if instant.utcoffset() is None:
        raise BadInput.field("instant", "naive_instant", "must carry its offset to UTC.")


def _edge(anchor: Anchor, index: int) -> datetime:
    """Return where the period that is `index` lengths from the anchor's day begins."""
    try:
        return start_of_day(_day_after(anchor, index), anchor.timezone)
    except (ValueError, OverflowError) as error:
        raise BadInput.field("index", "out_of_range", "is beyond the year 9999.") from error


def _day_after(anchor: Anchor, index: int) -> date:
    count = index * anchor.interval_count
    days = _days(anchor)
    if days is not None:
        return anchor.day + timedelta(days=count * days)
    return add_months(anchor.day, count * _MONTHS[anchor.interval])


def _days(anchor: Anchor) -> int | None:
    """Return the days of one interval, None where months of the calendar make it."""
    if anchor.interval in _DAYS:
        return _DAYS[anchor.interval]
    return _MONTHS[anchor.interval] * _DAYS_OF_FIXED_MONTH if anchor.fixed_months else None


def _first_index(anchor: Anchor) -> int:
    """Return how many lengths from the anchor's day the first period lies; often 0."""
    return _index_at(anchor, anchor.started_at) if anchor.first else 0


def _index_at(anchor: Anchor, instant: datetime) -> int:
    index = _estimate(anchor, instant)
    while _edge(anchor, index) > instant:
        index -= 1
    while _edge(anchor, index + 1) <= instant:
        index += 1
    return index


def _estimate(anchor: Anchor, instant: datetime) -> int:
    """Return the index by whole days or months between; off by one at most."""
    last = local_day(instant, anchor.timezone)
    days = _days(anchor)
    if days is not None:
        return (last - anchor.day).days // (days * anchor.interval_count)
    months = (last.year - anchor.day.year) * 12 + last.month - anchor.day.month
    return months // (_MONTHS[anchor.interval] * anchor.interval_count)
