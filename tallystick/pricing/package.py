"""Package: units are sold by the package, and one that is begun is due as a whole.

As Lago's `package`: ceil((units - free) / size) times the amount.
"""

from collections.abc import Iterator
from decimal import Decimal

from tallystick.kernel.errors import FieldError
from tallystick.money.exact import canonical, multiply, subtract
from tallystick.pricing.bounds import price_problems, quantity_problems, size_problems
from tallystick.pricing.model import ZERO, PackagePrice, Step
from tallystick.pricing.started import started


def steps(price: PackagePrice, quantity: Decimal) -> Iterator[Step]:
    """Yield the free units, if the price has any, and the packages.

    Packages of 1,000 at 5, the first 500 free: 2,501 units are 3 packages, 15.
    """
    free = min(quantity, price.free)
    if price.free:
        up_to = canonical(price.free)
        yield Step(kind="included", quantity=canonical(free), up_to=up_to, amount=ZERO)
    size, amount = canonical(price.size), canonical(price.amount)
    count = started(subtract(quantity, free), size)
    total = canonical(multiply(count, amount))
    yield Step(kind="package", quantity=count, size=size, unit=amount, amount=total)


def problems(price: PackagePrice) -> Iterator[FieldError]:
    """Yield what is wrong with the figures."""
    yield from size_problems("size", price.size)
    yield from price_problems("amount", price.amount)
    yield from quantity_problems("free", price.free)
