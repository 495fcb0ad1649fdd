"""Graduated: each unit costs what the tier it falls in says.

A tier covers (previous up_to, up_to]. Its flat fee is due once it is entered, and the first tier
is entered at zero usage. The same rules as Stripe's `graduated` tiers mode and Lago's graduated
charge.
"""

from collections.abc import Iterator
from decimal import Decimal

from tallystick.kernel.errors import FieldError
from tallystick.money.exact import add, canonical, multiply, subtract
from tallystick.pricing.model import ZERO, GraduatedPrice, Step, Tier
from tallystick.pricing.tiers import tier_problems, uncovered


def steps(price: GraduatedPrice, quantity: Decimal) -> Iterator[Step]:
    """Yield a step for each tier that was entered.

    Tiers to 1,000 at 0.02 plus 5, then 0.01: 1,500 units are 1,000 x 0.02 + 5 and 500 x 0.01.
    """
    start = ZERO
    for tier in price.tiers:
        yield _step(tier, start, quantity)
        if tier.up_to is None or quantity <= tier.up_to:
            return
        start = tier.up_to
    raise uncovered()


def problems(price: GraduatedPrice) -> Iterator[FieldError]:
    """Yield what is wrong with the tiers."""
    yield from tier_problems(price.tiers)


def _step(tier: Tier, start: Decimal, quantity: Decimal) -> Step:
    end = quantity if tier.up_to is None else min(quantity, tier.up_to)
    units = canonical(subtract(end, start))
    return Step(
        kind="tier",
        quantity=units,
        unit=canonical(tier.unit),
        flat=canonical(tier.flat),
        from_=canonical(start),
        up_to=None if tier.up_to is None else canonical(tier.up_to),
        amount=canonical(add(multiply(units, tier.unit), tier.flat)),
    )
