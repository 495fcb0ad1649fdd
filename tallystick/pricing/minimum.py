"""What a period bills at least, and at most: in money, over all that a price rated in it.

The invoice adds up the lines of all filters and groups before it asks; a single rating asks alone.
"""

from collections.abc import Iterator
from decimal import Decimal

from msgspec.structs import replace

from tallystick.kernel.errors import FieldError
from tallystick.money.exact import add, canonical, subtract
from tallystick.pricing.bounds import price_problems
from tallystick.pricing.model import Price, Rated, Step


def bounded(price: Price, rated: Rated) -> Rated:
    """Return the rating brought up to the price's minimum or down to its maximum, with a step."""
    step = bound(price, rated.amount)
    if step is None:
        return rated
    amount = canonical(add(rated.amount, step.amount))
    return replace(rated, amount=amount, steps=(*rated.steps, step))


def bound(price: Price, amount: Decimal) -> Step | None:
    """Return what brings an amount of money within the price's bounds; None: it is.

    A minimum of 10 adds 4 to 6, a maximum of 10 takes 2 off 12.
    """
    if price.minimum is not None and amount < price.minimum:
        flat = canonical(price.minimum)
        return Step(kind="minimum", flat=flat, amount=canonical(subtract(flat, amount)))
    if price.maximum is not None and amount > price.maximum:
        flat = canonical(price.maximum)
        return Step(kind="maximum", flat=flat, amount=canonical(subtract(flat, amount)))
    return None


def problems(price: Price) -> Iterator[FieldError]:
    """Yield what is wrong with the two."""
    if price.minimum is not None:
        yield from price_problems("minimum", price.minimum)
    if price.maximum is not None:
        yield from price_problems("maximum", price.maximum)
        if price.minimum is not None and price.maximum < price.minimum:
            yield FieldError("maximum", "maximum_below_minimum", "must not be below the minimum.")
