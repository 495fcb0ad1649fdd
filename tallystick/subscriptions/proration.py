"""What part of a period's price a part of the period pays. Pure.

Every share is a difference of two points of one rounded line: what is due up to its end less what
is due up to its beginning. So the shares of any cutting of a period sum to the whole price to the
minor unit, whatever the cuts. 49.00 over 31 days, cut after 10 and 20 days, is 15.81, 15.80 and
17.39: due up to the 10th day are 15.806..., up to the 20th 31.612..., up to the 31st 49.00.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

import msgspec

from tallystick.money.amount import Money
from tallystick.money.currency import currency as look_up
from tallystick.money.rounding import round_ratio
from tallystick.subscriptions.periods import Period, local_day, start_of_day

Proration = Literal["by_day", "by_second", "none"]
"""By real days of the period in the account's time zone, by time, or the price is never split."""
Unit = Literal["day", "microsecond", "period"]

_UNITS: dict[Proration, Unit] = {"by_day": "day", "by_second": "microsecond", "none": "period"}
_DECIMALS = 12
_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


class Share(msgspec.Struct, frozen=True):
    """The units from `start` to `end` of the `whole` units of a period; `sign` -1 gives it back."""

    unit: Unit
    start: int
    end: int
    whole: int
    sign: Literal[1, -1] = 1

    @property
    def is_whole(self) -> bool:
        """Whether the price is due in full."""
        return self.start == 0 and self.end == self.whole and self.sign == 1

    @property
    def is_empty(self) -> bool:
        """Whether nothing is due."""
        return self.start >= self.end


def share_of(
    proration: Proration, whole: Period, timezone: str, part: Period, sign: Literal[1, -1] = 1
) -> Share:
    """Return what share `part` is of the period `whole`; what lies outside of it counts nothing.

    By day, `part` has the days from that of its start up to that of its end, without that last one.
    Without proration the price goes whole to the part in which the period begins.
    """
    return Share(
        unit=_UNITS[proration],
        start=_units(proration, whole, timezone, part.start),
        end=_units(proration, whole, timezone, part.end),
        whole=_units(proration, whole, timezone, whole.end),
        sign=sign,
    )


def amount_of(price: Decimal, currency: str, share: Share) -> Money:
    """Return the share of a price (major units): rounded at both of its ends, never between."""
    due = _due(price, currency, share.end, share.whole)
    before = _due(price, currency, share.start, share.whole)
    return Money(share.sign * (due - before), look_up(currency).code)


def exact_share(price: Decimal, share: Share) -> Decimal:
    """Return the share of a price in major units to 12 decimals, for people to follow."""
    numerator, denominator = price.as_integer_ratio()
    scaled = numerator * (share.end - share.start) * 10**_DECIMALS
    return Decimal(share.sign * round_ratio(scaled, denominator * share.whole)).scaleb(-_DECIMALS)


def starts_to_count(proration: Proration, at: datetime, timezone: str) -> datetime:
    """Return from when new terms count that begin at `at`: the day of a change is theirs."""
    return at if proration == "by_second" else start_of_day(local_day(at, timezone), timezone)


def stops_to_count(proration: Proration, at: datetime, timezone: str) -> datetime:
    """Return until when counts what ends at `at` and nothing follows: that day was used."""
    if proration == "by_second":
        return at
    return start_of_day(local_day(at, timezone) + _DAY, timezone)


def _units(proration: Proration, whole: Period, timezone: str, at: datetime) -> int:
    inside = min(max(at, whole.start), whole.end)
    if proration == "by_second":
        return (inside - whole.start) // _MICROSECOND
    days = (local_day(inside, timezone) - local_day(whole.start, timezone)).days
    return days if proration == "by_day" else min(days, 1)


def _due(price: Decimal, currency: str, units: int, whole: int) -> int:
    numerator, denominator = price.as_integer_ratio()
    scaled = numerator * 10 ** look_up(currency).exponent * units
    return round_ratio(scaled, denominator * whole)
