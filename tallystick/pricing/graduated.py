"""Graduated: each unit costs what the tier it falls in says.

A tier covers (previous up_to, up_to]. Its flat fee is due once it is entered, and the first tier
is entered at zero usage. The same rules as Stripe's `graduated` tiers mode and Lago's graduated
charge.
"""

from collections.abc import Iterator
from decimal import Decimal

from tallystick.kernel.errors import BadInput, FieldError
from tallystick.money.exact import add, canonical, multiply, subtract
from tallystick.pricing.bounds import TIERS_MAX, price_problems, quantity_problems
from tallystick.pricing.model import ZERO, GraduatedPrice, Step, Tier


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
    raise BadInput.field("tiers", "last_tier_closed", "no tier covers this quantity.")


def problems(price: GraduatedPrice) -> Iterator[FieldError]:
    """Yield what is wrong with the tiers: they ascend without gap and the last has no end."""
    if not 1 <= len(price.tiers) <= TIERS_MAX:
        yield FieldError("tiers", "tier_count", f"needs 1 to {TIERS_MAX} tiers.")
        return
    start = ZERO
    for at, tier in enumerate(price.tiers):
        field = f"tiers[{at}]"
        yield from price_problems(f"{field}.unit", tier.unit)
        yield from price_problems(f"{field}.flat", tier.flat)
        is_last = at == len(price.tiers) - 1
        yield from _end_problems(f"{field}.up_to", tier.up_to, start, is_last=is_last)
        if tier.up_to is not None and tier.up_to.is_finite():
            start = tier.up_to


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


def _end_problems(
    field: str, end: Decimal | None, start: Decimal, *, is_last: bool
) -> Iterator[FieldError]:
    if end is None:
        if not is_last:
            yield FieldError(field, "open_tier_not_last", "only the last tier may have no end.")
        return
    sizes = list(quantity_problems(field, end))
    yield from sizes
    if not sizes and end <= start:
        yield FieldError(field, "tiers_not_ascending", f"must be above {start:f}.")
    if is_last:
        yield FieldError(field, "last_tier_closed", "the last tier must have no end: null.")
