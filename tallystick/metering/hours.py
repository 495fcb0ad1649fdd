"""Hours and months of UTC, of which totals are made; a period in whole hours and its edges."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)


def floor_hour(at: datetime) -> datetime:
    """Return the beginning of the hour that an instant (UTC) lies in."""
    return at.replace(minute=0, second=0, microsecond=0)


def floor_month(at: datetime) -> datetime:
    """Return the beginning of the month of UTC that an instant lies in."""
    return floor_hour(at.astimezone(UTC)).replace(day=1, hour=0)


def next_month(at: datetime) -> datetime:
    """Return the beginning of the month of UTC after the one that an instant lies in."""
    return floor_month(floor_month(at) + timedelta(days=31))


def whole_hours(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return the half-open span of the whole hours inside [start, end), both UTC.

    [start, first) and [last, end) are the edges. Without a whole hour both are `end`, and the
    period is all edge.
    """
    first = floor_hour(start) if floor_hour(start) == start else floor_hour(start) + HOUR
    last = floor_hour(end)
    return (first, last) if first <= last else (end, end)


def stretches(hours: Iterable[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Yield the half-open spans that these hours make together, in order."""
    begin: datetime | None = None
    end: datetime | None = None
    for hour in sorted({floor_hour(at.astimezone(UTC)) for at in hours}):
        if begin is not None and end is not None and hour != end:
            yield begin, end
            begin = None
        begin = begin or hour
        end = hour + HOUR
    if begin is not None and end is not None:
        yield begin, end


def months_of(first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield each month of UTC, half-open, from the one that `first` lies in to that of `last`."""
    month = floor_month(first)
    while month <= last:
        yield month, next_month(month)
        month = next_month(month)
