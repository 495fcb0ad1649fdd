"""What a recurring amount comes to in a month, so that prices of all intervals can be summed."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

# A year has 12 months and 365 days: a day is 12/365 of a month, a week 84/365.
_MONTHS: Final[Mapping[str, Fraction]] = {
    "day": Fraction(12, 365),
    "week": Fraction(84, 365),
    "month": Fraction(1),
    "year": Fraction(12),
}


def per_month(amount_minor: int | Fraction, interval: str, interval_count: int) -> Fraction:
    """Return what an amount for each `interval_count` intervals comes to in a month, exact.

    120.00 a year are 10.00 a month; 7.00 a week are 30.42 when rounded. Raises KeyError for an
    interval that is none.
    """
    return Fraction(amount_minor) / (_MONTHS[interval] * interval_count)
