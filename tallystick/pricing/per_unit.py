"""Per unit: the same amount for each unit, and its share for part of one."""

from collections.abc import Iterator
from decimal import Decimal

from tallystick.kernel.errors import FieldError
from tallystick.money.exact import canonical, multiply
from tallystick.pricing.bounds import price_problems
from tallystick.pricing.model import PerUnitPrice, Step


def steps(price: PerUnitPrice, quantity: Decimal) -> Iterator[Step]:
    """Yield the one step: quantity times unit; also of nothing, so that a line can show it."""
    unit = canonical(price.unit)
    amount = canonical(multiply(quantity, unit))
    yield Step(kind="per_unit", quantity=quantity, unit=unit, amount=amount)


def problems(price: PerUnitPrice) -> Iterator[FieldError]:
    """Yield what is wrong with the figures."""
    yield from price_problems("unit", price.unit)
