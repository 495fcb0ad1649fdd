"""What a meter is expected to have at the end of its running period, and how sure that is: pure.

The method can be checked by hand. For counts and sums, each day that is left is expected to be
like the mean of the same weekday in the last four weeks (with less than two weeks of history: like
the mean of all whole days), a part of a day like that part of it; what is used already is added.
The range holds about 80 of 100 outcomes if days differ by chance alone:

    expected +- 1.28 x sqrt(s2 x (n + sum(n_d^2 / k_d)))

with s2 the variance of days around the mean of their weekday, n the days left, n_d of them on
weekday d, and k_d the days of history of that weekday. With less than two whole days the rate so
far goes on, an unbegun day counted as a whole one, and the range reaches from no more use to twice
that. Other meters (a maximum, seats) stay where they are; the last period says how far they went.

Limits: growth, holidays and one-off events are not foreseen. The first lies behind by half the
history, the others widen the range as soon as they were seen.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import isqrt
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from tallystick.catalog.expression import round_half_away
from tallystick.catalog.model import Meter
from tallystick.metering.quantities import rounded
from tallystick.metering.windows import cut
from tallystick.money.exact import canonical

HISTORY_DAYS: Final = 28
WEEKDAY_DAYS_MIN: Final = 14
DAYS_MIN: Final = 2
Z: Final = Fraction(128, 100)
"""Of a normal distribution, 80 % lie within so many standard deviations of the mean."""
DECIMALS: Final = 6
_DAY: Final = timedelta(days=1)
_ROOT_SCALE: Final = 10**12

Basis = Literal["weekdays", "days", "run_rate", "level", "none"]
"""What a forecast rests on; `none`: there is nothing yet to tell from."""


class Day(msgspec.Struct, frozen=True):
    """What was used on one whole local day that begins at `start` (UTC)."""

    start: datetime
    quantity: Decimal


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """The quantity at the period's end; `day_count` is how many whole days it rests on."""

    low: Decimal
    expected: Decimal
    high: Decimal
    basis: Basis
    day_count: int


class _Left(msgspec.Struct, frozen=True):
    """A local day that is left: its weekday, and how much of it."""

    weekday: int
    share: Fraction


def is_additive(meter: Meter) -> bool:
    """Tell whether a period's quantity is the sum of its days' quantities."""
    return meter.aggregation in ("count", "sum") and not meter.recurring


def forecast(
    meter: Meter,
    *,
    used: Decimal,
    days: Sequence[Day],
    previous: Decimal | None,
    start: datetime,
    end: datetime,
    now: datetime,
    zone: ZoneInfo,
) -> Forecast:
    """Return what the meter is expected to have at `end` of the period [start, end).

    `used` is its quantity so far, `days` the whole local days before today (of the period and
    before it), `previous` the last period's quantity. The numbers have at most 6 decimals (a count
    none), are rounded as the meter says, and low <= expected <= high.
    """
    if not is_additive(meter):
        return _level(meter, used, previous)
    left = list(days_left(now, end, zone))
    if len(days) >= DAYS_MIN:
        found = _by_days(used, days[-HISTORY_DAYS:], left, zone)
    else:
        found = _run_rate(used, left, max(now - start, _DAY))
    floor = used if not meter.allow_negative else None
    return _shown(meter, found, floor)


def history_start(now: datetime, zone: ZoneInfo) -> datetime:
    """Return the local midnight (UTC) at which the history that is used begins."""
    today = now.astimezone(zone).date()
    return _midnight(datetime.combine(today, datetime.min.time()) - HISTORY_DAYS * _DAY, zone)


def today_start(now: datetime, zone: ZoneInfo) -> datetime:
    """Return the local midnight (UTC) before `now`."""
    return _midnight(datetime.combine(now.astimezone(zone).date(), datetime.min.time()), zone)


def days_left(now: datetime, end: datetime, zone: ZoneInfo) -> Iterable[_Left]:
    """Yield the local days from `now` to `end`, the outer two in part."""
    for begin, stop in cut(now, end, "DAY", zone):
        local = begin.astimezone(zone)
        midnight = datetime.combine(local.date(), datetime.min.time())
        whole = _midnight(midnight + _DAY, zone) - _midnight(midnight, zone)
        yield _Left(local.weekday(), _ratio(stop - begin, whole))


class _Found(msgspec.Struct, frozen=True):
    low: Fraction
    expected: Fraction
    high: Fraction
    basis: Basis
    day_count: int


def _by_days(used: Decimal, days: Sequence[Day], left: Sequence[_Left], zone: ZoneInfo) -> _Found:
    by_weekday = len(days) >= WEEKDAY_DAYS_MIN
    groups: dict[int, list[Fraction]] = {}
    for day in days:
        key = day.start.astimezone(zone).weekday() if by_weekday else 0
        groups.setdefault(key, []).append(Fraction(day.quantity))
    ahead = {key: Fraction(0) for key in groups}
    for part in left:
        ahead[part.weekday if by_weekday else 0] += part.share
    means = {key: sum(values, Fraction(0)) / len(values) for key, values in groups.items()}
    expected = Fraction(used) + sum(
        (means[key] * share for key, share in ahead.items()), Fraction(0)
    )
    residue = sum(
        ((value - means[key]) ** 2 for key, values in groups.items() for value in values),
        Fraction(0),
    )
    variance = residue / max(len(days) - len(groups), 1)
    spread = sum((share + share**2 / len(groups[key]) for key, share in ahead.items()), Fraction(0))
    margin = Z * _root(variance * spread)
    basis: Basis = "weekdays" if by_weekday else "days"
    return _Found(expected - margin, expected, expected + margin, basis, len(days))


def _run_rate(used: Decimal, left: Sequence[_Left], elapsed: timedelta) -> _Found:
    so_far = Fraction(used)
    ahead = sum((part.share for part in left), Fraction(0))
    rest = so_far * ahead / _ratio(elapsed, _DAY)
    low, high = sorted((so_far, so_far + 2 * rest))
    return _Found(low, so_far + rest, high, "run_rate" if used else "none", 0)


def _level(meter: Meter, used: Decimal, previous: Decimal | None) -> Forecast:
    """Return a level that stays; what can only rise is expected to reach the last period's."""
    last = used if previous is None else previous
    rises = meter.aggregation in ("max", "unique_count") and not meter.recurring
    expected = max(used, last) if rises else used
    return Forecast(
        low=used if rises else min(used, last),
        expected=expected,
        high=max(used, last),
        basis="level" if used or last else "none",
        day_count=0,
    )


def _shown(meter: Meter, found: _Found, floor: Decimal | None) -> Forecast:
    decimals = 0 if meter.aggregation == "count" else DECIMALS
    low, expected, high = (
        canonical(rounded(meter.rounding, round_half_away(value, decimals)))
        for value in (found.low, found.expected, found.high)
    )
    if floor is not None:
        low, expected, high = max(low, floor), max(expected, floor), max(high, floor)
    return Forecast(
        low=low, expected=expected, high=high, basis=found.basis, day_count=found.day_count
    )


def _root(value: Fraction) -> Fraction:
    """Return the square root, cut off behind 12 decimals: the same on every machine."""
    return Fraction(isqrt(value.numerator * _ROOT_SCALE**2 // value.denominator), _ROOT_SCALE)


def _ratio(part: timedelta, whole: timedelta) -> Fraction:
    micro = timedelta(microseconds=1)
    return Fraction(part // micro, whole // micro)


def _midnight(local: datetime, zone: ZoneInfo) -> datetime:
    return local.replace(tzinfo=zone).astimezone(UTC)
