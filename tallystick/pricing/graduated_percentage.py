"""Graduated percentage: each part of what was moved costs the percentage of its tier.

As Lago's `graduated_percentage`: tiers and flat fees as in `graduated`, a rate instead of a unit.
"""

from collections.abc import Iterator
from decimal import Decimal

from tallystick.kernel.errors import FieldError
from tallystick.money.exact import add, canonical, multiply, shift, subtract
from tallystick.pricing.model import ZERO, GraduatedPercentagePrice, PercentageTier, Step
from tallystick.pricing.tiers import tier_problems, uncovered


def steps(price: GraduatedPercentagePrice, quantity: Decimal) -> Iterator[Step]:
    """Yield a step for each tier that was entered.

    Tiers to 1,000 at 2% plus 1, then 1%: 1,500 are 20 + 1 and 5.
    """
    start = ZERO
    for tier in price.tiers:
        yield _step(tier, start, quantity)
        if tier.up_to is None or quantity <= tier.up_to:
            return
        start = tier.up_to
    raise uncovered()


def problems(price: GraduatedPercentagePrice) -> Iterator[FieldError]:
    """Yield what is wrong with the tiers."""
    yield from tier_problems(price.tiers)


def _step(tier: PercentageTier, start: Decimal, quantity: Decimal) -> Step:
    end = quantity if tier.up_to is None else min(quantity, tier.up_to)
    part = canonical(subtract(end, start))
    return Step(
        kind="percentage_tier",
        quantity=part,
        rate=canonical(tier.rate),
        flat=canonical(tier.flat),
        from_=canonical(start),
        up_to=None if tier.up_to is None else canonical(tier.up_to),
        amount=canonical(add(shift(multiply(part, tier.rate), -2), tier.flat)),
    )
