"""How many packages or blocks are begun: a started one is a whole one."""

from decimal import Decimal


def started(units: Decimal, size: Decimal) -> Decimal:
    """Return the whole number of pieces of this size that the units need; of none, zero.

    1,001 units need two packages of 1,000. Exact: of integers, whatever the decimals.
    """
    numerator, denominator = units.as_integer_ratio()
    size_numerator, size_denominator = size.as_integer_ratio()
    return Decimal(-(-(numerator * size_denominator) // (denominator * size_numerator)))
