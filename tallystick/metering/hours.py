"""A period in whole hours and what is left at its edges."""

from datetime import datetime, timedelta

HOUR = timedelta(hours=1)


def floor_hour(at: datetime) -> datetime:
    """Return the beginning of the hour that an instant (UTC) lies in."""
    return at.replace(minute=0, second=0, microsecond=0)


def whole_hours(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return the half-open span of the whole hours inside [start, end), both UTC.

    [start, first) and [last, end) are the edges. Without a whole hour both are `end`, and the
    period is all edge.
    """
    first = floor_hour(start) if floor_hour(start) == start else floor_hour(start) + HOUR
    last = floor_hour(end)
    return (first, last) if first <= last else (end, end)
