"""A stretch of time cut into minutes, hours, days or months of a time zone: pure."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from tallystick.kernel.errors import BadInput

WindowSize = Literal["MINUTE", "HOUR", "DAY", "MONTH"]
WINDOWS_MAX: Final = 10_000
Window = tuple[datetime, datetime]
_FIXED: Final = {"MINUTE": timedelta(minutes=1), "HOUR": timedelta(hours=1)}


def cut(start: datetime, end: datetime, size: WindowSize, zone: ZoneInfo) -> tuple[Window, ...]:
    """Return the half-open windows (UTC) that make up [start, end), the outer two cut off by it.

    Days and months begin at local midnight, so a day may have 23 or 25 hours. Raises BadInput
    `too_many` for more than 10,000.
    """
    found: list[Window] = []
    begin, stop = start.astimezone(UTC), end.astimezone(UTC)
    for edge in _edges(begin, size, zone):
        if begin >= stop:
            return tuple(found)
        if len(found) == WINDOWS_MAX:
            message = f"makes more than {WINDOWS_MAX} windows; ask for larger ones or less time"
            raise BadInput.field("windowSize", "too_many", message)
        found.append((begin, min(edge, stop)))
        begin = edge
    return tuple(found)


def _edges(start: datetime, size: WindowSize, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the ends of windows after `start`, without end."""
    local = start.astimezone(zone)
    if size in ("MINUTE", "HOUR"):
        floor = local.replace(second=0, microsecond=0)
        edge = (floor if size == "MINUTE" else floor.replace(minute=0)).astimezone(UTC)
        while True:
            edge += _FIXED[size]
            yield edge
    day = local.date() if size == "DAY" else local.date().replace(day=1)
    while True:
        day = day + timedelta(days=1) if size == "DAY" else _next_month(day)
        yield datetime.combine(day, time(), zone).astimezone(UTC)


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)
