"""Billing periods: half-open, counted from an anchor, in UTC. Pure rules, no state."""

import calendar
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

MONTHS_IN_YEAR = 12


def boundary(anchor: int, recurring: Mapping[str, Any], number: int) -> int:
    """Return the start of the period of that number; period 0 begins at the anchor.

    A month that is too short ends on its last day: 31 January, 28 February, 31 March.
    """
    steps = recurring["interval_count"] * number
    start = datetime.fromtimestamp(anchor, UTC)
    match recurring["interval"]:
        case "day":
            return int((start + timedelta(days=steps)).timestamp())
        case "week":
            return int((start + timedelta(weeks=steps)).timestamp())
        case "year":
            return _months_later(start, steps * MONTHS_IN_YEAR)
    return _months_later(start, steps)


def period_at(anchor: int, recurring: Mapping[str, Any], at: int) -> tuple[int, int]:
    """Return start and end of the period that an instant at or after the anchor lies in."""
    number = 0
    while boundary(anchor, recurring, number + 1) <= at:
        number += 1
    return boundary(anchor, recurring, number), boundary(anchor, recurring, number + 1)


def _months_later(start: datetime, months: int) -> int:
    whole = start.month - 1 + months
    year, month = start.year + whole // MONTHS_IN_YEAR, whole % MONTHS_IN_YEAR + 1
    day = min(start.day, calendar.monthrange(year, month)[1])
    return int(start.replace(year=year, month=month, day=day).timestamp())
