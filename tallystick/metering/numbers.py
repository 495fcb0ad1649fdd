"""Numbers of events: exact, bounded, never a float.

A quantity is what a meter reads from an event: a JSON number or a plain decimal string, below zero
only where that means something. The database reads the same figures again (`usage_number`).
"""

import re
from decimal import Decimal, DecimalException
from typing import Any, Final

WHOLE_DIGITS_MAX: Final = 15
DECIMALS_MAX: Final = 12
QUANTITY_END: Final = 10**WHOLE_DIGITS_MAX
"""The first whole number that is too large; a period holds a thousand of the largest."""

_NUMBER_LENGTH_MAX: Final = 80
_MAGNITUDE_MAX: Final = 64
_PLAIN: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,12}0*)?")
_DECIMAL: Final = re.compile(r"(?P<sign>-?)[0-9]+(\.[0-9]+)?")
_LARGE: Final = re.compile(r"-?[0-9]{16,}(\.[0-9]+)?")

Fault = tuple[str, str]
"""A stable code and a sentence."""


def read_number(text: str) -> Decimal:
    """Read a JSON number with a point or an exponent, exactly.

    Raises ValueError beyond 1e64: eight characters such as 1e400 would fill whole pages of the
    database.
    """
    try:
        number = Decimal(text)
    except DecimalException as error:
        raise ValueError("number out of range") from error
    if len(text) > _NUMBER_LENGTH_MAX or abs(number.adjusted()) > _MAGNITUDE_MAX:
        raise ValueError("number out of range")
    return number


def quantity_fault(value: Any, *, signed: bool = False) -> Fault | None:
    """Return why a property can not be counted, or None when it can.

    `signed`: a value below zero can.
    """
    if value is None:
        return "missing", "is what this meter reads; send a number"
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return "not_a_number", 'must be a number, or a string such as "12.5"'
    text = plain_text(value)
    bare = text.removeprefix("-") if signed else text
    return None if _PLAIN.fullmatch(bare) else _text_fault(text, signed=signed)


def plain_text(value: int | Decimal | str) -> str:
    """Return a text as it is and a number's digits, as the database shows them."""
    if isinstance(value, str):
        return value
    # Zero has no sign in the database; 10**4000 has too many digits for str().
    return f"{Decimal(value) if value else abs(Decimal(value)):f}"


def _text_fault(text: str, *, signed: bool) -> Fault:
    shown = _DECIMAL.fullmatch(text)
    if shown is None:
        return "not_a_number", 'must be a number, or a string such as "12.5"'
    if shown["sign"] and not signed:
        return "negative_quantity", "must not be below zero"
    if _LARGE.fullmatch(text):
        return "too_large", f"may have {WHOLE_DIGITS_MAX} whole digits at most"
    return "too_many_decimals", f"may have {DECIMALS_MAX} decimals at most"
