"""A price in a unit of its own: the figures are in that unit, and a rate makes money of them.

As Lago's pricing units: both amounts are kept and shown.
"""

from collections.abc import Iterator
from decimal import Decimal
from re import compile as pattern
from typing import Final

from msgspec.structs import replace

from tallystick.kernel.errors import FieldError
from tallystick.money.exact import canonical, multiply
from tallystick.pricing.bounds import price_problems
from tallystick.pricing.model import CustomAmount, CustomUnit, Rated, Step

_CODE: Final = pattern(r"[A-Za-z][A-Za-z0-9_-]{0,62}")


def converted(unit: CustomUnit, currency: str, steps: tuple[Step, ...], amount: Decimal) -> Rated:
    """Return a rating whose steps were reckoned in the unit, as money, with the conversion.

    1,000 credits at 0.01 USD are 10 USD.
    """
    rate = canonical(unit.rate)
    money = canonical(multiply(amount, rate))
    return Rated(
        amount=money,
        currency=currency,
        steps=(
            *(replace(step, custom_unit=unit.code) for step in steps),
            Step(kind="conversion", quantity=amount, unit=rate, amount=money),
        ),
        custom=CustomAmount(code=unit.code, amount=amount, rate=rate),
    )


def problems(unit: CustomUnit) -> Iterator[FieldError]:
    """Yield what is wrong with the unit."""
    if not _CODE.fullmatch(unit.code):
        message = "must be 1 to 63 letters, digits, _ and -, a letter first."
        yield FieldError("custom_unit.code", "invalid_code", message)
    wrong = list(price_problems("custom_unit.rate", unit.rate))
    yield from wrong
    if not wrong and unit.rate == 0:
        yield FieldError("custom_unit.rate", "out_of_range", "must be above zero.")
