"""Flat: one amount for the period, whatever is used."""

from collections.abc import Iterator
from decimal import Decimal

from tallystick.kernel.errors import FieldError
from tallystick.money.exact import canonical
from tallystick.pricing.bounds import price_problems
from tallystick.pricing.model import FlatPrice, Step


def steps(price: FlatPrice, quantity: Decimal) -> Iterator[Step]:  # noqa: ARG001 -- as each model
    """Yield the one step: the amount."""
    amount = canonical(price.amount)
    yield Step(kind="flat", flat=amount, amount=amount)


def problems(price: FlatPrice) -> Iterator[FieldError]:
    """Yield what is wrong with the figures; free units of a price without units are a mistake."""
    yield from price_problems("amount", price.amount)
    if price.included != 0:
        yield FieldError("included", "included_without_units", "a flat price has no units.")
