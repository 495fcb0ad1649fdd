"""How large and how fine numbers may be, so that every rating is exact.

A price (15 whole digits, 12 decimals) times a quantity (18 whole digits, 40 decimals: averages
over time have many) needs at most 33 + 52 = 85 digits, the sum over 1000 tiers 88; a percentage
divides by 100, which adds 2 decimals to them. A custom unit's rate to money is a price itself, and
times it 90 + 27 = 117 digits are needed. Packages and blocks are counted in whole numbers: at most
10^18 units by 10^-12, so 30 digits. The exact context of `money/exact.py` keeps 120.
"""

from collections.abc import Iterator
from decimal import Decimal

from tallystick.kernel.errors import BadInput, FieldError
from tallystick.money.exact import canonical

PRICE_DECIMALS_MAX = 12
PRICE_WHOLE_DIGITS_MAX = 15
QUANTITY_DECIMALS_MAX = 40
QUANTITY_WHOLE_DIGITS_MAX = 18
TIERS_MAX = 1000


def price_problems(field: str, value: Decimal) -> Iterator[FieldError]:
    """Yield what forbids the value as an amount of a price (major units)."""
    yield from _problems(field, value, PRICE_WHOLE_DIGITS_MAX, PRICE_DECIMALS_MAX)


def quantity_problems(field: str, value: Decimal) -> Iterator[FieldError]:
    """Yield what forbids the value as a quantity written in a price."""
    yield from _problems(field, value, QUANTITY_WHOLE_DIGITS_MAX, PRICE_DECIMALS_MAX)


def size_problems(field: str, value: Decimal) -> Iterator[FieldError]:
    """Yield what forbids the value as the size of a package or block: it is above zero."""
    wrong = list(quantity_problems(field, value))
    yield from wrong
    if not wrong and value == 0:
        yield FieldError(field, "out_of_range", "must be above zero.")


def used_quantity(quantity: Decimal, field: str = "quantity") -> Decimal:
    """Return a quantity that was used, in its plain form; it may be negative.

    Raises BadInput when it is not finite or too long to be rated exactly, TypeError for floats.
    """
    wrong = used_problem(field, quantity)
    if wrong is not None:
        raise BadInput.field(wrong.field, wrong.code, wrong.message)
    return canonical(quantity)


def used_problem(field: str, quantity: Decimal) -> FieldError | None:
    """Return why a quantity, or an event's amount, can not be rated exactly.

    Raises TypeError for what is not a Decimal.
    """
    if not isinstance(quantity, Decimal):
        raise TypeError(f"a quantity is a Decimal, not {type(quantity).__name__}")
    return _size_problem(field, quantity, QUANTITY_WHOLE_DIGITS_MAX, QUANTITY_DECIMALS_MAX)


def _problems(
    field: str, value: Decimal, whole_digits_max: int, decimals_max: int
) -> Iterator[FieldError]:
    wrong = _size_problem(field, value, whole_digits_max, decimals_max)
    if wrong is not None:
        yield wrong
    elif value < 0:
        yield FieldError(field, "negative", "must not be below zero.")


def _size_problem(
    field: str, value: Decimal, whole_digits_max: int, decimals_max: int
) -> FieldError | None:
    if not value.is_finite():
        return FieldError(field, "not_finite", "must be a finite number.")
    if value and value.adjusted() >= whole_digits_max:
        return FieldError(field, "too_large", f"may have {whole_digits_max} whole digits at most.")
    # Below the place of its last digit nothing stands, so most values need no count of zeros.
    if -int(value.as_tuple().exponent) > decimals_max and _decimals(value) > decimals_max:
        return FieldError(field, "too_many_decimals", f"may have {decimals_max} decimals at most.")
    return None


def _decimals(value: Decimal) -> int:
    """Count the decimals, without zeros at the end; the text of 1E-999999 is never written out."""
    _, digits, exponent = value.as_tuple()
    zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return max(0, -int(exponent) - zeros) if value else 0
