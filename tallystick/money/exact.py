"""Decimal arithmetic that is exact or fails: the only decimal context of the project.

Python's default context keeps 28 digits and rounds the rest without a word. A price of 15
whole digits and 12 decimals times a quantity of 18 and 12 needs 57. Here 120 digits are kept, and
where even they do not suffice the operation raises instead of rounding. Prices and quantities are
bounded where they come in (`pricing/bounds.py`) so that a bounded price times a bounded quantity,
summed over all tiers, stays below 90 digits. Nothing here divides: a quotient is seldom exact, and
the one rounding of a line is `rounding.py`, on whole numbers.

Why this and not the default context: docs/decisions/0002-exact-decimals.md.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from decimal import (
    Clamped,
    Context,
    Decimal,
    DecimalException,
    Inexact,
    InvalidOperation,
    Overflow,
    Subnormal,
    Underflow,
    localcontext,
)

from tallystick.money.errors import BadAmount

DIGITS_MAX = 120
_EXACT = Context(
    prec=DIGITS_MAX, traps=[Inexact, InvalidOperation, Overflow, Underflow, Subnormal, Clamped]
)


def require_finite(*values: Decimal) -> None:
    """Raise TypeError for what is not a Decimal (a float has lost its cents), BadAmount for NaN."""
    for value in values:
        if not isinstance(value, Decimal):
            raise TypeError(f"expected a Decimal, got {type(value).__name__}")
        if not value.is_finite():
            raise BadAmount("A number must be finite.", code="number_not_finite")


def multiply(left: Decimal, right: Decimal) -> Decimal:
    """Return the exact product. Raises BadAmount when it needs more than 120 digits."""
    require_finite(left, right)
    try:
        return _EXACT.multiply(left, right)
    except DecimalException as error:
        raise _too_long() from error


def add(left: Decimal, right: Decimal) -> Decimal:
    """Return the exact sum. Raises BadAmount when it needs more than 120 digits."""
    require_finite(left, right)
    try:
        return _EXACT.add(left, right)
    except DecimalException as error:
        raise _too_long() from error


def subtract(left: Decimal, right: Decimal) -> Decimal:
    """Return the exact difference. Raises BadAmount when it needs more than 120 digits."""
    require_finite(left, right)
    try:
        return _EXACT.subtract(left, right)
    except DecimalException as error:
        raise _too_long() from error


def total(values: Iterable[Decimal]) -> Decimal:
    """Return the exact sum of all values; of none, zero."""
    result = Decimal(0)
    for value in values:
        result = add(result, value)
    return result


def shift(value: Decimal, places: int) -> Decimal:
    """Return the value times ten to the power of `places`, exactly."""
    require_finite(value)
    try:
        return _EXACT.scaleb(value, places)
    except DecimalException as error:
        raise _too_long() from error


def canonical(value: Decimal) -> Decimal:
    """Return the same number in its one form: no trailing zeros, no exponent above zero, no -0."""
    require_finite(value)
    try:
        bare = _EXACT.plus(value.normalize(_EXACT))
        whole = bare.to_integral_value() == bare
        return _EXACT.quantize(bare, Decimal(1)) if whole else bare
    except DecimalException as error:
        raise _too_long() from error


def plain(value: Decimal) -> str:
    """Return the number as digits with a point and never an exponent: "0.0000001", "1000"."""
    return f"{canonical(value):f}"


def exact_context() -> AbstractContextManager[Context]:
    """Put foreign code (Babel reads the ambient context) under the exact context for a while."""
    return localcontext(_EXACT)


def _too_long() -> BadAmount:
    return BadAmount(
        f"The exact result needs more than {DIGITS_MAX} digits; use smaller numbers.",
        code="number_too_long",
    )
