"""When what was billed is earned: evenly over the days for which it was billed. Pure.

A line over 365.00 for a year from 2026-01-01, issued that day, is billed in January whole; 31.00
of it are earned in January, 28.00 in February. What was billed and is not earned yet is deferred
(a liability); what was earned and was billed only later is accrued (an asset). So for each currency

    deferred - accrued at the end = the same at the beginning + billed - recognized.

A credit note takes back evenly too, but nothing of a month before its own: that was reported, so
it is taken back in the note's month.

The days are those printed on the invoice. A line's share up to a day is rounded once, half away
from zero, and a month has the difference of two such points, so that all months sum to the line.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import msgspec
from msgspec.structs import replace

from tallystick.money.amount import Money
from tallystick.money.rounding import round_ratio
from tallystick.subscriptions.periods import add_months, local_day, start_of_day


class Service(msgspec.Struct, frozen=True):
    """What was billed on a day for the days [first, end): one day at least; minor units.

    Nothing of it counts before `counts_from`, where there is one: it counts in that month.
    """

    amount_minor: int
    billed_on: date
    first: date
    end: date
    counts_from: date | None = None


class MonthSum(msgspec.Struct, frozen=True, kw_only=True):
    """A month (its first day) in one currency; `deferred` and `accrued` stand at its end."""

    month: date
    billed: Money
    recognized: Money
    deferred: Money
    accrued: Money


class Recognition:
    """The sums of the months [start, end), first days of months, as lines are added one by one."""

    def __init__(self, start: date, end: date) -> None:
        self._start = start
        self._end = end
        self._sums: dict[tuple[str, date], list[int]] = {}

    def add(self, service: Service, currency: str) -> None:
        """Count one line; what lies outside the months only moves their balances."""
        first = max(self._start, min(service.first, service.billed_on).replace(day=1))
        last = min(self._end, max(service.end, service.billed_on + timedelta(days=1)))
        month = first
        while month < last:
            following = add_months(month, 1)
            sums = self._sums.setdefault((currency, month), [0, 0, 0, 0])
            for at, minor in enumerate(_of_month(service, month, following)):
                sums[at] += minor
            month = following

    def months(self) -> Iterator[MonthSum]:
        """Yield each currency's months in order; one in which nothing moved is left out."""
        for (currency, month), sums in sorted(self._sums.items()):
            billed, recognized, deferred, accrued = (Money(minor, currency) for minor in sums)
            yield MonthSum(
                month=month,
                billed=billed,
                recognized=recognized,
                deferred=deferred,
                accrued=accrued,
            )


def service_of(
    amount_minor: int,
    billed_on: date,
    start: datetime | None,
    end: datetime | None,
    timezone: str,
) -> Service:
    """Return a line as days of its zone; one without a period is earned on the day it is billed.

    A period that ends within a day has that day whole.
    """
    if start is None or end is None:
        return Service(amount_minor, billed_on, billed_on, billed_on + timedelta(days=1))
    first, last = local_day(start, timezone), local_day(end, timezone)
    if last == first or start_of_day(last, timezone) < end:
        last += timedelta(days=1)
    return Service(amount_minor, billed_on, first, last)


def note_of(
    net_minor: int,
    billed_on: date,
    start: datetime | None,
    end: datetime | None,
    timezone: str,
) -> Service:
    """Return what a credit note's line takes back (above zero), as `service_of` a line."""
    line = service_of(-net_minor, billed_on, start, end, timezone)
    return replace(line, counts_from=billed_on.replace(day=1))


def _of_month(service: Service, start: date, end: date) -> tuple[int, int, int, int]:
    before, now = _earned_before(service, start), _earned_before(service, end)
    is_billed = service.billed_on < end
    return (
        service.amount_minor if start <= service.billed_on < end else 0,
        now - before,
        service.amount_minor - now if is_billed else 0,
        0 if is_billed else now,
    )


def _earned_before(service: Service, day: date) -> int:
    if service.counts_from is not None and day <= service.counts_from:
        return 0
    days = (service.end - service.first).days
    passed = min(max((day - service.first).days, 0), days)
    return round_ratio(service.amount_minor * passed, days)
